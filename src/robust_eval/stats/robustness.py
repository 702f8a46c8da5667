"""Figures over several sets that go wrong easily: the worst case, and a drop relative to clean."""

from __future__ import annotations

import math
from collections.abc import Sequence

from robust_eval.errors import StatisticsError


def worst_case(
    scores: Sequence[Sequence[float]], *, higher_is_better: bool = True
) -> tuple[float, ...]:
    """Each item's worst score over the sets (one sequence a set, same items, same order).

    Worst is the lowest score when higher is better and the highest when lower is. Its mean falls
    with the number of sets even for a model that is merely noisy: compare it with as many clean
    repeats. Source: HELM, Liang et al. (2022), arXiv:2211.09110.
    """
    if not scores or not scores[0]:
        raise StatisticsError(
            "a worst case over 0 scores does not exist; give at least one set and item"
        )
    if len({len(row) for row in scores}) > 1:
        raise StatisticsError("a worst case needs the same items in every set")
    worst = min if higher_is_better else max
    return tuple(worst(row) for row in zip(*scores, strict=True))


def relative_drop(clean: Sequence[float], shifted: Sequence[float], *, chance: float) -> float:
    """1 - sum(shifted) / sum(clean), for a metric that is better when higher; positive is worse.

    Raises StatisticsError when the clean mean is at or below `chance`: a share of nothing.
    Source: PromptBench, Zhu et al. (2023), arXiv:2306.04528 (performance drop rate).
    """
    if not clean or len(clean) != len(shifted):
        raise StatisticsError(f"{len(clean)} clean and {len(shifted)} shifted scores are not pairs")
    before = math.fsum(clean)
    if before / len(clean) <= max(chance, 0.0):
        raise StatisticsError(
            f"no relative drop from a clean score of {before / len(clean):.3f}: chance is {chance:.3f}; "
            "report the absolute drop"
        )
    return 1 - math.fsum(shifted) / before


def corruption_error(
    model: Sequence[Sequence[float]],
    reference: Sequence[Sequence[float]],
    *,
    clean_model: float = 0.0,
    clean_reference: float = 0.0,
) -> float:
    """mCE, or relative mCE when the clean errors are given: under 1, the model loses less than the reference.

    One row of errors a corruption, one number a severity. Per corruption the errors, less the clean error, are
    summed over severities and divided by the reference's; the mean is over corruptions. Raises StatisticsError
    when the reference loses nothing under some corruption: a ratio to nothing.

    Source: Hendrycks & Dietterich (2019), arXiv:1903.12261, with a reference of one's own for AlexNet.
    """
    if not model or len(model) != len(reference):
        raise StatisticsError("a corruption error needs as many corruptions of both models")
    ratios = []
    for ours, theirs in zip(model, reference, strict=True):
        if len(ours) != len(theirs) or not ours:
            raise StatisticsError("a corruption error needs the same severities of both models")
        below = math.fsum(error - clean_reference for error in theirs)
        if below <= 0:
            raise StatisticsError(
                "the reference makes no more errors under some corruption than it does clean; "
                "report the difference of drops"
            )
        ratios.append(math.fsum(error - clean_model for error in ours) / below)
    return math.fsum(ratios) / len(ratios)
