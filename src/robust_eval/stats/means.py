"""Means of scores that may share clusters, with t intervals that keep a width."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from robust_eval.errors import StatisticsError
from robust_eval.records import Estimate
from robust_eval.stats.intervals import bounded, check_level

SCORE_RANGE = (0.0, 1.0)
DROP_RANGE = (-1.0, 1.0)
DIFFERENCE_RANGE = (-2.0, 2.0)  # of two drops

SCORE_PSEUDO = (0.0, 1.0)  # one cluster of each is added to a mean of scores
DROP_PSEUDO = (-1.0, 1.0)  # and to a mean of differences, whatever its range


@dataclass(frozen=True, slots=True)
class Moments:
    """A mean and what its interval needs. `centre`, `variance` and `df` count pseudo-clusters too."""

    value: float  # mean of the real items
    centre: float
    variance: float  # squared standard error of the mean; infinite when one cluster stands alone
    df: int
    n: int  # real items
    clusters: int  # real clusters
    pseudo: int  # clusters added


def cluster_sums(
    values: Sequence[float], clusters: Sequence[Hashable] | None = None
) -> tuple[list[float], list[int]]:
    """Sum and size of every cluster, in no promised order; without clusters each item is its own.

    Raises StatisticsError on an empty list, on values that are not finite, and on unequal lengths.
    """
    if not len(values):
        raise StatisticsError(
            "the mean of 0 scores does not exist; at least 1 scored example is needed"
        )
    if not all(map(math.isfinite, values)):
        raise StatisticsError("a score is not a finite number; leave failed examples out first")
    if clusters is None:
        return [float(value) for value in values], [1] * len(values)
    if len(clusters) != len(values):
        raise StatisticsError(
            f"{len(values)} scores and {len(clusters)} cluster names do not match"
        )
    if len({*clusters}) == len(clusters):
        return [float(value) for value in values], [1] * len(values)
    members: dict[Hashable, list[float]] = {}
    for value, cluster in zip(values, clusters, strict=True):
        members.setdefault(cluster, []).append(float(value))
    return [math.fsum(group) for group in members.values()], [len(g) for g in members.values()]


def moments(
    values: Sequence[float],
    clusters: Sequence[Hashable] | None = None,
    *,
    pseudo: Sequence[float] = (),
) -> Moments:
    """The mean over items with its clustered variance, on one less degree of freedom than clusters.

    Every item weighs the same, so the value is the plain mean that anyone can recompute. A pseudo
    cluster has the mean size of the real ones, and every item in it has the value given. Sums are
    `math.fsum`, so that the order of the items changes no bit.

    Source: Miller (2024), arXiv:2411.00640, for the clustered variance (with the factor C/(C-1)).
    """
    sums, sizes = cluster_sums(values, clusters)
    n, count = len(values), len(sums)
    value = math.fsum(values) / n
    size = n / count
    totals = [*sums, *(size * extra for extra in pseudo)]
    weights = [*map(float, sizes), *([size] * len(pseudo))]
    weight = math.fsum(weights)
    centre = math.fsum(totals) / weight
    c = len(totals)
    if c == 1:
        return Moments(value, centre, math.inf, 0, n, count, 0)
    spread = math.fsum((t - w * centre) ** 2 for t, w in zip(totals, weights, strict=True))
    variance = c / (c - 1) * spread / weight**2
    return Moments(value, centre, variance, c - 1, n, count, len(pseudo))


def mean(
    values: Sequence[float],
    clusters: Sequence[Hashable] | None = None,
    *,
    level: float = 0.95,
    bounds: tuple[float, float] = SCORE_RANGE,
    pseudo: Sequence[float] = SCORE_PSEUDO,
) -> Estimate:
    """The mean with a t interval on clusters, cut at `bounds`.

    Without pseudo-clusters one cluster alone says nothing about spread: the interval is then all of
    `bounds`, and its method says so. For differences pass `DROP_RANGE` and `DROP_PSEUDO`.
    """
    return interval(moments(values, clusters, pseudo=pseudo), level=level, bounds=bounds)


def interval(
    figure: Moments, *, level: float = 0.95, bounds: tuple[float, float] = SCORE_RANGE
) -> Estimate:
    """The t interval of a mean whose moments are known."""
    check_level(level)
    if figure.df < 1:
        return Estimate(
            figure.value, *bounds, figure.n, level, "whole range: one cluster has no spread"
        )
    unit = "clustered t" if figure.clusters < figure.n else "t"
    kind = "cluster" if figure.clusters < figure.n else "example"
    method = f"{unit} with {figure.pseudo} pseudo-{kind}s" if figure.pseudo else unit
    half = t_quantile(figure.df, level) * math.sqrt(figure.variance)
    return bounded(figure.value, figure.centre, half, figure.n, level, method, bounds)


def t_quantile(df: float, level: float) -> float:
    """t such that Student's t on `df` lies within plus and minus t with probability `level`."""
    from scipy.special import stdtrit

    return float(-stdtrit(df, (1 - level) / 2))


def t_test(centre: float, variance: float, df: float) -> float:
    """Two-sided p of a mean against 0; 1 when it has no spread and lies at 0."""
    from scipy.special import stdtr

    if df <= 0 or math.isinf(variance):
        return 1.0
    if variance == 0:
        return 1.0 if centre == 0 else 0.0
    return min(1.0, 2 * float(stdtr(df, -abs(centre) / math.sqrt(variance))))
