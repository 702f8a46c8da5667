"""Variance components: an interval over examples, widened by seeds and by draws of demonstrations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from scipy import stats

from robust_eval.errors import StatisticsError
from robust_eval.records import Estimate


@dataclass(frozen=True, slots=True)
class Spread:
    """How a figure varies over the members of one group: its value for each of them."""

    source: str
    values: tuple[float, ...]

    @property
    def variance(self) -> float:
        """Of the members' mean: their sample variance over their number. Raises StatisticsError under 2."""
        if len(self.values) < 2:
            raise StatisticsError(f"{self.source}: one member has no spread; give at least 2")
        mean = math.fsum(self.values) / len(self.values)
        squares = math.fsum((v - mean) ** 2 for v in self.values)
        return squares / (len(self.values) - 1) / len(self.values)


def added(parts: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """The sum of squared standard errors, each with its degrees of freedom, and its own degrees of freedom.

    Source: Satterthwaite (1946), Biometrics Bulletin 2(6), doi:10.2307/3002019.
    """
    total = math.fsum(variance for variance, _ in parts)
    if total <= 0:
        return 0.0, max(df for _, df in parts)
    return total, total**2 / math.fsum(variance**2 / df for variance, df in parts)


@dataclass(frozen=True, slots=True)
class Widened:
    estimate: Estimate
    p: float  # two-sided, of the value being 0
    over_examples: float  # squared standard error that examples alone give


def widened(
    estimate: Estimate, spreads: Sequence[Spread], clusters: int, *, bounds: tuple[float, float]
) -> Widened:
    """The same figure with an interval that holds for other members too, and its t test.

    The squared standard errors of examples (read off the interval's width) and of every group of members
    are added. That counts what examples and members have in common twice, so it errs to the wide side. The
    degrees of freedom are Satterthwaite's (1946): with 3 seeds and nothing but seeds they are 2.
    """
    half = (estimate.high - estimate.low) / 2
    df_examples = max(1, clusters - 1)
    error = half / float(stats.t.ppf((1 + estimate.level) / 2, df_examples))
    parts = [(error**2, df_examples), *((s.variance, len(s.values) - 1) for s in spreads)]
    total, df = added(parts)
    if total <= 0:
        return Widened(estimate, 1.0 if estimate.value == 0 else 0.0, 0.0)
    reach = float(stats.t.ppf((1 + estimate.level) / 2, df)) * math.sqrt(total)
    # Wider on each side by the same factor: an interval that leans keeps its lean.
    factor = max(1.0, reach / half) if half else math.inf
    low, high = bounds
    p = 2 * float(stats.t.sf(abs(estimate.value) / math.sqrt(total), df))
    names = " and ".join(dict.fromkeys(s.source.partition(" ")[0] for s in spreads))
    wide = replace(
        estimate,
        low=max(low, _out(estimate.value, estimate.low, factor, -reach)),
        high=min(high, _out(estimate.value, estimate.high, factor, reach)),
        method=f"{estimate.method}, widened by {names}",
    )
    return Widened(wide, min(1.0, p), error**2)


def _out(value: float, bound: float, factor: float, reach: float) -> float:
    return value + reach if math.isinf(factor) else value + (bound - value) * factor
