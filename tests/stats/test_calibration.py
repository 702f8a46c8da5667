"""Calibration figures against published per-example data and against scikit-learn."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss
from sklearn.metrics import log_loss as their_log_loss

from robust_eval.errors import StatisticsError
from robust_eval.stats import calibration as c

REFERENCE = os.environ.get("ROBUST_EVAL_TEST_REFERENCE")


@pytest.fixture(scope="module")
def trivia() -> tuple[list[float], list[bool]]:
    """The confidences of 100 published answers to TriviaQA, and whether each was right."""
    if not REFERENCE:
        pytest.skip("test data: set ROBUST_EVAL_TEST_REFERENCE")
    path = Path(REFERENCE) / "si2022_sampled_predictions.jsonl.gz"
    with gzip.open(path, "rt", "utf-8") as lines:
        rows = [r for r in map(json.loads, lines) if r["log"].startswith("triviaqa_probs")][:100]
    return [float(r["lm_prob"]) for r in rows], [r["em"] == "1" for r in rows]


def test_published_calibration_figures_are_reproduced(
    trivia: tuple[list[float], list[bool]],
) -> None:
    sure, right = trivia
    assert sum(sure) / len(sure) == pytest.approx(0.74905, abs=5e-6)
    # The second is 0.129051 from these confidences, and 0.12906 from them rounded to three digits.
    for bins, expected in ((10, 0.13062), (15, 0.12906)):
        found = c.expected_calibration_error(c.equal_width_bins(sure, right, bins))
        assert found == pytest.approx(expected, abs=1e-5)
    assert c.brier(sure, right) == pytest.approx(0.20168, abs=5e-6)


def made_up(n: int = 500) -> tuple[list[float], list[bool]]:
    rng = np.random.default_rng(0)
    sure = rng.random(n)
    return sure.tolist(), (rng.random(n) < sure**2).tolist()


def test_brier_log_loss_and_bins_are_those_of_scikit_learn() -> None:
    sure, right = made_up()
    assert c.brier(sure, right) == pytest.approx(brier_score_loss(right, sure))
    assert c.log_loss(sure, right) == pytest.approx(their_log_loss(right, sure))
    accuracy, confidence = calibration_curve(right, sure, n_bins=10)
    bins = c.equal_width_bins(sure, right)
    assert [b.accuracy for b in bins] == pytest.approx(accuracy.tolist())
    assert [b.confidence for b in bins] == pytest.approx(confidence.tolist())


def test_bins_are_closed_on_the_right() -> None:
    edges = [0.0, 0.1, 0.2, 0.3, 0.7, 1.0]
    bins = c.equal_width_bins(edges, [True] * 6, 10)
    assert [(round(b.high, 1), b.n) for b in bins] == [
        (0.1, 2),
        (0.2, 1),
        (0.3, 1),
        (0.7, 1),
        (1.0, 1),
    ]


def test_adaptive_bins_hold_equal_numbers_and_never_part_equal_confidences() -> None:
    sure, right = made_up()
    assert [b.n for b in c.adaptive_bins(sure, right)] == [50] * 10
    (one,) = c.adaptive_bins([0.9] * 40, [True] * 30 + [False] * 10)
    assert (one.n, one.accuracy) == (40, 0.75)


def test_risk_falls_to_the_error_rate_at_full_coverage() -> None:
    sure, right = [0.9, 0.8, 0.7, 0.6], [True, True, False, True]
    assert c.risk_coverage(sure, right) == (
        (0.25, 0.0),
        (0.5, 0.0),
        (0.75, pytest.approx(1 / 3)),
        (1.0, 0.25),
    )
    assert c.aurc(sure, right) == pytest.approx((1 / 3 + 1 / 4) / 4)


def test_the_order_of_equally_sure_answers_does_not_matter() -> None:
    assert c.aurc([0.9] * 4, [True, False, False, True]) == c.aurc(
        [0.9] * 4, [False, True, True, False]
    )


def test_impossible_confidences_and_no_answers_are_refused() -> None:
    with pytest.raises(StatisticsError, match="between 0 and 1"):
        c.brier([-0.1], [True])
    for figure in (c.brier, c.log_loss, c.aurc):
        with pytest.raises(StatisticsError):
            figure([], [])
    with pytest.raises(StatisticsError, match="0 answers"):
        c.expected_calibration_error(())
