"""Answers asked more than once: how far a model agrees with itself, and the worst shift chosen honestly."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from robust_eval.errors import StatisticsError
from robust_eval.records import Estimate
from robust_eval.rng import digest
from robust_eval.stats import choice
from robust_eval.stats.robustness import worst_case


def agreement(answers: Sequence[Hashable]) -> float:
    """The share of pairs of answers to one item that agree; at least two answers.

    Source: the consistency rate of SCORE, Nalbandyan et al. (2025), arXiv:2503.00137.
    """
    k = len(answers)
    if k < 2:
        raise StatisticsError(f"{k} answers have no pair to agree; at least 2 are needed")
    return sum(c * (c - 1) for c in Counter(answers).values()) / (k * (k - 1))


@dataclass(frozen=True, slots=True)
class Floor:
    """What differs between repeats of the same question: the noise that a drop must rise above."""

    largest: float  # between the mean scores of two repeats
    spread: float  # standard deviation of the repeats' mean scores
    worst_case: float  # mean over items of the worst repeat
    repeats: int


def noise_floor(scores: Sequence[Sequence[float]], *, higher_is_better: bool = True) -> Floor:
    """The A/A figures of repeated scores: one row a repeat, same items in the same order."""
    if len(scores) < 2:
        raise StatisticsError("a noise floor needs at least 2 repeats")
    worst = worst_case(scores, higher_is_better=higher_is_better)
    each = [math.fsum(row) / len(row) for row in scores]
    mean = math.fsum(each) / len(each)
    spread = math.sqrt(math.fsum((m - mean) ** 2 for m in each) / (len(each) - 1))
    return Floor(max(each) - min(each), spread, math.fsum(worst) / len(worst), len(scores))


@dataclass(frozen=True, slots=True)
class Worst:
    """The set with the largest drop: as it looks, and estimated on items that did not choose it."""

    naive: int
    naive_drop: float
    chosen: int
    drop: Estimate  # of the chosen set, on the other half


def worst_shift(
    clean: Sequence[float],
    shifted: Sequence[Sequence[float]],
    clusters: Sequence[str],
    *,
    level: float = 0.95,
) -> Worst | None:
    """The worst of several sets without the winner's curse: chosen on one half, estimated on the other.

    Halves are made of whole clusters by a hash of their names, so that neither the order nor other items
    matter. Scores are turned so that higher is better. None when a half is empty.
    """
    first = [digest("half", cluster)[0] % 2 == 0 for cluster in clusters]
    if all(first) or not any(first) or not shifted:
        return None

    def drop(row: Sequence[float], keep: Sequence[bool]) -> float:
        lost = [a - b for a, b, k in zip(clean, row, keep, strict=True) if k]
        return math.fsum(lost) / len(lost)

    every = [True] * len(clean)
    naive = max(range(len(shifted)), key=lambda i: (drop(shifted[i], every), -i))
    chosen = max(range(len(shifted)), key=lambda i: (drop(shifted[i], first), -i))
    rest = [i for i, k in enumerate(first) if not k]
    estimate = choice.paired_estimate(
        [clean[i] for i in rest],
        [shifted[chosen][i] for i in rest],
        [clusters[i] for i in rest],
        level=level,
    )
    return Worst(naive, drop(shifted[naive], every), chosen, estimate)
