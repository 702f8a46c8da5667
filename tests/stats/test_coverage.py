"""Coverage of the intervals: enumerated where the outcome space is small, simulated elsewhere."""

from __future__ import annotations

import math
import random

import pytest

from robust_eval.stats import means
from robust_eval.stats.intervals import bonett_price, newcombe, wilson
from robust_eval.stats.two_sample import welch


def binomial(k: int, n: int, p: float) -> float:
    return math.comb(n, k) * p**k * (1 - p) ** (n - k)


@pytest.mark.parametrize(("lost", "gained"), [(0.1, 0.05), (0.2, 0.2), (0.3, 0.02), (0.02, 0.02)])
@pytest.mark.parametrize("n", [10, 30, 50])
def test_bonett_price_covers_by_enumeration_of_every_outcome(
    n: int, lost: float, gained: float
) -> None:
    truth, covered = lost - gained, 0.0
    for down in range(n + 1):
        for up in range(n - down + 1):
            interval = bonett_price(down, up, n)
            if interval.low <= truth <= interval.high:
                chance = binomial(down, n, lost) * binomial(up, n - down, gained / (1 - lost))
                covered += chance
    assert covered >= 0.94


@pytest.mark.parametrize(("one", "other"), [(0.9, 0.8), (0.87, 0.82), (0.5, 0.3)])
def test_newcombe_covers_by_enumeration_of_every_outcome(one: float, other: float) -> None:
    covered = 0.0
    for a in range(41):
        for b in range(31):
            interval = newcombe(a, 40, b, 30)
            if interval.low <= one - other <= interval.high:
                covered += binomial(a, 40, one) * binomial(b, 30, other)
    assert covered >= 0.93


def test_wilson_covers_on_average_over_accuracies() -> None:
    shares = [0.5 + i / 200 for i in range(96)]
    coverage = [
        sum(binomial(k, 50, p) for k in range(51) if wilson(k, 50).low <= p <= wilson(k, 50).high)
        for p in shares
    ]
    assert sum(coverage) / len(coverage) >= 0.945


@pytest.mark.parametrize(("n", "losses"), [(20, (0.1, 0.1)), (60, (0.02, 0.02)), (60, (0.05, 0.3))])
def test_difference_of_drops_covers_with_pseudo_clusters(
    n: int, losses: tuple[float, float]
) -> None:
    draw = random.Random(n)
    truth, held, runs = 0.85 * (losses[1] - losses[0]), 0, 600
    for _ in range(runs):
        differences = []
        for _ in range(n):
            lost = [0.0, 0.0]
            for side in (0, 1):
                right = draw.random() < 0.85
                lost[side] = sum(right and draw.random() < losses[side] for _ in range(3)) / 3
            differences.append(lost[1] - lost[0])
        interval = means.mean(differences, bounds=means.DIFFERENCE_RANGE, pseudo=means.DROP_PSEUDO)
        held += interval.low <= truth <= interval.high
    assert held / runs >= 0.93


def test_without_pseudo_clusters_a_rare_drop_is_missed_more_often_than_not() -> None:
    # Why they are there: with one flip in a hundred, most samples of 50 show none at all.
    draw = random.Random(7)
    held = {"plain": 0, "pseudo": 0}
    for _ in range(300):
        differences = [float(draw.random() < 0.01) for _ in range(50)]
        for name, pseudo in (("plain", ()), ("pseudo", means.DROP_PSEUDO)):
            interval = means.mean(differences, bounds=means.DROP_RANGE, pseudo=pseudo)
            held[name] += interval.low <= 0.01 <= interval.high
    assert held["plain"] / 300 < 0.6
    assert held["pseudo"] / 300 >= 0.95


def test_unpaired_difference_of_drops_covers() -> None:
    draw = random.Random(11)
    held, runs = 0, 500
    for _ in range(runs):
        clean = [float(draw.random() < 0.8) - (draw.random() < 0.9) for _ in range(60)]
        shifted = [float(draw.random() < 0.6) - (draw.random() < 0.85) for _ in range(60)]
        interval, _ = welch(
            means.moments(clean, pseudo=means.DROP_PSEUDO),
            means.moments(shifted, pseudo=means.DROP_PSEUDO),
            bounds=means.DIFFERENCE_RANGE,
        )
        held += interval.low <= (0.8 - 0.9) - (0.6 - 0.85) <= interval.high
    assert held / runs >= 0.93
