from __future__ import annotations

import math
from dataclasses import replace

import pytest

from robust_eval.figures import Analysis, Calibration
from robust_eval.records import Prediction, Status
from robust_eval.report import calibration as c


def test_bins_are_closed_on_the_right_and_empty_ones_left_out():
    bins = c.binned([(0.5, True), (0.51, False), (0.6, True), (1.0, True), (0.0, False)])
    assert [(b.low, b.count) for b in bins] == [(0.0, 1), (0.4, 1), (0.5, 2), (0.9, 1)]
    assert bins[2].confidence == pytest.approx(0.555)
    assert bins[2].accuracy == 0.5


def test_the_expected_calibration_error_follows_from_the_bins():
    answers = [(0.55, True), (0.65, False), (0.95, True), (0.95, False)]
    bins = c.binned(answers)
    error = sum(b.count / 4 * abs(b.confidence - b.accuracy) for b in bins)
    assert error == pytest.approx((0.45 + 0.65 + 2 * 0.45) / 4)


def test_confidence_is_that_of_the_answer_given_and_only_of_plain_answers():
    p = Prediction("x", "b", scores=(math.log(0.3), math.log(0.7)))
    assert c.confidence(p, ("a", "b")) == pytest.approx(0.7)
    for other in (
        replace(p, status=Status.UNPARSED),
        replace(p, scores=None),
        replace(p, label="c"),
        replace(p, label=None),
        replace(p, scores=(0.0,)),
        replace(p, scores=(0.0, math.nan)),
    ):
        assert c.confidence(other, ("a", "b")) is None


def test_one_diagram_a_model_with_a_line_for_clean_and_each_family(run_record):
    view = c.calibration(run_record)
    assert [m.model for m in view.models] == [card.name for card in run_record.models]
    assert view.models[0].columns == ("clean", "noise", "domain")
    counted = sum(int(row.cells[0][0].replace(",", "")) for row in view.models[1].rows)
    assert counted == sum(
        p.status is Status.OK for p in run_record.predictions["demo:minilm", "clean"]
    )


def test_models_without_probabilities_are_named_and_a_run_without_any_has_no_section(run_record):
    bare = {
        (model, key): tuple(replace(p, scores=None) for p in ps) if model == "bow" else ps
        for (model, key), ps in run_record.predictions.items()
    }
    assert c.calibration(replace(run_record, predictions=bare)).without == ("bow",)
    none = {k: tuple(replace(p, scores=None) for p in ps) for k, ps in bare.items()}
    assert c.calibration(replace(run_record, predictions=none)) is None


def test_the_calibration_error_is_that_of_the_record(run_record):
    rows = tuple(
        Calibration("bow", key, 9, 0.8, 0.7, ece, 0.2, 0.2, 0.2, 0.5, 0.1, ())
        for key, ece in (("clean", 0.04), ("imdb", 0.12), ("word-drops@3", 0.169), ("gone", 0.9))
    )
    view = c.calibration(replace(run_record, analysis=Analysis(calibrations=rows)))
    said = {m.model: m.error for m in view.models}
    assert said["bow"] == ("Expected calibration error: clean 0.040, at most 0.169 (word-drops@3).")
    assert said["demo:minilm"] == ""


def test_risk_by_coverage_is_drawn_for_clean_and_the_mean_of_each_kind(run_record):
    def row(key, *risk):
        points = tuple(((i + 1) / len(risk), r) for i, r in enumerate(risk))
        return Calibration("bow", key, 9, 0.8, 0.7, 0.1, 0.2, 0.2, 0.2, 0.5, 0.1, points)

    noise = [s.key for s in run_record.sets if s.family == "noise"]
    assert len(noise) >= 2
    rows = (row("clean", 0.0, 0.1), *(row(key, 0.2, 0.2 + i / 10) for i, key in enumerate(noise)))
    view = c.calibration(replace(run_record, analysis=Analysis(calibrations=rows)))
    drawn = {m.model: m.risk for m in view.models}
    assert drawn["demo:minilm"] == ""
    assert "clean, the surest 100% answered: 10.0% of them wrong" in drawn["bow"]
    mean = 20 + 5 * (len(noise) - 1)
    assert f"noise, the surest 100% answered: {mean:.1f}% of them wrong" in drawn["bow"]
    assert "domain, the surest" not in drawn["bow"]
