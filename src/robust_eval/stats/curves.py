"""What a model keeps as texts change more and more: area under the curve, and where it breaks down."""

from __future__ import annotations

import itertools
import math
from collections.abc import Hashable, Sequence

from robust_eval.errors import StatisticsError
from robust_eval.records import Estimate
from robust_eval.stats import means


def area_weights(doses: Sequence[float]) -> list[float]:
    """One weight a point of (0, *doses), of the trapezium rule divided by the largest dose.

    Their sum is 1, so that the area is a mean loss over the range of doses. Doses rise strictly.
    """
    at = [0.0, *doses]
    if len(at) < 2 or any(b <= a for a, b in itertools.pairwise(at)):
        raise StatisticsError(f"doses must rise from above 0, not {[round(d, 4) for d in doses]}")
    weights = [0.0] * len(at)
    for i in range(1, len(at)):
        half = (at[i] - at[i - 1]) / 2 / at[-1]
        weights[i - 1] += half
        weights[i] += half
    return weights


def area(
    losses: Sequence[Sequence[float]],
    doses: Sequence[float],
    clusters: Sequence[Hashable],
    *,
    level: float = 0.95,
) -> Estimate:
    """The mean drop over doses from 0 to the largest, with its interval.

    `losses` has one row a dose: clean minus shifted score of each item, in one order. The area is linear
    in them, so it is a mean over items of one weighted sum each, and has a mean's clustered interval.
    """
    weights = area_weights(doses)[1:]  # at dose 0 nothing is lost
    mixed = [
        math.fsum(w * loss for w, loss in zip(weights, row, strict=True))
        for row in zip(*losses, strict=True)
    ]
    return means.mean(
        mixed, clusters, level=level, bounds=means.DROP_RANGE, pseudo=means.DROP_PSEUDO
    )


def breakdown(doses: Sequence[float], drops: Sequence[float], *, limit: float) -> float | None:
    """The smallest dose at which the drop reaches `limit`, on straight lines from (0, 0); None if never."""
    if limit <= 0:
        raise StatisticsError(f"a breakdown needs a limit above 0, not {limit}")
    before = (0.0, 0.0)
    for point in zip(doses, drops, strict=True):
        if point[1] >= limit:
            share = (limit - before[1]) / (point[1] - before[1])
            return before[0] + share * (point[0] - before[0])
        before = point
    return None
