"""Which models are ahead over many data sets: mean ranks, and a test that they are all alike."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from robust_eval.errors import StatisticsError


@dataclass(frozen=True, slots=True)
class Ranks:
    """Mean rank of every model, 1 the best, and Friedman's test that no model differs from another."""

    mean: tuple[float, ...]
    statistic: float  # chi-squared
    df: int
    p: float


def friedman(scores: Sequence[Sequence[float]], *, higher_is_better: bool = True) -> Ranks:
    """Ranks of models over data sets; `scores` has one row a model, one column a data set.

    Equal scores share the mean of their ranks, and the statistic is corrected for them.
    Raises StatisticsError for fewer than three models, fewer than two data sets, and rows of unequal length.
    Source: Friedman (1937), JASA 32(200); Demsar (2006), JMLR 7, for its use on classifiers.
    """
    models = len(scores)
    sets = len(scores[0]) if models else 0
    if models < 3 or sets < 2 or any(len(row) != sets for row in scores):
        raise StatisticsError(
            "ranks need at least three models, each with a score on the same two data sets or more"
        )
    columns = [
        [-v if higher_is_better else v for v in column] for column in zip(*scores, strict=True)
    ]
    ranked = [_ranks(column) for column in columns]
    totals = [math.fsum(row) for row in zip(*ranked, strict=True)]
    ties = sum(column.count(v) ** 3 - column.count(v) for column in columns for v in set(column))
    scale = 1 - ties / (sets * models * (models**2 - 1))
    if scale <= 0:
        raise StatisticsError("all models have the same score on every data set")
    spread = math.fsum(total**2 for total in totals)
    statistic = 12 * spread / (sets * models * (models + 1)) - 3 * sets * (models + 1)
    statistic /= scale
    from scipy.special import chdtrc

    mean = tuple(total / sets for total in totals)
    return Ranks(mean, statistic, models - 1, float(chdtrc(models - 1, statistic)))


def _ranks(values: Sequence[float]) -> list[float]:
    """Rank of every value, 1 the smallest; equal ones share the mean of their ranks."""
    order = sorted(values)
    first = {v: at for at, v in reversed(list(enumerate(order, 1)))}
    return [first[v] + (values.count(v) - 1) / 2 for v in values]
