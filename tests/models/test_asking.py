"""Asking every model about every set: prompt-side sets, models without a prompt, repeats."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from robust_eval.models import load_model
from robust_eval.models.asking import Answers, ask_all
from robust_eval.models.cache import PredictionCache
from robust_eval.models.context import ModelContext
from robust_eval.records import (
    CLEAN,
    TASKS,
    Dataset,
    Example,
    Job,
    Model,
    ModelCard,
    Prediction,
    ShiftedSet,
    TaskKind,
)
from robust_eval.score import score_repeats

Reviews = Callable[..., tuple[Example, ...]]
Context = Callable[..., ModelContext]


@pytest.fixture
def test_set(reviews: Reviews) -> Dataset:
    task = TASKS[TaskKind.CLASSIFICATION]
    return Dataset("d", task, ("negative", "positive"), reviews(60), "0", "0")


def prompt_set(test: Dataset, edit: str) -> ShiftedSet:
    key = edit.partition("#")[0]
    return ShiftedSet("prompt", key, key, None, 0, True, test.examples, prompt_edit=edit)


@pytest.fixture
def ask(review_context: Context, test_set: Dataset, tmp_path: Path) -> Callable[..., Answers]:
    def asked(*specs: str, sets: tuple[ShiftedSet, ...] = (), repeats: int = 1) -> Answers:
        models = [load_model(spec, "model", review_context()) for spec in specs]
        with PredictionCache.open(tmp_path / "answers") as cache:
            return ask_all(models, test_set, sets, cache, repeats=repeats)

    return asked


def test_a_prompt_side_set_is_answered_by_the_edited_model(
    ask: Callable[..., Answers], test_set: Dataset
) -> None:
    spec = "scripted:prompted?accuracy=1&loss=1"
    found = ask(spec, sets=(prompt_set(test_set, "label-case#0"),))
    right = [e.target for e in test_set.examples]
    assert [p.label for p in found.predictions[spec, CLEAN]] == right
    assert all(
        p.label != e.target
        for p, e in zip(found.predictions[spec, "label-case"], test_set.examples, strict=True)
    )
    assert not found.not_applicable


def test_a_model_without_a_prompt_is_not_asked_and_gets_no_answers(
    ask: Callable[..., Answers], test_set: Dataset
) -> None:
    found = ask("bow", "scripted:length", sets=(prompt_set(test_set, "label-case#0"),))
    assert ("bow", "label-case") not in found.predictions
    assert {(e.model, e.set_key, e.reason) for e in found.not_applicable} == {
        ("bow", "label-case", "it has no prompt"),
        ("scripted:length", "label-case", "it has no prompt"),
    }


def test_stochastic_models_answer_again_and_deterministic_ones_do_not(
    ask: Callable[..., Answers], test_set: Dataset
) -> None:
    spec = "scripted:drawn?accuracy=0.5"
    found = ask(spec, "scripted:length", repeats=3)
    assert set(found.repeats) == {(spec, CLEAN, 1), (spec, CLEAN, 2)}
    draws = [found.predictions[spec, CLEAN], *found.repeats.values()]
    assert len({tuple(p.label for p in draw) for draw in draws}) == 3
    scores = score_repeats(test_set, found.repeats)
    assert set(scores) == {(spec, CLEAN, "accuracy", 1), (spec, CLEAN, "accuracy", 2)}
    assert set(scores[spec, CLEAN, "accuracy", 1]) == {0.0, 1.0}


def test_repeats_come_back_from_the_cache_each_under_its_own_number(
    ask: Callable[..., Answers],
) -> None:
    spec = "scripted:drawn?accuracy=0.5"
    cold = ask(spec, repeats=3)
    warm = ask(spec, repeats=3)
    assert cold.calls == 180
    assert warm.calls == 0
    assert warm.repeats == cold.repeats
    assert ask(spec, repeats=2).repeats.items() <= cold.repeats.items()


def test_a_set_with_demonstrations_of_its_own_is_asked_with_them(
    test_set: Dataset, tmp_path: Path, review_context: Context
) -> None:
    class Shown:
        """Answers with the first label that it was shown."""

        def __init__(self, pool: tuple[Example, ...]) -> None:
            self.pool = pool
            label = str(pool[0].target)
            self.card = ModelCard("shown", "shown", "model", "prompted", f"shown {label}", True)
            self.label = label

        def with_demonstrations(self, pool: tuple[Example, ...]) -> Model:
            return Shown(pool)

        def jobs(self, examples: Sequence[Example]) -> Iterator[Job]:
            answers = [Prediction(e.id, label=self.label) for e in examples]
            yield Job(tuple(range(len(examples))), lambda: answers)

    (bad,) = (e for e in test_set.examples[1:2])
    (good,) = (e for e in test_set.examples[:1])
    far = ShiftedSet(
        "domain", "far", "far", None, 0, False, test_set.examples, demonstrations=(bad,)
    )
    near = ShiftedSet("noise", "near", "near@1", 1, 0, True, test_set.examples)
    bow = load_model("bow", "baseline", review_context())
    with PredictionCache.open(tmp_path / "shown") as cache:
        found = ask_all([Shown((good,)), bow], test_set, (far, near), cache)
    labels = {
        key: {p.label for p in given}
        for (name, key), given in found.predictions.items()
        if name == "shown"
    }
    assert labels == {CLEAN: {good.target}, "near@1": {good.target}, "far": {bad.target}}
    assert ("bow", "far") in found.predictions


def test_weights_leave_the_memory_when_the_next_model_does_not_share_them(
    test_set: Dataset, tmp_path: Path
) -> None:
    events: list[str] = []

    class Heavy:
        def __init__(self, name: str, place: object) -> None:
            self.card = ModelCard(name, name, "model", "prompted", name, True)
            self._place = place

        def jobs(self, examples: Sequence[Example]) -> Iterator[Job]:
            events.append(f"{self.card.name} asked")
            answers = [Prediction(e.id, label=str(e.target)) for e in examples]
            yield Job(tuple(range(len(examples))), lambda: answers)

        def holds(self) -> object:
            return self._place

        def release(self) -> None:
            events.append(f"{self.card.name} released")

    first, second = object(), object()
    models = [Heavy("a", first), Heavy("b", first), Heavy("c", second)]
    with PredictionCache.open(tmp_path / "heavy") as cache:
        ask_all(models, test_set, (), cache)
    assert events == ["a asked", "b asked", "b released", "c asked", "c released"]
