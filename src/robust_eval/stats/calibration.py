"""How far a model's confidence in its answers is from how often it is right.

Every function takes confidences in [0, 1] and whether each answer was right, in the same order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from robust_eval.errors import StatisticsError

TINY = 1e-12  # a confidence nearer to 0 or 1 than this costs a bounded log loss


@dataclass(frozen=True, slots=True)
class Bin:
    """Answers whose confidence lies in (low, high]; the first bin holds 0 too."""

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float


def equal_width_bins(
    confidences: Sequence[float], right: Sequence[bool], bins: int = 10
) -> tuple[Bin, ...]:
    """Bins of equal width, closed on the right; empty ones are left out.

    Source: Guo et al. (2017), arXiv:1706.04599.
    """
    _check(confidences, right)
    members: list[list[int]] = [[] for _ in range(bins)]
    for i, confidence in enumerate(confidences):
        # ceil may land one high on a rounded product: 0.3 * 10 is 3.0000000000000004 elsewhere.
        members[min(bins - 1, max(0, math.ceil(confidence * bins - 1e-9) - 1))].append(i)
    return tuple(
        _bin(at / bins, (at + 1) / bins, found, confidences, right)
        for at, found in enumerate(members)
        if found
    )


def adaptive_bins(
    confidences: Sequence[float], right: Sequence[bool], bins: int = 10
) -> tuple[Bin, ...]:
    """Bins of equal numbers, by confidence; equal confidences never part.

    Source: Nguyen & O'Connor (2015), arXiv:1508.05154.
    """
    _check(confidences, right)
    order = sorted(range(len(confidences)), key=lambda i: confidences[i])
    found: list[Bin] = []
    start = 0
    for at in range(1, bins + 1):
        end = max(start, round(at * len(order) / bins))
        while 0 < end < len(order) and confidences[order[end]] == confidences[order[end - 1]]:
            end += 1
        if end > start:
            low, high = confidences[order[start]], confidences[order[end - 1]]
            found.append(_bin(low, high, order[start:end], confidences, right))
            start = end
    return tuple(found)


def expected_calibration_error(bins: Sequence[Bin]) -> float:
    """The mean distance between confidence and accuracy over bins, weighed by their answers."""
    total = sum(b.n for b in bins)
    if not total:
        raise StatisticsError("a calibration error of 0 answers does not exist")
    return math.fsum(b.n * abs(b.accuracy - b.confidence) for b in bins) / total


def brier(confidences: Sequence[float], right: Sequence[bool]) -> float:
    """The mean squared distance between confidence and being right (of the answer given).

    Source: Brier (1950), Mon. Wea. Rev. 78(1).
    """
    _check(confidences, right)
    return math.fsum((c - r) ** 2 for c, r in zip(confidences, right, strict=True)) / len(right)


def log_loss(confidences: Sequence[float], right: Sequence[bool]) -> float:
    """The mean negative log of the probability given to what happened, in nats."""
    _check(confidences, right)
    losses = (
        -math.log(max(TINY, c if r else 1 - c)) for c, r in zip(confidences, right, strict=True)
    )
    return math.fsum(losses) / len(right)


def risk_coverage(
    confidences: Sequence[float], right: Sequence[bool]
) -> tuple[tuple[float, float], ...]:
    """(coverage, share wrong among the answered) when only the k surest are answered, k = 1 to n.

    Among equally sure answers the errors are spread evenly, so that their order does not matter.
    Source: El-Yaniv & Wiener (2010), JMLR 11.
    """
    _check(confidences, right)
    groups: dict[float, list[bool]] = {}
    for confidence, ok in zip(confidences, right, strict=True):
        groups.setdefault(confidence, []).append(ok)
    points = []
    answered, wrong, n = 0, 0.0, len(right)
    for confidence in sorted(groups, reverse=True):
        group = groups[confidence]
        rate = sum(not ok for ok in group) / len(group)
        for _ in group:
            answered += 1
            wrong += rate
            points.append((answered / n, wrong / answered))
    return tuple(points)


def aurc(confidences: Sequence[float], right: Sequence[bool]) -> float:
    """The area under the risk-coverage curve: the mean risk over all coverages; lower is better.

    Source: Geifman et al. (2019), arXiv:1805.08206.
    """
    points = risk_coverage(confidences, right)
    return math.fsum(risk for _, risk in points) / len(points)


def _bin(
    low: float,
    high: float,
    found: Sequence[int],
    confidences: Sequence[float],
    right: Sequence[bool],
) -> Bin:
    return Bin(
        low,
        high,
        len(found),
        math.fsum(confidences[i] for i in found) / len(found),
        sum(bool(right[i]) for i in found) / len(found),
    )


def _check(confidences: Sequence[float], right: Sequence[bool]) -> None:
    if not len(confidences) or len(confidences) != len(right):
        raise StatisticsError(
            f"{len(confidences)} confidences and {len(right)} outcomes; as many of each, at least one"
        )
    if not all(0 <= c <= 1 for c in confidences):
        raise StatisticsError("a confidence lies between 0 and 1; take exp of a log-probability")
