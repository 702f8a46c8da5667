"""A relative drop with an interval that needs no division by a small clean score."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence

from robust_eval.records import Estimate
from robust_eval.stats import means
from robust_eval.stats.intervals import check_level
from robust_eval.stats.robustness import relative_drop

STEPS = 50  # of bisection


def relative_drop_estimate(
    clean: Sequence[float],
    shifted: Sequence[float],
    clusters: Sequence[Hashable],
    *,
    chance: float,
    level: float = 0.95,
) -> Estimate:
    """1 - sum(shifted) / sum(clean) of the same items, with Fieller's interval on clusters.

    The interval holds every share r at which the mean of (1 - r) clean - shifted is not told from 0, one
    pseudo-cluster a side counted, searched in [-1, 1]. Raises StatisticsError at or below chance.
    Source: Fieller (1954), JRSS B 16(2), for the ratio; PromptBench (arXiv:2306.04528) for the figure.
    """
    check_level(level)
    value = relative_drop(clean, shifted, chance=chance)

    # T = (1 - r) C - S of each cluster: its mean and spread are quadratic in r, so sums are taken once.
    kept, sizes = means.cluster_sums(clean, clusters)
    lost, _ = means.cluster_sums(shifted, clusters)
    size = len(clean) / len(kept)
    weight = len(clean) + 2 * size  # with one pseudo-cluster at -1 and one at +1
    before, after = math.fsum(kept) / weight, math.fsum(lost) / weight
    c = [k - w * before for k, w in zip(kept, sizes, strict=True)] + [-size * before] * 2
    s = [x - w * after for x, w in zip(lost, sizes, strict=True)] + [-size * after] * 2
    cc, ss = math.fsum(x * x for x in c), math.fsum(x * x for x in s)
    cs = math.fsum(x * y for x, y in zip(c, s, strict=True))
    count = len(c)
    quantile = means.t_quantile(count - 1, level)

    def edge(share: float) -> tuple[float, float]:
        u = 1 - share
        spread = u * u * cc - 2 * u * cs + ss + 2 * size * size
        half = quantile * math.sqrt(count / (count - 1) * spread) / weight
        centre = u * before - after
        return centre - half, centre + half

    middle = max(-1.0, min(1.0, value))
    low = _turn(lambda share: edge(share)[0] <= 0, middle, -1.0)
    high = _turn(lambda share: edge(share)[1] >= 0, middle, 1.0)
    unit = "clustered " if len(set(clusters)) < len(clusters) else ""
    return Estimate(value, min(low, value), high, len(clean), level, f"{unit}Fieller t")


def _turn(holds: Callable[[float], bool], inside: float, end: float) -> float:
    """Where `holds` turns false between a point where it is true and the end."""
    if holds(end):
        return end
    for _ in range(STEPS):
        middle = (inside + end) / 2
        if holds(middle):
            inside = middle
        else:
            end = middle
    return end
