"""Accuracy on the line: scores under a shift against clean ones, on the probit scale, over many models.

Shares become probits, the quantiles of the standard normal; there the scores of models that differ in size and
training lie on one line more often than not. A model off that line has robustness that its clean score does not explain.

Source: Miller et al. (2021), arXiv:2107.04649, for the line; Taori et al. (2020), arXiv:2007.00644, for effective
robustness. The intervals are ours: the ordinary prediction interval of a regression, with the model's own error added.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from robust_eval.errors import StatisticsError
from robust_eval.records import Estimate
from robust_eval.stats.intervals import check_level
from robust_eval.stats.means import Moments, t_quantile

FEWEST = 8  # models, under which no line is fitted: six degrees of freedom are left then
LEAST_R2 = 0.5  # under it, clean scores explain less than half of what differs between the models
METHOD = "probit line, t"


@dataclass(frozen=True, slots=True)
class Line:
    """probit(shifted) = slope * probit(clean) + intercept, by least squares, and what its intervals need."""

    slope: float
    intercept: float
    r2: float
    scatter: float  # standard deviation of the models about the line, probits
    n: int
    centre: float  # mean probit of the clean scores
    spread: float  # their squared deviations from it, summed

    def at(self, x: float) -> float:
        return self.slope * x + self.intercept

    def fit_variance(self, x: float) -> float:
        """Squared standard error of the line's height at x."""
        return self.scatter**2 * (1 / self.n + (x - self.centre) ** 2 / self.spread)


@dataclass(frozen=True, slots=True)
class OffLine:
    """How far a model's shifted score is from the line, as a difference of scores, and what the interval is made of."""

    expected: float  # the score that the line gives at the model's clean score
    effective: Estimate  # shifted minus expected
    own: float  # share of the squared standard error: the model's own sampling error
    scatter: float  # the scatter of models about the line
    fit: float  # the line's own uncertainty


def probit(share: float, n: int | None = None) -> float:
    """The standard normal quantile of a share. 0 and 1, which have none, are moved in by half an item of n.

    Shares between 1/(2n) and 1 - 1/(2n) are left alone; without n, 0 and 1 are an error.
    Source: the rule for empty cells of Macmillan & Kaplan (1985), Psychol. Bull. 98(1), 185-199.
    """
    from scipy.special import ndtri

    if not 0 <= share <= 1:
        raise StatisticsError(f"a score on the probit scale lies between 0 and 1, not {share}")
    if n is not None:
        share = min(max(share, 0.5 / n), 1 - 0.5 / n)
    if share in (0.0, 1.0):
        raise StatisticsError(f"a score of {share:.0f} has no probit; give the number of items too")
    return float(ndtri(share))


def share(value: float) -> float:
    """The share whose probit this is."""
    from scipy.special import ndtr

    return float(ndtr(value))


def fit(clean: Sequence[float], shifted: Sequence[float]) -> Line:
    """The least-squares line through pairs of probits, one a model.

    Raises StatisticsError for fewer than three pairs, and where all clean scores are the same.
    """
    n = len(clean)
    if n != len(shifted) or n < 3:
        raise StatisticsError(f"a line through {n} and {len(shifted)} scores needs three pairs")
    centre, height = math.fsum(clean) / n, math.fsum(shifted) / n
    spread = math.fsum((x - centre) ** 2 for x in clean)
    if spread <= 1e-12:
        raise StatisticsError("all models have the same clean score, so there is no line")
    slope = math.fsum((x - centre) * (y - height) for x, y in zip(clean, shifted, strict=True))
    slope /= spread
    intercept = height - slope * centre
    left = math.fsum((y - slope * x - intercept) ** 2 for x, y in zip(clean, shifted, strict=True))
    total = math.fsum((y - height) ** 2 for y in shifted)
    r2 = 1 - left / total if total > 0 else 0.0
    return Line(slope, intercept, r2, math.sqrt(left / (n - 2)), n, centre, spread)


def band(line: Line, clean: float, *, level: float = 0.95) -> tuple[float, float, float]:
    """The shifted score that the line gives a clean one, and the bounds within which a further model falls.

    `clean` and what comes back are shares. The bounds take in the line's uncertainty and the scatter about it.
    """
    check_level(level)
    x = probit(clean)
    half = t_quantile(line.n - 2, level) * math.sqrt(line.scatter**2 + line.fit_variance(x))
    return share(line.at(x)), share(line.at(x) - half), share(line.at(x) + half)


def off_line(
    line: Line,
    clean: Moments,
    shifted: Moments,
    *,
    between: float = 0.0,
    level: float = 0.95,
) -> OffLine:
    """A further model's effective robustness: its shifted score minus the line's at its clean score.

    On the probit scale the squared standard error is the sum of the scatter of models about the line, the
    line's own uncertainty there, and the model's sampling error of both scores (the delta method; the clean
    one's times the squared slope), with t on n - 2 degrees of freedom. `between` adds the variance that a
    group's members bring. The two scores count as independent: where the same items stand behind both, the interval is wider
    than it need be. The bounds are carried back to scores, so that one of 0 there is one of 0 here.
    """
    check_level(level)
    x, y = probit(clean.value, clean.n), probit(shifted.value, shifted.n)
    own = _variance(shifted, y) + line.slope**2 * _variance(clean, x) + between
    scatter, fitted = line.scatter**2, line.fit_variance(x)
    total = own + scatter + fitted
    residual = y - line.at(x)
    half = t_quantile(line.n - 2, level) * math.sqrt(total)
    expected, reached = share(line.at(x)), share(y)
    effective = Estimate(
        shifted.value - expected,
        reached - share(y - (residual - half)),
        reached - share(y - (residual + half)),
        shifted.n,
        level,
        METHOD,
    )
    return OffLine(expected, effective, own / total, scatter / total, fitted / total)


def _variance(figure: Moments, at: float) -> float:
    """Squared standard error on the probit scale: that of the score over the squared normal density."""
    density = math.exp(-at * at / 2) / math.sqrt(2 * math.pi)
    return figure.variance / density**2
