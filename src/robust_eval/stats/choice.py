"""The one place where data decides which interval and test they get.

Counts of right and wrong on distinct items have score intervals and exact tests; anything else
(shares, repeated items) takes the clustered t and the sign-flip test.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from operator import gt, lt

from robust_eval.errors import StatisticsError
from robust_eval.records import Estimate
from robust_eval.stats import intervals, means, paired, two_sample

MCNEMAR = "exact McNemar"
FISHER = "Fisher exact"
WELCH = "Welch t"


def is_counts(scores: Sequence[float], clusters: Sequence[Hashable]) -> bool:
    """Whether scores are right or wrong only, and no two items share a cluster."""
    return {*scores} <= {0.0, 1.0} and len({*clusters}) == len(clusters)


def mean(scores: Sequence[float], clusters: Sequence[Hashable], *, level: float) -> Estimate:
    """The mean score: Wilson for counts, else clustered t with pseudo-clusters at 0 and 1."""
    if scores and is_counts(scores, clusters):
        return intervals.wilson(round(sum(scores)), len(scores), level=level)
    return means.mean(scores, clusters, level=level)


def flips(first: Sequence[float], second: Sequence[float]) -> tuple[int, int]:
    """How many pairs went from 1 to 0, and from 0 to 1."""
    if len(first) != len(second):
        raise StatisticsError(f"{len(first)} and {len(second)} scores are not pairs")
    return sum(map(gt, first, second)), sum(map(lt, first, second))


def paired_difference(
    first: Sequence[float],
    second: Sequence[float],
    clusters: Sequence[Hashable],
    *,
    level: float,
) -> tuple[Estimate, float, str]:
    """Mean of first minus second on the same items, its p and the test's name."""
    estimate = paired_estimate(first, second, clusters, level=level)
    if is_counts(first, clusters) and is_counts(second, clusters):
        return estimate, paired.mcnemar(*flips(first, second)), MCNEMAR
    permutation = paired.sign_flip(_differences(first, second), clusters)
    return estimate, permutation.p, permutation.test


def paired_estimate(
    first: Sequence[float],
    second: Sequence[float],
    clusters: Sequence[Hashable],
    *,
    level: float,
) -> Estimate:
    """Mean of first minus second on the same items: Bonett-Price for counts, else clustered t."""
    if first and is_counts(first, clusters) and is_counts(second, clusters):
        return intervals.bonett_price(*flips(first, second), len(first), level=level)
    return means.mean(
        _differences(first, second),
        clusters,
        level=level,
        bounds=means.DROP_RANGE,
        pseudo=means.DROP_PSEUDO,
    )


def _differences(first: Sequence[float], second: Sequence[float]) -> list[float]:
    return [a - b for a, b in zip(first, second, strict=True)]


def mean_difference(
    differences: Sequence[float],
    clusters: Sequence[Hashable],
    *,
    level: float,
    bounds: tuple[float, float],
) -> tuple[Estimate, float, str]:
    """Mean of differences of any kind: clustered t, one pseudo-cluster a side, sign-flip test."""
    estimate = means.mean(
        differences, clusters, level=level, bounds=bounds, pseudo=means.DROP_PSEUDO
    )
    permutation = paired.sign_flip(differences, clusters)
    return estimate, permutation.p, permutation.test


def two_sample_difference(
    first: Sequence[float],
    first_clusters: Sequence[Hashable],
    second: Sequence[float],
    second_clusters: Sequence[Hashable],
    *,
    level: float,
) -> tuple[Estimate, float, str]:
    """Mean of first minus mean of second, on different items: Newcombe and Fisher, or Welch."""
    if first and second and is_counts(first, first_clusters) and is_counts(second, second_clusters):
        counts = (round(sum(first)), len(first), round(sum(second)), len(second))
        return intervals.newcombe(*counts, level=level), two_sample.fisher(*counts), FISHER
    estimate, p = two_sample.welch(
        means.moments(first, first_clusters, pseudo=means.SCORE_PSEUDO),
        means.moments(second, second_clusters, pseudo=means.SCORE_PSEUDO),
        level=level,
    )
    return estimate, p, WELCH
