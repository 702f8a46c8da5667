"""Runs checked and set against one another: every figure again from the records, and what changed between two."""

from robust_eval.audit.diff import diff
from robust_eval.audit.merge import merge
from robust_eval.audit.verify import Finding, Verification, verify

__all__ = ["Finding", "Verification", "diff", "merge", "verify"]
