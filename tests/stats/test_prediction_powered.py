"""Prediction-powered drops: exact when everybody is judged, unbiased however bad the check is, honest intervals."""

from __future__ import annotations

from random import Random

import pytest

from robust_eval.errors import StatisticsError
from robust_eval.stats.prediction_powered import corrected


def population(
    rng: Random, n: int, *, accuracy: float
) -> tuple[list[float], list[float], list[float]]:
    """Drops, checks and truth: labels lost for a quarter, mostly where the answer flips."""
    truth = [float(rng.random() > 0.25) for _ in range(n)]
    drops = [
        float(rng.random() < (0.1 if kept else 0.6)) - float(rng.random() < 0.05) for kept in truth
    ]
    checks = [kept if rng.random() < accuracy else 1 - kept for kept in truth]
    return drops, checks, truth


def test_judging_everybody_gives_the_drop_on_kept_labels_itself() -> None:
    drops, checks, truth = population(Random(1), 300, accuracy=0.5)
    found = corrected(drops, checks, list(range(300)), dict(enumerate(truth)), 300)
    assert found is not None
    assert found.drop is not None
    kept = [d for d, t in zip(drops, truth, strict=True) if t]
    assert found.kept.value == pytest.approx(sum(truth) / 300)
    assert found.drop.value == pytest.approx(sum(kept) / len(kept))


def test_examples_that_need_no_judge_count_as_kept() -> None:
    # 100 of 200 unchanged; of the changed half, half of the labels are lost.
    drops = [0.0] * 100 + [1.0, 0.0] * 50
    truth = [1.0] * 100 + [0.0, 1.0] * 50
    judged = {i: truth[i] for i in range(100, 200)}
    found = corrected(drops, [1.0] * 200, list(range(200)), judged, 100)
    assert found is not None
    assert found.drop is not None
    assert found.kept.value == pytest.approx(0.75)
    assert found.drop.value == pytest.approx(0.0)


@pytest.mark.parametrize("accuracy", [0.5, 0.9])
def test_intervals_hold_the_truth_as_often_as_they_say(accuracy: float) -> None:
    rng = Random(7)
    holds = kept_holds = 0
    widths = []
    runs = 400
    for _ in range(runs):
        drops, checks, truth = population(rng, 400, accuracy=accuracy)
        chosen = rng.sample(range(400), 80)
        found = corrected(
            drops, checks, list(range(400)), {i: truth[i] for i in chosen}, 400, level=0.95
        )
        assert found is not None
        assert found.drop is not None
        # Of the population that the data are drawn from: P(flip | kept) = 0.1 - 0.05.
        holds += found.drop.low <= 0.05 <= found.drop.high
        kept_holds += found.kept.low <= 0.75 <= found.kept.high
        widths.append(found.drop.high - found.drop.low)
    assert holds / runs > 0.925
    assert kept_holds / runs > 0.925
    assert sum(widths) / runs < 0.35


def test_a_better_check_makes_shorter_intervals() -> None:
    widths = []
    for accuracy in (0.5, 0.99):
        rng = Random(3)
        drops, checks, truth = population(rng, 400, accuracy=accuracy)
        judged = {i: truth[i] for i in rng.sample(range(400), 60)}
        found = corrected(drops, checks, list(range(400)), judged, 400)
        assert found is not None
        widths.append(found.kept.high - found.kept.low)
    assert widths[1] < 0.7 * widths[0]


def test_too_little_is_said_to_be_too_little() -> None:
    assert corrected([0.0] * 5, [1.0] * 5, list("abcde"), {0: 1.0}, 5) is None
    lost = corrected([0.0] * 5, [0.0] * 5, list("abcde"), {0: 0.0, 1: 0.0}, 5)
    assert lost is not None
    assert lost.drop is None
    with pytest.raises(StatisticsError, match="judgements"):
        corrected([0.0], [1.0], ["a"], {4: 1.0}, 1)
