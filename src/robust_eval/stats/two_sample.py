"""Differences between two independent groups of items: an ID set and an unpaired shifted set."""

from __future__ import annotations

import math

from robust_eval.records import Estimate
from robust_eval.stats.intervals import bounded, check_count, check_level
from robust_eval.stats.means import DROP_RANGE, Moments, t_quantile, t_test


def welch(
    first: Moments,
    second: Moments,
    *,
    level: float = 0.95,
    bounds: tuple[float, float] = DROP_RANGE,
) -> tuple[Estimate, float]:
    """First mean minus second mean with its interval, and the two-sided p of the same statistic.

    The two standard errors add in squares; the degrees of freedom are Welch and Satterthwaite's.
    Because p and interval come from one statistic, p < 1 - level exactly when the uncut interval
    leaves 0 out. A group of a single cluster without pseudo-clusters gives all of `bounds` and 1.

    Source: Welch (1947), Biometrika 34, doi:10.1093/biomet/34.1-2.28.
    """
    check_level(level)
    value = first.value - second.value
    n = first.n + second.n
    if math.isinf(first.variance + second.variance):
        method = "whole range: one cluster has no spread"
        return Estimate(value, *bounds, n, level, method), 1.0
    variance = first.variance + second.variance
    df = degrees_of_freedom(first, second)
    centre = first.centre - second.centre
    half = t_quantile(df, level) * math.sqrt(variance)
    clustered = first.clusters < first.n or second.clusters < second.n
    method = "clustered Welch t" if clustered else "Welch t"
    if first.pseudo or second.pseudo:
        method += f" with {first.pseudo} pseudo-{'cluster' if clustered else 'example'}s a group"
    return (
        bounded(value, centre, half, n, level, method, bounds),
        t_test(centre, variance, df),
    )


def degrees_of_freedom(first: Moments, second: Moments) -> float:
    """Welch and Satterthwaite's; the smaller group's when neither has any spread."""
    total = first.variance + second.variance
    if total == 0:
        return float(min(first.df, second.df))
    share = first.variance / total  # shares, because squares of tiny variances underflow
    return 1 / (share**2 / first.df + (1 - share) ** 2 / second.df)


def fisher(successes: int, n: int, other_successes: int, other_n: int) -> float:
    """Two-sided p of Fisher's exact test for two independent proportions; conservative, never liberal."""
    import numpy as np
    from scipy.stats import fisher_exact

    check_count(successes, n)
    check_count(other_successes, other_n)
    table = np.array([[successes, n - successes], [other_successes, other_n - other_successes]])
    return min(1.0, float(fisher_exact(table).pvalue))
