"""How many items a question needs."""

from __future__ import annotations

import math

from robust_eval.errors import StatisticsError
from robust_eval.stats.intervals import check_level, normal_quantile


def pairs_needed(
    variance: float, difference: float, *, level: float = 0.95, power: float = 0.8
) -> int:
    """The number of independent items at which a paired mean of `difference` is found with `power`.

    `variance` is that of one item's difference. Normal approximation: a plan, not a promise.
    """
    from scipy.special import ndtri

    check_level(power)
    if difference == 0:
        raise StatisticsError(
            "no number of examples finds a difference of 0; name one that matters"
        )
    if not (variance >= 0 and math.isfinite(variance)):
        raise StatisticsError(f"a variance is a finite number from 0 on, not {variance}")
    z = normal_quantile(level) + float(ndtri(power))
    return max(2, math.ceil(z * z * variance / difference**2))


def detectable_drop(
    pairs: int, *, discordant: float = 0.1, level: float = 0.95, power: float = 0.8
) -> float:
    """The smallest paired drop that `pairs` items find with `power`, if `discordant` of them flip.

    The variance of one item's difference is the discordant share less the drop squared, so the drop solves
    d^2 n = z^2 (discordant - d^2); it is at least what a share of `discordant` allows.
    """
    from scipy.special import ndtri

    check_level(power)
    if pairs < 1:
        raise StatisticsError("0 pairs detect nothing; at least 1 is needed")
    if not 0 < discordant <= 1:
        raise StatisticsError(f"a discordant share lies above 0 and up to 1, not {discordant}")
    z = normal_quantile(level) + float(ndtri(power))
    return min(1.0, z * math.sqrt(discordant / (pairs + z * z)))
