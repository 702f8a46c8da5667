"""A drop on the examples whose labels survived, from a cheap check of all and human judgements of some."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from scipy import stats

from robust_eval.errors import StatisticsError
from robust_eval.records import Estimate
from robust_eval.stats.intervals import bounded, check_level
from robust_eval.stats.means import DROP_RANGE, SCORE_RANGE, moments

FEWEST = 2  # judgements without which nothing is said
KEPT_AT_LEAST = 0.05  # estimated share of kept labels under which their drop is not estimated


@dataclass(frozen=True, slots=True)
class Corrected:
    kept: Estimate  # share of labels that survived
    drop: Estimate | None  # on those; None when hardly any did


def corrected(
    drops: Sequence[float],
    checks: Sequence[float],
    clusters: Sequence[Hashable],
    judged: Mapping[int, float],
    candidates: int,
    *,
    level: float = 0.95,
) -> Corrected | None:
    """The share of labels kept and the drop on those; None with fewer than 2 judgements.

    `drops` and `checks` (1: no suspect) are of all n examples; `judged` gives for positions drawn at random among
    `candidates` of them the share of judges to whom the label survived; the others kept it for certain. The check
    is corrected by its mean error on the judged ones, so that the estimate is unbiased however bad the check is; a good
    one makes the interval short. The drop is a ratio, its interval by the delta method, t on judgements. Two
    pseudo-judgements keep a width when check and judges agree throughout.

    Source: the difference estimator of Angelopoulos et al. (2023), arXiv:2301.09633, with the ratio's linearisation
    (Cochran 1977, ch. 6).
    """
    check_level(level)
    n = len(drops)
    if not n == len(checks) == len(clusters):
        raise StatisticsError(f"{n} drops, {len(checks)} checks and {len(clusters)} clusters")
    if not max(judged, default=0) < n or len(judged) > candidates or candidates > n:
        raise StatisticsError(f"{len(judged)} judgements of {candidates} candidates among {n}")
    if len(judged) < FEWEST:
        return None
    weight = candidates / n
    errors = [(i, value - checks[i]) for i, value in sorted(judged.items())]
    kept = math.fsum(checks) / n + weight * math.fsum(e for _, e in errors) / len(errors)
    method = f"prediction-powered, {len(judged)} of {candidates} judged"

    def interval(
        value: float,
        on_all: Sequence[float],
        on_judged: Sequence[float],
        scale: float,
        limits: tuple[float, float],
    ) -> Estimate:
        everything = moments(on_all, clusters, pseudo=())
        spread = everything.variance if math.isfinite(everything.variance) else 0.0
        sample = moments(on_judged, pseudo=(-scale, scale))
        half = float(stats.t.ppf(0.5 + level / 2, len(judged) - 1)) * math.sqrt(
            spread + sample.variance
        )
        return bounded(value, value, half, n=n, level=level, method=method, bounds=limits)

    share = interval(kept, checks, [weight * e for _, e in errors], weight, SCORE_RANGE)
    if kept < KEPT_AT_LEAST:
        return Corrected(share, None)
    total = math.fsum(d * c for d, c in zip(drops, checks, strict=True)) / n
    total += weight * math.fsum(drops[i] * e for i, e in errors) / len(errors)
    ratio = total / kept
    drop = interval(
        min(1.0, max(-1.0, ratio)),
        [(d - ratio) * c / kept for d, c in zip(drops, checks, strict=True)],
        [weight * (drops[i] - ratio) * e / kept for i, e in errors],
        weight / kept,
        DROP_RANGE,
    )
    return Corrected(share, drop)
