"""Figures beside the drops on invented runs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from robust_eval.records import CLEAN, Dose, Prediction, RunRecord
from robust_eval.score.analysis import analysis, confidence

ANSWERS = {
    ("m", CLEAN): "+" * 80 + "-" * 20,
    ("m", "typos@1"): "+" * 76 + "-" * 24,
    ("m", "typos@3"): "+" * 70 + "-" * 30,
    ("m", "typos@5"): "+" * 60 + "-" * 40,
    ("m", "drops@3"): "-" * 10 + "+" * 70 + "-" * 20,
    ("b", CLEAN): "+" * 80 + "-" * 20,
    ("b", "typos@1"): "+" * 72 + "-" * 28,
    ("b", "typos@3"): "+" * 60 + "-" * 40,
    ("b", "typos@5"): "+" * 40 + "-" * 60,
    ("b", "drops@3"): "+" * 60 + "-" * 40,
}
DOSES = {"typos@1": 0.02, "typos@3": 0.1, "typos@5": 0.2, "drops@3": 0.1}


@pytest.fixture
def record(invented_run: Callable[..., Any]) -> RunRecord:
    made: RunRecord = invented_run(ANSWERS).record()
    sets = tuple(
        replace(s, doses=tuple(Dose(DOSES[s.key], 0, True) for _ in s.examples)) for s in made.sets
    )
    return replace(made, sets=sets)


def test_a_curve_stands_against_the_realised_dose(record: RunRecord) -> None:
    curve = next(c for c in analysis(record).curves if c.model == "m")
    assert [(p.severity, p.dose) for p in curve.points] == [
        (1, pytest.approx(0.02)),
        (3, pytest.approx(0.1)),
        (5, pytest.approx(0.2)),
    ]
    # Drops 0.04, 0.10, 0.20: the limit of 0.05 is passed a sixth of the way from 0.02 to 0.1.
    assert curve.breakdown == pytest.approx(0.02 + 0.08 / 6)
    assert curve.breakdown_low is not None
    assert curve.breakdown_high is not None
    assert curve.breakdown_low < curve.breakdown < curve.breakdown_high
    assert {c.shift for c in analysis(record).curves} == {"typos"}


def test_the_worst_case_is_over_items_and_the_worst_set_over_sets(record: RunRecord) -> None:
    worst = next(w for w in analysis(record).worst_cases if w.model == "m")
    assert worst.sets == 4
    assert worst.clean.value == pytest.approx(0.8)
    assert worst.worst.value == pytest.approx(0.5)  # 60 survive typos, of those 10 fall to drops
    assert (worst.naive_set, worst.naive_drop) == ("typos@5", pytest.approx(0.2))
    assert worst.honest_drop is not None
    assert worst.honest_drop.n < 100
    assert worst.repeats is None


def test_clean_repeats_give_a_noise_floor_and_a_worst_case_of_their_own(record: RunRecord) -> None:
    flips = {1: (0, 1), 2: (1, 2), 3: (5,), 4: ()}
    predictions, scores = {}, {}
    for repeat, wrong in flips.items():
        answers = list(record.predictions["m", CLEAN])
        values = list(record.scores["m", CLEAN, "accuracy"])
        for i in wrong:
            answers[i] = replace(answers[i], label="other")
            values[i] = 0.0
        predictions["m", CLEAN, repeat] = tuple(answers)
        scores["m", CLEAN, "accuracy", repeat] = tuple(values)
    found = analysis(replace(record, repeats=predictions, repeat_scores=scores))
    (floor,) = found.noise_floors
    assert (floor.model, floor.repeats) == ("m", 5)
    assert floor.largest == pytest.approx(0.02)
    # One flip of five leaves 6 of 10 pairs agreeing (items 0, 2 and 5); two leave 4 (item 1).
    assert floor.agreement.value == pytest.approx((96 + 3 * 0.6 + 0.4) / 100)
    worst = next(w for w in found.worst_cases if w.model == "m")
    assert worst.repeats is not None
    assert worst.repeats.value == pytest.approx(0.76)


def test_relative_drops_pool_severities_and_are_refused_at_chance(
    record: RunRecord, invented_run: Callable[..., Any]
) -> None:
    rates = {(r.model, r.shift): r for r in analysis(record).relative_drops}
    found = rates["m", "typos"].rate
    assert found is not None
    assert found.value == pytest.approx(1 - (0.76 + 0.7 + 0.6) / 3 / 0.8)
    assert found.low < found.value < found.high
    chance = invented_run({("m", CLEAN): "+-" * 50, ("m", "typos"): "-+" * 50}).record()
    (refused,) = analysis(chance).relative_drops
    assert refused.rate is None
    assert "majority" in refused.reason


def test_corruption_errors_are_relative_to_each_baseline(record: RunRecord) -> None:
    (found,) = analysis(record).corruption_errors
    typos = (0.24 + 0.3 + 0.4) / (0.28 + 0.4 + 0.6)
    drops = 0.3 / 0.4
    assert found.mce == pytest.approx((typos + drops) / 2)
    relative = ((0.04 + 0.1 + 0.2) / (0.08 + 0.2 + 0.4) + 0.1 / 0.2) / 2
    assert found.relative_mce == pytest.approx(relative)


def test_calibration_uses_the_probability_of_the_answer_given(record: RunRecord) -> None:
    labels = ("a", "b")
    sure = Prediction("x", label="b", scores=(math.log(0.3), math.log(0.7)))
    assert confidence(sure, labels) == 0.7
    assert confidence(replace(sure, label=None), labels) is None
    assert confidence(replace(sure, scores=(0.0,)), labels) is None
    assert confidence(replace(sure, scores=(float("nan"),) * 2), labels) is None
    assert analysis(record).calibrations == ()
    answers = tuple(
        replace(p, label=p.label if p.label in labels else "b", scores=(math.log(0.5),) * 2)
        for p in record.predictions["m", CLEAN]
    )
    found = analysis(
        replace(record, predictions=dict(record.predictions) | {("m", CLEAN): answers})
    )
    (row,) = found.calibrations
    assert (row.model, row.set_key, row.n) == ("m", CLEAN, 100)
    assert (row.confidence, row.accuracy) == (pytest.approx(0.5), pytest.approx(0.8))
    assert row.ece_10 == pytest.approx(0.3)
    assert len(row.risk) == 10


def test_the_order_of_examples_changes_no_bit(invented_run: Callable[..., Any]) -> None:
    run = invented_run(ANSWERS)
    turned = run.shuffled(list(reversed(range(100))))
    assert analysis(run.record()) == analysis(turned.record())
