"""The time that a run says it will take."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from robust_eval.estimate import (
    expected_seconds,
    in_words,
    read_speeds,
    remember_speeds,
    training_seconds,
)
from robust_eval.records import Example, ModelCard


def card_of(name: str, parameters: int | None) -> ModelCard:
    return ModelCard(name, name, "model", "prompted", "f", True, parameters)


TEXTS = [Example(str(i), {"text": "x" * 100}, "a", str(i)) for i in range(10)]


def test_a_measured_speed_counts_more_than_the_size() -> None:
    assert expected_seconds(card_of("m", 10**9), TEXTS, {"m": 160.0}) == pytest.approx(10.0)
    assert expected_seconds(card_of("m", None), TEXTS, {}) == 0.0
    small, large = (expected_seconds(card_of("m", n), TEXTS, {}) for n in (10**6, 10**9))
    assert large == pytest.approx(1000 * small)


def test_weights_that_are_looked_up_cost_no_time() -> None:
    whole = card_of("m", 10**9)
    tied = dataclasses.replace(whole, details={"embedding_weights": 6 * 10**8})
    assert expected_seconds(tied, TEXTS, {}) == pytest.approx(
        0.4 * expected_seconds(whole, TEXTS, {})
    )


def test_speeds_are_kept_beside_each_other_and_a_bad_file_is_ignored(tmp_path: Path) -> None:
    remember_speeds(tmp_path, {"a": 2.0})
    remember_speeds(tmp_path, {"b": 3.5})
    assert read_speeds(tmp_path) == {"a": 2.0, "b": 3.5}
    (tmp_path / "speeds.json").write_text('{"a": "fast", "b": -1, "c": NaN, "d": 1}')
    assert read_speeds(tmp_path) == {"d": 1.0}
    (tmp_path / "speeds.json").write_bytes(b"\xff\x00")
    assert read_speeds(tmp_path) == {}


def test_times_are_said_in_words() -> None:
    said = [in_words(s) for s in (0, 42, 600, 7200)]
    assert said == ["under 10 s", "about 40 s", "about 10 min", "about 2.0 h"]


def tuned(**details: object) -> ModelCard:
    chosen = {"hyperparameters": {"epochs": 3}, "training": None, "budget": 50} | details
    return ModelCard("ft", "ft", "baseline", "fine-tuned", "f", True, 1_000_000, chosen)


def test_fine_tuning_takes_three_passes_a_text_and_epoch_on_as_many_as_the_budget_says() -> None:
    texts = [Example(str(i), {"text": "word " * 20}, "a", str(i)) for i in range(100)]
    once = expected_seconds(tuned(), texts, {})
    assert once > 0
    assert training_seconds(tuned(), texts, {}) == pytest.approx(3 * 3 * once / 2)
    assert training_seconds(tuned(budget=100), texts, {}) == pytest.approx(3 * 3 * once)
    measured = {"ft": 1000.0}
    assert training_seconds(tuned(), texts, measured) == pytest.approx(
        4.5 * expected_seconds(tuned(), texts, measured)
    )


def test_what_is_trained_already_or_never_takes_no_training() -> None:
    texts = [Example("1", {"text": "word"}, "a", "1")]
    assert training_seconds(tuned(training={"dev_score": 0.8}), texts, {}) == 0.0
    assert training_seconds(dataclasses.replace(tuned(), kind="prompted"), texts, {}) == 0.0
    assert training_seconds(tuned(), [], {}) == 0.0
