"""The floor: learns words, needs no weights, is the same each time."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from robust_eval.errors import ModelError
from robust_eval.models import load_model
from robust_eval.models.cache import PredictionCache
from robust_eval.models.context import ModelContext
from robust_eval.models.predict import Request, predict
from robust_eval.records import TASKS, Example, TaskKind

Context = Callable[..., ModelContext]
Reviews = Callable[..., tuple[Example, ...]]


def test_it_learns_which_words_decide_and_gives_log_probabilities(
    review_context: Context, reviews: Reviews, tmp_path: Path
) -> None:
    model = load_model("bow", "baseline", review_context())
    with PredictionCache.open(tmp_path / "c") as cache:
        answers = predict(model, [Request(e, "clean") for e in reviews(40)], cache)
    assert [a.label for a in answers] == [e.target for e in reviews(40)]
    for answer in answers:
        assert answer.scores is not None
        assert math.fsum(map(math.exp, answer.scores)) == pytest.approx(1.0)
    training = model.card.details["training"]
    assert training["dev_accuracy"] == 1.0
    assert model.card.parameters == training["features"]
    json.dumps(model.card.details)


def test_two_trainings_answer_alike(review_context: Context, reviews: Reviews) -> None:
    def answers() -> list[object]:
        (job,) = load_model("bow", "baseline", review_context()).jobs(reviews(20))
        return list(job.answer())

    assert answers() == answers()


def test_it_takes_three_labels_and_pairs(review_context: Context) -> None:
    labels = ("contradiction", "entailment", "neutral")
    words = {"contradiction": "never", "entailment": "indeed", "neutral": "perhaps"}
    train = tuple(
        Example(
            f"p{i}",
            {"premise": "he runs", "hypothesis": f"{words[label]} he runs {i % 4}"},
            label,
            f"p{i}",
        )
        for i in range(30)
        for label in (labels[i % 3],)
    )
    context = review_context(task=TASKS[TaskKind.PAIR], labels=labels, train=train, dev=())
    model = load_model("bow", "baseline", context)
    (job,) = model.jobs(train[:6])
    given = list(job.answer())
    assert [a.label for a in given] == [e.target for e in train[:6]]
    assert {len(a.scores or ()) for a in given} == {3}


def test_emoji_are_words_and_white_space_is_an_error(review_context: Context) -> None:
    def train(texts: tuple[str, str]) -> tuple[Example, ...]:
        return tuple(
            Example(f"{i}", {"text": texts[i % 2]}, ("negative", "positive")[i % 2], f"{i}")
            for i in range(8)
        )

    model = load_model("bow", "baseline", review_context(train=train(("😡", "😀")), dev=()))
    (job,) = model.jobs(train(("😡", "😀"))[:2])
    assert [a.label for a in job.answer()] == ["negative", "positive"]
    empty = load_model("bow", "baseline", review_context(train=train((" ", "\n")), dev=()))
    (job,) = empty.jobs(train((" ", "\n"))[:2])
    with pytest.raises(ModelError, match="hold no word"):
        job.answer()


def test_the_fingerprint_is_of_the_training_data(review_context: Context, reviews: Reviews) -> None:
    def fingerprint(**changes: object) -> str:
        return load_model("bow", "baseline", review_context(**changes)).card.fingerprint

    assert fingerprint() == fingerprint(demonstrations=(), seed=9)
    assert fingerprint() != fingerprint(train=reviews(64))
    assert fingerprint() != fingerprint(dev=())
    assert fingerprint() != fingerprint(
        labels=("negative", "positive", "zero"),
        train=(*reviews(64), Example("z", {"text": "z"}, "zero", "z")),
    )
