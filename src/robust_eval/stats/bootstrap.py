"""Cluster bootstrap with BCa intervals, for figures that are not means: ratios, areas, calibration errors.

Draws, sums and so intervals are the same bits on every machine: random words come from PCG64's raw stream, and
scores are rounded to multiples of 2^-20, whose sums are exact in double precision in any order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from robust_eval.errors import StatisticsError
from robust_eval.records import Estimate
from robust_eval.rng import digest
from robust_eval.stats.intervals import check_level

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array: TypeAlias = "NDArray[np.float64]"

DRAWS = 10_000
GRID = 2.0**20  # scores are multiples of one over this
BLOCK = 16_000_000  # numbers in memory at a time: 128 MB

Statistic = Callable[["Array"], "Array"]
"""(m, k) sums over clusters -> (m,) or (m, q) figures; row by row."""


def bootstrap(
    sums: Array,
    statistic: Statistic,
    *,
    n: int,
    level: float = 0.95,
    draws: int = DRAWS,
    key: str = "bootstrap",
) -> list[Estimate]:
    """One estimate for each figure of `statistic`, from resampled clusters, all arms together.

    `sums` has a row for each cluster: the sums (and counts) over its items of everything that the figures
    are made of. `n` is the number of items. The order of the rows changes nothing: they are sorted first.
    Figures of which some resample is not a number are given without an interval: it is all of the line.

    Source: Efron (1987), JASA 82(397), doi:10.1080/01621459.1987.10478410 (BCa); whole clusters: Davison &
    Hinkley (1997), section 3.8.
    """

    check_level(level)
    if sums.ndim != 2 or not len(sums):
        raise StatisticsError("0 clusters cannot be resampled; at least 1 scored example is needed")
    fixed = _fixed(sums)
    values = _rows(statistic, fixed.sum(axis=0, keepdims=True) / GRID)[0]
    drawn = _drawn(fixed, statistic, draws, key)
    without = _rows(statistic, (fixed.sum(axis=0) - fixed) / GRID) if len(fixed) > 1 else drawn[:0]
    return [
        _estimate(float(value), drawn[:, i], without[:, i], n, level)
        for i, value in enumerate(values)
    ]


def resampled(
    tables: Sequence[Array], *, draws: int = DRAWS, key: str = "bootstrap"
) -> list[Array]:
    """(draws, k) sums over resampled clusters for each table of sums, in their order.

    Tables of as many clusters share their resamples: drawing takes longer than adding up.
    """
    import numpy as np

    alike: dict[int, list[int]] = {}
    for i, sums in enumerate(tables):
        alike.setdefault(len(sums), []).append(i)
    found: dict[int, Array] = {}
    for members in alike.values():
        fixed = [_fixed(tables[i]) for i in members]
        drawn = _drawn(np.hstack(fixed), lambda totals: totals, draws, key)
        ends = np.cumsum([part.shape[1] for part in fixed])[:-1]
        found |= zip(members, np.split(drawn, ends, axis=1), strict=True)
    return [found[i] for i in range(len(tables))]


def _fixed(sums: Array) -> Array:
    """Whole numbers on the grid, in an order that is the rows' own."""
    import numpy as np

    fixed: Array = np.rint(sums * GRID)
    return fixed[np.lexsort(fixed.T[::-1])]


def _drawn(fixed: Array, statistic: Statistic, draws: int, key: str) -> Array:
    import numpy as np

    clusters = len(fixed)
    generator = np.random.PCG64(int.from_bytes(digest(key, clusters, size=16), "big"))
    block = max(1, min(draws, BLOCK // clusters))
    found = []
    for start in range(0, draws, block):
        rows = min(block, draws - start)
        counts = np.empty((rows, clusters))
        for row in range(rows):
            counts[row] = np.bincount(_indices(generator, clusters), minlength=clusters)
        found.append(_rows(statistic, counts @ fixed / GRID))
    return np.concatenate(found)


def _indices(generator: np.random.PCG64, clusters: int) -> NDArray[np.int64]:
    """As many cluster numbers as there are clusters: two from each random word, by multiply and shift."""
    import numpy as np

    words = generator.random_raw((clusters + 1) // 2)
    halves = words.view(np.uint32)[:clusters].astype(np.uint64)
    return ((halves * np.uint64(clusters)) >> np.uint64(32)).astype(np.int64)


def _rows(statistic: Statistic, totals: Array) -> Array:
    import numpy as np

    with np.errstate(divide="ignore", invalid="ignore"):
        found = statistic(totals)
    return found[:, None] if found.ndim == 1 else found


def _estimate(value: float, drawn: Array, without: Array, n: int, level: float) -> Estimate:
    """The BCa interval; the percentile interval where the jackknife has no spread."""
    import numpy as np
    from scipy.special import ndtr, ndtri

    if not math.isfinite(value) or not np.isfinite(drawn).all():
        return Estimate(value, -math.inf, math.inf, n, level, "bootstrap undefined")
    ordered = np.sort(drawn)
    below = np.count_nonzero(drawn < value) + 0.5 * np.count_nonzero(drawn == value)
    bias = float(ndtri(min(max(below / len(drawn), 1e-6), 1 - 1e-6)))
    tilt = _acceleration(without)
    alpha = (1 - level) / 2
    ends = []
    for z in (float(ndtri(alpha)), float(ndtri(1 - alpha))):
        moved = bias + z
        share = float(ndtr(bias + moved / (1 - tilt * moved)))
        ends.append(float(ordered[min(len(ordered) - 1, max(0, math.floor(share * len(ordered))))]))
    low, high = ends
    method = "cluster bootstrap, BCa" if len(without) else "cluster bootstrap"
    return Estimate(value, min(low, value), max(high, value), n, level, method)


def _acceleration(without: Array) -> float:
    import numpy as np

    if len(without) < 2 or not np.isfinite(without).all():
        return 0.0
    away = without.mean() - without
    square = float((away**2).sum())
    return float((away**3).sum()) / (6 * square**1.5) if square > 0 else 0.0
