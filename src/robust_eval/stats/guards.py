"""When a model is too weak for its drop to mean anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence

from robust_eval.errors import StatisticsError
from robust_eval.records import Estimate


def majority_rate(targets: Sequence[Hashable]) -> float:
    """The share of the commonest target: what naming one label every time would score."""
    if not targets:
        raise StatisticsError("0 examples have no majority label; at least 1 is needed")
    return max(Counter(targets).values()) / len(targets)


def beats(clean: Estimate, rate: float, *, higher_is_better: bool = True) -> bool:
    """Whether the clean score's bound on the bad side is better than `rate`, not merely its value.

    `rate` is a score when higher is better and an error when lower is.
    """
    return clean.low > rate if higher_is_better else clean.high < rate
