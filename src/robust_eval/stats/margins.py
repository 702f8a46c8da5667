"""Tests of a figure against a limit, one side at a time: is it within, is it beyond?

Both answers come with their own one-sided p, and with the two one-sided bounds that go with them. Counts of
right and wrong have exact tails; means have t tails with a pseudo-cluster on the guarded side.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from robust_eval.records import Estimate
from robust_eval.stats import means
from robust_eval.stats.components import Spread, added
from robust_eval.stats.intervals import check_count, check_level
from robust_eval.stats.two_sample import degrees_of_freedom

GUARD = 1.25  # value of the pseudo-cluster; makes the bound of 0 events in n items about 3.3/n
TAIL = 12.0  # standard deviations that a sum over binomial counts goes from the mean
STEPS = 40  # of bisection: bounds to 1e-12


@dataclass(frozen=True, slots=True)
class Margin:
    """A figure beside its limit.

    `p_within` is the p against "at the limit or over it": small when the figure is within. `p_beyond`
    is that against "at the limit or under it". `bounds` holds the value and its two bounds, each
    one-sided at its level: `high < limit` says the same as `p_within < 1 - level`.
    `error` is the standard error that examples give it, for planning; `spread` is the squared error that seeds and
    draws add, which more examples do not lessen.
    """

    bounds: Estimate
    p_within: float
    p_beyond: float
    error: float
    clusters: int
    spread: float = 0.0


def paired_counts(lost: int, gained: int, n: int, limit: float, *, level: float = 0.95) -> Margin:
    """The drop between two paired proportions against a limit, from the exact distribution of it.

    The tail of `lost - gained` is summed over every outcome of n pairs at the limit, with the other
    parameter at its restricted maximum likelihood: an "estimated" exact p. Where nothing
    flips it is the binomial bound (0 of n pairs: about 3/n); its level was checked by enumeration.
    Source: Lloyd (2008), Austral. N. Z. J. Statist. 50, doi:10.1111/j.1467-842X.2008.00524.x;
    the restricted estimate: Tango (1998), Statist. Med. 17, 891.
    """
    check_level(level)
    check_count(lost + gained, n)
    check_count(min(lost, gained), n)

    def within(margin: float) -> float:
        return difference_tail(lost - gained, n, *restricted_pairs(lost, gained, n, margin))

    def beyond(margin: float) -> float:
        return difference_tail(gained - lost, n, *restricted_pairs(gained, lost, n, -margin))

    value = (lost - gained) / n
    low, high = inverted(value, within, beyond, level)
    down, up = (lost + 1) / (n + 2), (gained + 1) / (n + 2)
    error = math.sqrt((down + up - (down - up) ** 2) / (n + 2))
    bounds = Estimate(value, low, high, n, level, "exact one-sided, paired")
    return Margin(bounds, within(limit), beyond(limit), error, n)


def two_counts(
    successes: int, n: int, other: int, other_n: int, limit: float, *, level: float = 0.95
) -> Margin:
    """First minus second of two independent proportions against a limit, in the same exact way.

    Source of the restricted estimate: Farrington & Manning (1990), Statist. Med. 9, 1447.
    """
    check_level(level)
    check_count(successes, n)
    check_count(other, other_n)
    value = successes / n - other / other_n

    def within(margin: float) -> float:
        first, second = restricted_groups(successes, n, other, other_n, margin)
        return groups_tail(value, n, other_n, first, second)

    def beyond(margin: float) -> float:
        second, first = restricted_groups(other, other_n, successes, n, -margin)
        return groups_tail(-value, other_n, n, second, first)

    low, high = inverted(value, within, beyond, level)
    shares = ((successes + 1) / (n + 2), n), ((other + 1) / (other_n + 2), other_n)
    error = math.sqrt(sum(p * (1 - p) / (size + 2) for p, size in shares))
    bounds = Estimate(value, low, high, n + other_n, level, "exact one-sided, two groups")
    return Margin(bounds, within(limit), beyond(limit), error, n + other_n)


def mean(
    values: Sequence[float],
    clusters: Sequence[Hashable],
    limit: float,
    *,
    level: float = 0.95,
    bounds: tuple[float, float] = means.DROP_RANGE,
    spreads: Sequence[Spread] = (),
) -> Margin:
    """A mean of differences against a limit: clustered t, one pseudo-cluster on the guarded side.

    The upper bound counts one more cluster at +1.25, the lower one at -1.25: so that neither collapses
    when nothing differs. 1.25 is what brings a count of rare events to its exact (Poisson) bound.
    `spreads` say how the mean varies over seeds or draws: then the bounds hold for others of them too.
    """
    upper = means.moments(values, clusters, pseudo=(GUARD,))
    lower = means.moments(values, clusters, pseudo=(-GUARD,))
    method = "one-sided clustered t" if upper.clusters < upper.n else "one-sided t"
    return _t_margin(
        upper.value,
        (upper.centre, math.sqrt(upper.variance), upper.df),
        (lower.centre, math.sqrt(lower.variance), lower.df),
        (upper.n, upper.clusters),
        limit,
        level,
        bounds,
        method,
        spreads,
    )


def two_means(
    first: Sequence[float],
    first_clusters: Sequence[Hashable],
    second: Sequence[float],
    second_clusters: Sequence[Hashable],
    limit: float,
    *,
    level: float = 0.95,
    bounds: tuple[float, float] = means.DROP_RANGE,
    spreads: Sequence[Spread] = (),
) -> Margin:
    """Mean of first minus mean of second, on different items, against a limit: Welch t.

    Each group has one pseudo-cluster at 1.25 away from the other group's, on the guarded side. `spreads` as above.
    """
    value = math.fsum(first) / len(first) - math.fsum(second) / len(second)
    sides = []
    for guard in (GUARD, -GUARD):
        one = means.moments(first, first_clusters, pseudo=(guard,))
        other = means.moments(second, second_clusters, pseudo=(-guard,))
        error = math.sqrt(one.variance + other.variance)
        sides.append((one.centre - other.centre, error, degrees_of_freedom(one, other)))
    counts = (len(first) + len(second), one.clusters + other.clusters)
    method = "one-sided Welch t"
    return _t_margin(value, sides[0], sides[1], counts, limit, level, bounds, method, spreads)


Side = tuple[float, float, float]  # centre, standard error, degrees of freedom


def _t_margin(
    value: float,
    upper: Side,
    lower: Side,
    counts: tuple[int, int],
    limit: float,
    level: float,
    bounds: tuple[float, float],
    method: str,
    spreads: Sequence[Spread],
) -> Margin:
    from scipy.special import stdtr, stdtrit

    check_level(level)
    of_examples = upper[1]
    upper, lower = (_wide(side, spreads) for side in (upper, lower))
    if spreads:
        names = " and ".join(dict.fromkeys(s.source.partition(" ")[0] for s in spreads))
        method = f"{method}, widened by {names}"
    high = upper[0] + float(stdtrit(upper[2], level)) * upper[1]
    low = lower[0] - float(stdtrit(lower[2], level)) * lower[1]
    estimate = Estimate(
        value,
        max(bounds[0], min(value, low)),
        min(bounds[1], max(value, high)),
        counts[0],
        level,
        method,
    )
    return Margin(
        estimate,
        float(stdtr(upper[2], (upper[0] - limit) / upper[1])),
        float(stdtr(lower[2], (limit - lower[0]) / lower[1])),
        of_examples,
        counts[1],
        math.fsum(s.variance for s in spreads),
    )


def _wide(side: Side, spreads: Sequence[Spread]) -> Side:
    """The side with the squared errors of seeds and draws added to that of examples."""
    centre, error, df = side
    parts = [(error**2, df), *((s.variance, float(len(s.values) - 1)) for s in spreads)]
    total, together = added(parts)
    return (centre, math.sqrt(total), together) if spreads else side


def inverted(
    value: float, within: Callable[[float], float], beyond: Callable[[float], float], level: float
) -> tuple[float, float]:
    """The bounds at which the two tests turn, by bisection between the value and the range's end."""
    alpha = 1 - level

    def edge(test: Callable[[float], float], end: float) -> float:
        if test(end) > alpha:
            return end
        inside, outside = value, end
        for _ in range(STEPS):
            middle = (inside + outside) / 2
            if test(middle) > alpha:
                inside = middle
            else:
                outside = middle
        return outside

    return edge(beyond, -1.0), edge(within, 1.0)


def restricted_pairs(lost: int, gained: int, n: int, margin: float) -> tuple[float, float]:
    """The likeliest (P(lost), P(gained)) among those whose difference is the margin."""
    if margin < 0:
        return restricted_pairs(gained, lost, n, -margin)[::-1]
    same = n - lost - gained
    b = (lost + gained) * (1 - margin) - 2 * gained * margin - 2 * same * margin
    c = gained * margin * (1 - margin)
    root = (b + math.sqrt(max(0.0, b * b + 8 * n * c))) / (4 * n)
    other = min(max(root, 0.0), (1 - margin) / 2)
    return other + margin, other


def difference_tail(observed: int, n: int, lost: float, gained: float) -> float:
    """P(lost - gained <= observed) among n pairs."""
    import numpy as np
    from scipy.special import bdtr
    from scipy.stats import binom

    moved = min(1.0, lost + gained)
    if moved <= 0:
        return float(observed >= 0)
    counts = np.arange(*_window(n, moved))
    # `lost` of m moved pairs gives 2 lost - m, which is at most `observed` for lost <= limit.
    limit = np.floor((observed + counts) / 2)
    inside = bdtr(np.clip(limit, 0, counts), counts, min(1.0, lost / moved))
    share = np.where(limit < 0, 0.0, np.where(limit >= counts, 1.0, inside))
    return min(1.0, math.fsum((binom.pmf(counts, n, moved) * share).tolist()))


def restricted_groups(
    successes: int, n: int, other: int, other_n: int, margin: float
) -> tuple[float, float]:
    """The likeliest two proportions among those whose difference is the margin, by bisection.

    The log-likelihood is concave in the second proportion, so its slope has one zero.
    """
    low, high = max(0.0, -margin), min(1.0, 1.0 - margin)

    def slope(second: float) -> float:
        first = second + margin
        tiny = 1e-300
        return (
            successes / max(first, tiny)
            - (n - successes) / max(1 - first, tiny)
            + other / max(second, tiny)
            - (other_n - other) / max(1 - second, tiny)
        )

    for _ in range(60):
        middle = (low + high) / 2
        if slope(middle) > 0:
            low = middle
        else:
            high = middle
    second = (low + high) / 2
    return min(1.0, max(0.0, second + margin)), second


def groups_tail(observed: float, n: int, other_n: int, first: float, second: float) -> float:
    """P(x/n - y/m <= observed) for independent binomial x and y."""
    import numpy as np
    from scipy.special import bdtrc
    from scipy.stats import binom

    counts = np.arange(*_window(n, first))
    # x/n - y/m <= observed for y >= m (x/n - observed); rounding must not lose an equal one.
    least = np.ceil(other_n * (counts / n - observed) - 1e-9)
    inside = bdtrc(np.clip(least - 1, 0, other_n), other_n, second)
    share = np.where(least <= 0, 1.0, np.where(least > other_n, 0.0, inside))
    return min(1.0, math.fsum((binom.pmf(counts, n, first) * share).tolist()))


def _window(n: int, share: float) -> tuple[int, int]:
    """The counts whose probability matters, as a half-open range."""
    middle, spread = n * share, TAIL * math.sqrt(n * share * (1 - share)) + TAIL
    return max(0, math.floor(middle - spread)), min(n, math.ceil(middle + spread)) + 1
