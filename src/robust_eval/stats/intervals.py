"""Score-type intervals for counts: one proportion, two independent ones, two paired ones."""

from __future__ import annotations

import math

from robust_eval.errors import StatisticsError
from robust_eval.records import Estimate

WILSON = "Wilson score"
NEWCOMBE = "Newcombe hybrid score"
BONETT_PRICE = "Bonett-Price adjusted Wald"


def wilson(successes: int, n: int, *, level: float = 0.95) -> Estimate:
    """A proportion with Wilson's score interval; one item still gives an interval inside [0, 1].

    Source: Wilson (1927), JASA 22(158), doi:10.1080/01621459.1927.10502953.
    """
    check_count(successes, n)
    z = normal_quantile(level)
    share = successes / n
    scale = 1 + z * z / n
    centre = (share + z * z / (2 * n)) / scale
    half = z / scale * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    # The bounds at 0 and n successes are 0 and 1 exactly; rounding must not lift them off.
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == n else min(1.0, centre + half)
    return Estimate(share, low, high, n, level, WILSON)


def newcombe(
    successes: int, n: int, other_successes: int, other_n: int, *, level: float = 0.95
) -> Estimate:
    """First minus second of two independent proportions, with Newcombe's hybrid score interval.

    `n` of the estimate is the sum of both. Source: Newcombe (1998), method 10, Statistics in
    Medicine 17, doi:10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I.
    """
    first = wilson(successes, n, level=level)
    second = wilson(other_successes, other_n, level=level)
    difference = first.value - second.value
    low = difference - math.hypot(first.value - first.low, second.high - second.value)
    high = difference + math.hypot(first.high - first.value, second.value - second.low)
    return Estimate(difference, max(-1.0, low), min(1.0, high), n + other_n, level, NEWCOMBE)


def bonett_price(lost: int, gained: int, n: int, *, level: float = 0.95) -> Estimate:
    """The drop between two paired proportions: (lost - gained) / n, with an adjusted Wald interval.

    `lost` items are right first and wrong second, `gained` the reverse, among `n` pairs. One pair
    of each kind is added before the variance is taken, so the interval keeps a width when nothing
    flips. Source: Bonett & Price (2012), J. Educ. Behav. Stat. 37(4),
    doi:10.3102/1076998611411915.
    """
    check_count(lost + gained, n)
    check_count(min(lost, gained), n)
    z = normal_quantile(level)
    down, up = (lost + 1) / (n + 2), (gained + 1) / (n + 2)
    half = z * math.sqrt((down + up - (down - up) ** 2) / (n + 2))
    return bounded((lost - gained) / n, down - up, half, n, level, BONETT_PRICE, (-1.0, 1.0))


def bounded(
    value: float,
    centre: float,
    half: float,
    n: int,
    level: float,
    method: str,
    bounds: tuple[float, float],
) -> Estimate:
    """`centre` plus and minus `half`, cut at the values the parameter can have.

    Cutting is sound because no parameter lies outside. `centre` is shrunk towards 0 where pseudo
    items were added and `value` is not; the interval is stretched to hold `value`, which matters
    at levels far below 0.95 only and never makes the interval narrower.
    """
    low = max(bounds[0], min(value, centre - half))
    high = min(bounds[1], max(value, centre + half))
    return Estimate(value, low, high, n, level, method)


def normal_quantile(level: float) -> float:
    """z such that a standard normal lies within plus and minus z with probability `level`."""
    from scipy.special import ndtri

    check_level(level)
    return float(-ndtri((1 - level) / 2))


def check_level(level: float) -> None:
    """Raises StatisticsError unless 0 < level < 1, so that 95 is not read as 95%."""
    if not 0 < level < 1:
        raise StatisticsError(
            f"the level of an interval lies between 0 and 1, not {level}; 0.95 is usual"
        )


def check_count(count: int, n: int) -> None:
    """Raises StatisticsError when there is no item, or not 0 <= count <= n."""
    if n < 1:
        raise StatisticsError(
            "a share of 0 items does not exist; at least 1 scored example is needed"
        )
    if not 0 <= count <= n:
        raise StatisticsError(f"{count} of {n} items is not a count")
