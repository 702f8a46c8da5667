"""Tests for paired scores: exact McNemar, and the sign-flip permutation test for anything else."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from hashlib import shake_256

from robust_eval.errors import StatisticsError
from robust_eval.rng import digest
from robust_eval.stats.means import cluster_sums

DRAWS = 19_999  # Monte-Carlo sign flips: with the observed one, p is a multiple of 1/20,000
EXACT_WORK = 200_000_000  # additions that the exact distribution may take: about half a second
LATTICE = 720  # largest common denominator looked for; averages over up to 6 sets and clusters fit
ZERO = 1e-12  # a cluster sum below this is rounding: 1/3 + 1/3 - 2/3
TIE = 1e-9  # relative: sums closer than this are equal, their difference is rounding


def mcnemar(lost: int, gained: int, *, mid: bool = False) -> float:
    """Two-sided p of McNemar's exact test, from the discordant pairs alone; 1 when there is none.

    With `mid` half of the observed outcome's probability is left out: less conservative, and no
    longer guaranteed to keep the level. Source: McNemar (1947), doi:10.1007/BF02295996; mid-p:
    Fagerland et al. (2013), doi:10.1186/1471-2288-13-91.
    """
    from scipy.stats import binom

    if lost < 0 or gained < 0:
        raise StatisticsError(f"{min(lost, gained)} discordant pairs is not a count")
    n, fewer = lost + gained, min(lost, gained)
    if n == 0:
        return 1.0
    p = 1.0 if lost == gained else 2 * float(binom.cdf(fewer, n, 0.5))
    if mid:
        observed = float(binom.pmf(fewer, n, 0.5))
        # The observed outcome stands in both tails unless both counts are equal: then there is one.
        p -= observed / 2 if lost == gained else observed
    return min(1.0, p)


@dataclass(frozen=True, slots=True)
class Permutation:
    """A sign-flip test's p, and whether it is exact or from `draws` random flips."""

    p: float
    exact: bool
    clusters: int

    @property
    def test(self) -> str:
        return (
            "sign-flip permutation, exact"
            if self.exact
            else f"sign-flip permutation, {DRAWS} draws"
        )


def sign_flip(
    differences: Sequence[float],
    clusters: Sequence[Hashable] | None = None,
    *,
    work: int = EXACT_WORK,
) -> Permutation:
    """Two-sided p of "differences are as likely one way as the other", flipping whole clusters.

    When all cluster sums are multiples of one fraction, as they are for right and wrong, the whole
    distribution over all 2^C flips is computed: no draw, no seed. For unclustered -1, 0 and 1 this
    is exact McNemar. Otherwise `DRAWS` flips are drawn, the observed one is counted among them
    (Phipson & Smyth 2010, doi:10.2202/1544-6115.1585), and the bits come from SHAKE-256 over a
    fixed key, so they are the same on every machine. `work` bounds the exact way's additions.

    The order of items and the sign of all differences change no bit: only the sorted absolute sums
    and the size of their total enter.
    """
    sums, _ = cluster_sums(differences, clusters)
    observed = abs(math.fsum(sums))
    sizes = sorted((abs(total) for total in sums if abs(total) > ZERO), reverse=True)
    if not sizes:
        return Permutation(1.0, True, len(sums))
    steps = _lattice(sizes)
    if steps is not None and len(steps) * (sum(steps) + 1) <= work:
        unit = sizes[0] / steps[0]
        return Permutation(_exact(steps, round(observed / unit)), True, len(sums))
    if len(sizes) <= 16:
        return Permutation(_enumerated(sizes, observed), True, len(sums))
    return Permutation(_drawn(sizes, observed), False, len(sums))


def _lattice(sizes: Sequence[float]) -> list[int] | None:
    """The sizes as integers over one common denominator up to `LATTICE`, or None."""
    import numpy as np

    values = np.unique(np.asarray(sizes))
    for denominator in range(1, LATTICE + 1):
        scaled = values * denominator
        if np.all(np.abs(scaled - np.rint(scaled)) <= TIE * scaled):
            return [round(size * denominator) for size in sizes]
    return None


def _exact(steps: Sequence[int], observed: int) -> float:
    """P(|sum of randomly signed steps| >= observed), by adding one step after the other.

    chance[t] is the probability that the steps given a plus sum to t. Elementwise additions only:
    no reduction whose order a processor could choose.
    """
    import numpy as np

    total = sum(steps)
    chance = np.zeros(total + 1)
    chance[0] = 1.0
    reach = 0
    for step in steps:
        reach += step
        moved = chance[: reach - step + 1] / 2
        chance[: reach - step + 1] = moved
        chance[step : reach + 1] += moved
    # The signed sum is 2t - total; by symmetry one tail is enough, except when it holds everything.
    if observed == 0:
        return 1.0
    tail = math.fsum(chance[(total + observed + 1) // 2 :].tolist())
    return min(1.0, 2 * tail)


def _enumerated(sizes: Sequence[float], observed: float) -> float:
    """The same over all flips of up to 16 clusters whose sums share no denominator."""
    import numpy as np

    sums = np.zeros(1)
    for size in sizes:
        sums = np.concatenate((sums - size, sums + size))
    return float(np.count_nonzero(np.abs(sums) >= observed - TIE * math.fsum(sizes)) / len(sums))


def _drawn(sizes: Sequence[float], observed: float) -> float:
    """(1 + flips at least as extreme) / (1 + draws)."""
    import numpy as np

    values = np.asarray(sizes)
    limit = observed - TIE * math.fsum(sizes)
    row = (len(sizes) + 7) // 8
    bits = shake_256(digest("sign-flip", len(sizes))).digest(row * DRAWS)
    packed = np.frombuffer(bits, dtype=np.uint8).reshape(DRAWS, row)
    extreme = 0
    block = max(1, 4_000_000 // len(sizes))  # rows at a time: 32 MB of signs
    for start in range(0, DRAWS, block):
        signs = np.unpackbits(packed[start : start + block], axis=1, count=len(sizes))
        extreme += int(np.count_nonzero(np.abs((signs * 2.0 - 1.0) @ values) >= limit))
    return (1 + extreme) / (1 + DRAWS)
