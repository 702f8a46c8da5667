"""The loop over a model's batches: each answered batch is stored before the next one starts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from robust_eval.errors import ModelError
from robust_eval.models.answers import Key, addressed, canonical_input, fault, prediction_key
from robust_eval.models.cache import PredictionCache
from robust_eval.records import Example, Model, Prediction, Progress, Status, silent

NEAR_TIE = 1e-3  # in log-probability: closer than this, another machine may answer differently


@dataclass(frozen=True, slots=True)
class Request:
    """One question: an example of a set, and which of several samples of its answer this is."""

    example: Example
    set_key: str
    repeat: int = 0


@runtime_checkable
class Prepares(Protocol):
    """A model with costly preparation, such as training; called once, before its first job."""

    def prepare(self, progress: Progress) -> None: ...


@runtime_checkable
class Streams(Protocol):
    """A model that answers many inputs at once and hands each answer over as it arrives."""

    def stream(
        self, examples: Sequence[Example], wanted: Iterable[int]
    ) -> Iterator[Sequence[tuple[int, Prediction]]]: ...


def predict(
    model: Model,
    requests: Sequence[Request],
    cache: PredictionCache,
    *,
    progress: Progress = silent,
) -> list[Prediction]:
    """One answer for each request, in the same order, under that request's example id.

    A deterministic model is asked once for each exact input. When every answer is cached the model
    is not touched; otherwise its plan covers all inputs, batches that are wholly cached are skipped,
    and others are computed whole, so that a resumed run gives the bytes of an uninterrupted one.
    Raises ModelError when the model answers with another number of answers or an impossible one.
    """
    card = model.card
    labels: Sequence[str] | None = getattr(model, "labels", None)
    lasting: bool = getattr(model, "lasting", True)
    keys: list[Key] = []
    questions: dict[Key, tuple[tuple[str, str, str, int], Example]] = {}
    for request in requests:
        text = canonical_input(request.example)
        set_key = None if card.deterministic else request.set_key
        key = prediction_key(
            card.fingerprint,
            request.example,
            repeat=request.repeat,
            set_key=set_key,
            canonical=text,
        )
        keys.append(key)
        order = (text, request.example.id, set_key or "", request.repeat)
        if key not in questions or order < questions[key][0]:
            questions[key] = (order, request.example)

    answers = cache.lookup(questions, labels)
    if len(answers) < len(questions):
        _answer(model, questions, answers, cache, labels, lasting, progress)
    return [
        addressed(answers[key], request.example.id)
        for key, request in zip(keys, requests, strict=True)
    ]


def near_ties(predictions: Sequence[Prediction]) -> int:
    """How many answers have their two best scores within 1e-3: another machine may swap them."""
    return sum(_near_tie(prediction) for prediction in predictions)


def _near_tie(prediction: Prediction) -> bool:
    if prediction.scores is None or len(prediction.scores) < 2:
        return False
    second, first = sorted(prediction.scores)[-2:]
    return first - second < NEAR_TIE


def _answer(
    model: Model,
    questions: dict[Key, tuple[tuple[str, str, str, int], Example]],
    answers: dict[Key, Prediction],
    cache: PredictionCache,
    labels: Sequence[str] | None,
    lasting: bool,
    progress: Progress,
) -> None:
    """Fills `answers` up to one for each question."""
    name = model.card.name
    planned = sorted(questions, key=lambda key: questions[key][0])
    examples = [questions[key][1] for key in planned]
    missing = len(questions) - len(answers)
    if isinstance(model, Prepares):
        model.prepare(progress)
    with progress(f"{name}: answering", missing) as advance:
        for indices, given in _batches(model, examples, lambda i: planned[i] not in answers):
            wanted = [planned[i] for i in indices]
            open_before = sum(key not in answers for key in wanted)
            fresh = dict(zip(wanted, _checked(name, indices, given, labels), strict=True))
            cache.store(fresh, lasting=lasting, labels=labels)
            # Read back: the first answer stored under a key is the one that every run reports,
            # also when another process was faster with the same batch.
            kept = cache.lookup(wanted, labels)
            for key in wanted:
                answers.setdefault(key, kept.get(key, fresh[key]))
            advance(open_before)
    if len(answers) < len(questions):
        raise ModelError(
            f"{name} planned no answer for {len(questions) - len(answers)} of "
            f"{len(questions)} inputs; its jobs() must cover every index"
        )


def _batches(
    model: Model, examples: Sequence[Example], is_open: Callable[[int], bool]
) -> Iterator[tuple[Sequence[int], Sequence[Prediction]]]:
    """Batches with their answers: as they arrive, or one after the other, those wholly known left out."""
    if isinstance(model, Streams):
        for arrived in model.stream(examples, [i for i in range(len(examples)) if is_open(i)]):
            yield [i for i, _ in arrived], [prediction for _, prediction in arrived]
        return
    for job in model.jobs(examples):
        if any(map(is_open, job.indices)):
            yield job.indices, list(job.answer())


def _checked(
    name: str,
    indices: Sequence[int],
    given: Sequence[Prediction],
    labels: Sequence[str] | None,
) -> Sequence[Prediction]:
    if len(given) != len(indices):
        raise ModelError(
            f"{name} gave {len(given)} answers for {len(indices)} inputs; it must give one each"
        )
    for prediction in given:
        if prediction.status is not Status.FAILED and (wrong := fault(prediction, labels)):
            raise ModelError(f"{name} gave {wrong}")
    return given
