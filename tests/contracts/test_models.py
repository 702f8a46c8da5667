"""What every model keeps, whatever it is: the card, the plan, the order, the cache."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from robust_eval.models import LOADERS, load_model
from robust_eval.models.cache import PredictionCache
from robust_eval.models.context import ModelContext, TrainingSettings
from robust_eval.models.predict import Request, predict
from robust_eval.records import TASKS, Example, Model, Status, TaskKind
from servers import OpenAiServer

# What needs demo packages or large files is held to the same contract in its own `model` tests.
ELSEWHERE = {
    "litellm",
    "lora",
    "full",
    "demo:roberta-mini",
    "hf",
    "gguf",
    "demo:gemma-3-270m",
    "demo:smollm2-135m",
    "demo:minilm",
}
SPECS = {
    "ft": "ft:{encoder}",
    "bow": "bow",
    "python": "python:contract_grader:grade",
    "scripted": "scripted:length",
    "openai": "openai:grader",
}
FAKES = [
    "scripted:oracle",
    "scripted:noisy?accuracy=0.7",
    "scripted:flaky?share=0.3",
    "scripted:mute",
]
GRADER = "def grade(texts): return ['positive' if 'good' in t else 'negative' for t in texts]"


def helpers() -> ModuleType:
    """The tiny encoder and the reviews of the model tests."""
    path = Path(__file__).parents[1] / "models" / "conftest.py"
    spec = importlib.util.spec_from_file_location("tiny_models", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return helpers().save_tiny_encoder(tmp_path_factory.mktemp("contract") / "encoder")


@pytest.fixture(scope="module")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("contract-cache")


@pytest.fixture(scope="module")
def server() -> Iterator[OpenAiServer]:
    with OpenAiServer() as running:
        yield running


@pytest.fixture
def loaded(
    server: OpenAiServer,
    tiny: Path,
    cache_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[str], Model]:
    """A fresh model for a spec."""
    reviews = helpers().film_reviews
    (tmp_path / "contract_grader.py").write_text(GRADER)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    context = ModelContext(
        TASKS[TaskKind.CLASSIFICATION],
        ("negative", "positive"),
        reviews(32),
        reviews(8, 100),
        reviews(4, 200),
        0,
        cache_dir,
        training=TrainingSettings(epochs=1, learning_rate=5e-3),
        device="cpu",
        max_length=32,
        offline=True,
        base_url=server.address,
    )
    return lambda spec: load_model(spec.format(encoder=tiny), "baseline", context)


@pytest.fixture
def questions() -> tuple[Example, ...]:
    """Reviews and the texts that break things."""
    odd = ("", "   ", "😀😀", "good\x00bad", "\ud800", "x" * 10_000, "<b>good</b>", "ﷺ" * 50)
    return (
        *helpers().film_reviews(9, 300),
        *(Example(f"odd{i}", {"text": text}, "positive", f"odd{i}") for i, text in enumerate(odd)),
    )


every_model = pytest.mark.parametrize("spec", [*SPECS.values(), *FAKES])


def test_every_loader_is_held_to_this_contract() -> None:
    assert set(LOADERS) == set(SPECS) | ELSEWHERE


@every_model
def test_a_model_is_a_model_and_its_card_can_be_written(
    loaded: Callable[[str], Model], spec: str
) -> None:
    model = loaded(spec)
    assert isinstance(model, Model)
    card = model.card
    assert card.fingerprint == loaded(spec).card.fingerprint
    assert len(card.fingerprint) >= 32
    assert card.role == "baseline"
    assert json.loads(json.dumps(dict(card.details))) is not None


@every_model
def test_jobs_cover_every_index_once_and_plan_by_the_list_alone(
    loaded: Callable[[str], Model], spec: str, questions: tuple[Example, ...]
) -> None:
    model = loaded(spec)
    plan = [job.indices for job in model.jobs(questions)]
    assert sorted(i for indices in plan for i in indices) == list(range(len(questions)))
    assert plan == [job.indices for job in loaded(spec).jobs(questions)]
    assert list(model.jobs([])) == []


@every_model
def test_jobs_answer_in_any_order_alike(
    loaded: Callable[[str], Model], spec: str, questions: tuple[Example, ...]
) -> None:
    forward = {job.indices: list(job.answer()) for job in loaded(spec).jobs(questions)}
    backward = {
        job.indices: list(job.answer()) for job in reversed(list(loaded(spec).jobs(questions)))
    }
    assert forward == backward
    for indices, given in forward.items():
        assert [a.example_id for a in given] == [questions[i].id for i in indices]


@every_model
def test_answers_are_labels_or_have_a_status_that_says_why_not(
    loaded: Callable[[str], Model],
    spec: str,
    questions: tuple[Example, ...],
    tmp_path: Path,
) -> None:
    requests = [Request(example, "clean") for example in questions]
    with PredictionCache.open(tmp_path / "c") as cache:
        cold = predict(loaded(spec), requests, cache)
        warm = predict(loaded(spec), requests, cache)
    assert cold == warm
    for answer in cold:
        if answer.status is Status.OK:
            assert answer.label in ("negative", "positive")
        else:
            assert answer.label is None
        if answer.scores is not None:
            assert answer.label == ("negative", "positive")[answer.scores.index(max(answer.scores))]
