"""Robustness stress-testing for language models: perturb, evaluate, compare, report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = [
    "Evaluation",
    "__version__",
    "evaluate",
    "make_panel",
    "perturb_texts",
    "textattack_victim",
]

if TYPE_CHECKING:
    from robust_eval.api import Evaluation, evaluate, make_panel, perturb_texts, textattack_victim


def __getattr__(name: str) -> Any:
    # The API loads the whole library: on first use, so that `robust-eval --help` stays quick.
    if name in ("Evaluation", "evaluate", "make_panel", "perturb_texts", "textattack_victim"):
        from robust_eval import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
