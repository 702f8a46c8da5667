"""The extractive head: learns to point, reads long contexts in windows, and says what it left unread."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from robust_eval.errors import ModelError
from robust_eval.models import load_model
from robust_eval.models.context import ModelContext, TrainingSettings
from robust_eval.records import TASKS, Example, TaskKind

Context = Callable[..., ModelContext]
WORDS = ("good", "fine", "great", "lovely", "bad", "poor", "awful", "dull")
FILLER = ("the", "film", "was", "a", "plot", "and", "very")


def question(i: int, *, before: int | None = None, answer: str | None = None) -> Example:
    """Which of the words stands in the filler? The answer is the one word of its kind."""
    said = answer or WORDS[i % len(WORDS)]
    left = [FILLER[(i + j) % len(FILLER)] for j in range(i % 6 if before is None else before)]
    right = [FILLER[(i * 3 + j) % len(FILLER)] for j in range(1 + i % 4)]
    context = " ".join([*left, WORDS[i % len(WORDS)], *right])
    return Example(f"q{i}", {"context": context, "question": "was it"}, (said,), f"q{i}")


@pytest.fixture
def qa_context(review_context: Context) -> Context:
    def make(**changes: object) -> ModelContext:
        return review_context(
            **{
                "task": TASKS[TaskKind.EXTRACTIVE_QA],
                "labels": (),
                "train": tuple(question(i) for i in range(96)),
                "dev": tuple(question(i) for i in range(200, 216)),
                "training": TrainingSettings(epochs=8, learning_rate=5e-3, batch_size=8),
                **changes,
            }
        )

    return make


def test_the_reader_learns_to_point_at_the_answer(tiny_encoder: Path, qa_context: Context) -> None:
    model = load_model(f"ft:{tiny_encoder}", "baseline", qa_context())
    asked = [question(i) for i in range(300, 324)]
    given = {
        asked[i].id: a
        for job in model.jobs(asked)
        for i, a in zip(job.indices, job.answer(), strict=True)
    }
    right = sum(given[e.id].text == e.target[0] for e in asked)
    assert right >= 22
    assert model.card.details["training"]["dev_score"] >= 0.9
    assert not any(a.input_truncated for a in given.values())


def test_an_answer_past_the_first_window_is_found(tiny_encoder: Path, qa_context: Context) -> None:
    train = tuple(question(i, before=i % 40) for i in range(160))
    model = load_model(f"ft:{tiny_encoder}", "baseline", qa_context(train=train, max_length=24))
    far = [question(i, before=90) for i in range(300, 308)]
    (job,) = model.jobs(far)
    answers = job.answer()
    assert all(a.text == far[i].target[0] for i, a in zip(job.indices, answers, strict=True))
    assert not any(a.input_truncated for a in answers)


def test_hostile_contexts_are_read_in_part_and_that_is_counted(
    tiny_encoder: Path, qa_context: Context
) -> None:
    training = TrainingSettings(epochs=1, learning_rate=1e-3, batch_size=16)
    model = load_model(
        f"ft:{tiny_encoder}", "baseline", qa_context(training=training, max_length=16)
    )
    inputs = [
        {"context": "film " * 60_000, "question": "was it"},
        {"context": "good film", "question": "was it " * 500},
        {"context": "", "question": ""},
        {"context": "\ud800 good", "question": "\udfff"},
    ]
    asked = [Example(str(i), texts, ("x",), str(i)) for i, texts in enumerate(inputs)]
    cut = {}
    for job in model.jobs(asked):
        for i, answer in zip(job.indices, job.answer(), strict=True):
            cut[i] = answer.input_truncated
    assert cut == {0: True, 1: True, 2: False, 3: False}


def test_answers_that_are_not_in_their_contexts_cannot_train(
    tiny_encoder: Path, qa_context: Context
) -> None:
    train = tuple(question(i, answer="nowhere") for i in range(8))
    model = load_model(f"ft:{tiny_encoder}", "baseline", qa_context(train=train, dev=()))
    (job,) = model.jobs([question(1)])
    with pytest.raises(ModelError, match="no training answer stands in its context"):
        job.answer()
