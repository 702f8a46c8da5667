"""A group of seeds gets one temperature, from the mean probabilities of its members."""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from robust_eval.models.asking import Answers
from robust_eval.models.groups import Group
from robust_eval.recording import _temperatures
from robust_eval.records import Example, ModelCard, Prediction


@dataclass(frozen=True)
class Seed:
    card: ModelCard


def card(name: str) -> ModelCard:
    return ModelCard(name, "demo:minilm", "baseline", "fine-tuned", name, True, 9)


def answer(i: int, sure: float) -> Prediction:
    """Three in four right, with this probability."""
    at = i % 2 if i % 4 else 1 - i % 2
    scores = [math.log(1 - sure)] * 2
    scores[at] = math.log(sure)
    return Prediction(f"h{i}", "ab"[at], scores=tuple(scores))


def test_a_group_is_scaled_by_its_mean_probabilities_and_its_members_are_not_listed() -> None:
    examples = tuple(Example(f"h{i}", {"text": ""}, "ab"[i % 2], f"h{i}") for i in range(80))
    group = Group("m", (Seed(card("m, seed 0")), Seed(card("m, seed 1"))), "seeds")  # type: ignore[arg-type]
    answers = Answers(
        calibration={
            "m, seed 0": tuple(answer(i, 0.99) for i in range(80)),
            "m, seed 1": tuple(answer(i, 0.81) for i in range(80)),
        }
    )
    splits = SimpleNamespace(calibration=examples, test=SimpleNamespace(labels=("a", "b")))
    (found,) = _temperatures(SimpleNamespace(splits=splits, groups=(group,)), answers)  # type: ignore[arg-type]
    assert (found.model, found.n) == ("m", 80)
    assert found.value == pytest.approx(math.log(9) / math.log(3))  # their mean is 0.90, right 0.75
