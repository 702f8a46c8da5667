"""Temperatures of a run's models: which answers count, and what follows for their probabilities."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from robust_eval.records import Example, Prediction, Status
from robust_eval.score import refitted, scaled_confidences, temperatures
from robust_eval.score.temperatures import FEWEST

LABELS = ("a", "b")


def examples(n: int) -> list[Example]:
    return [Example(f"h{i}", {"text": ""}, LABELS[i % 2], f"h{i}") for i in range(n)]


def answer(i: int, sure: float, right: bool) -> Prediction:
    at = i % 2 if right else 1 - i % 2
    scores = [math.log(1 - sure)] * 2
    scores[at] = math.log(sure)
    return Prediction(f"h{i}", LABELS[at], scores=tuple(scores))


def test_a_model_that_is_too_sure_gets_a_temperature_over_one() -> None:
    given = [answer(i, 0.99, i % 4 != 0) for i in range(100)]  # three in four right
    (found,) = temperatures(["m", "silent"], {"m": given}, examples(100), LABELS)
    assert found.n == 100
    # At log-odds z/T = logit(0.75) probabilities are as often right as they say.
    expected = math.log(0.99 / 0.01) / math.log(3)
    assert found.value == pytest.approx(expected, rel=1e-6)
    assert found.log_loss > found.scaled_log_loss
    assert refitted(found) == found


def test_answers_without_probabilities_are_left_out_and_few_give_no_temperature() -> None:
    given = [answer(i, 0.8, i % 3 != 0) for i in range(FEWEST + 3)]
    given[0] = replace(given[0], status=Status.FAILED, label=None, scores=None)
    given[1] = replace(given[1], scores=None)
    given[2] = replace(given[2], scores=(-math.inf, 0.0))
    (enough,) = temperatures(["m"], {"m": given}, examples(FEWEST + 3), LABELS)
    assert (enough.n, enough.value is None) == (FEWEST, False)
    (few,) = temperatures(["m"], {"m": given[:-1]}, examples(FEWEST + 2), LABELS)
    assert few.value is None
    assert f"{FEWEST - 1} held-out answers" in few.note
    same = [replace(answer(i, 0.5, True)) for i in range(50)]
    (flat,) = temperatures(["m"], {"m": same}, examples(50), LABELS)
    assert "same probability" in flat.note


def test_probabilities_after_scaling_are_those_of_the_divided_scores(invented_run) -> None:
    run = invented_run({("m", "clean"): "++", ("m", "typos"): "+f"})
    record = run.record()
    given = [answer(i, 0.99, i % 4 != 0) for i in range(100)]
    fits = temperatures(["m"], {"m": given}, examples(100), LABELS)
    sure = {
        where: tuple(
            replace(p, scores=(math.log(0.9), math.log(0.1)), label="a")
            if p.status is Status.OK
            else p
            for p in answers
        )
        for where, answers in record.predictions.items()
    }
    record = replace(record, predictions=sure, temperatures=fits)
    found = scaled_confidences(record)
    odds = 9 ** (1 / fits[0].value)
    assert found["m", "clean"] == pytest.approx([odds / (1 + odds)] * 2, abs=6e-5)
    assert found["m", "typos"][1] is None
    assert scaled_confidences(replace(record, temperatures=())) == {}
