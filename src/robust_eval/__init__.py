"""Robustness stress-testing for language models: perturb, evaluate, compare, report."""

from __future__ import annotations

__version__ = "0.1.0"
