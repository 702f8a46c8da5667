"""Every model asked about every set: whole lists through the cache, prompt-side sets with edited prompts."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from robust_eval.models.cache import PredictionCache
from robust_eval.models.memory import Holds, shares
from robust_eval.models.predict import Request, predict
from robust_eval.records import (
    CLEAN,
    Dataset,
    Demonstrated,
    Example,
    Model,
    NotApplicable,
    Prediction,
    Progress,
    Prompted,
    Sampled,
    ShiftedSet,
    silent,
)

NO_PROMPT = "it has no prompt"
CALIBRATION = "calibration part"  # stands for a set's key; no set can have a key with a space in it


@dataclass(slots=True)
class Answers:
    """What all models said; `seconds` and `asked` of those that were really asked, by model."""

    predictions: dict[tuple[str, str], tuple[Prediction, ...]] = field(default_factory=dict)
    repeats: dict[tuple[str, str, int], tuple[Prediction, ...]] = field(default_factory=dict)
    not_applicable: list[NotApplicable] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    calls: int = 0  # answers that had to be computed
    calibration: dict[str, tuple[Prediction, ...]] = field(default_factory=dict)  # by model


def ask_all(
    models: Sequence[Model],
    test: Dataset,
    sets: Sequence[ShiftedSet],
    cache: PredictionCache,
    *,
    repeats: int = 1,
    calibration: Sequence[Example] = (),
    progress: Progress = silent,
) -> Answers:
    """Every model's answers to the clean set and every shifted one.

    The sets that change texts go through one call a model, so that a batch may mix sets and
    unchanged texts are answered once; each prompt-side set, and each that brings demonstrations of its
    own domain, goes through one of its own. Stochastic
    models answer the clean set `repeats` times: what differs between two such answers is noise.
    A model's weights leave the memory when the next one does not share them. `calibration`
    examples are asked by themselves, so that no other batch is another for them.
    """
    answers = Answers()
    for model, following in zip(models, (*models[1:], None), strict=True):
        _ask_inputs(model, test, sets, cache, answers, progress)
        for shifted in sets:
            if shifted.prompt_edit is not None:
                _ask_edited(model, shifted, shifted.prompt_edit, cache, answers, progress)
            elif shifted.demonstrations and isinstance(model, Demonstrated):
                shown = model.with_demonstrations(shifted.demonstrations)
                _ask_set(shown, shifted, cache, answers, progress)
        if calibration:
            requests = [Request(example, CALIBRATION) for example in calibration]
            given = tuple(predict(model, requests, cache, progress=progress))
            answers.calibration[model.card.name] = given
        if not model.card.deterministic:
            for repeat in range(1, repeats):
                again = model.with_repeat(repeat) if isinstance(model, Sampled) else model
                requests = [Request(example, CLEAN, repeat) for example in test.examples]
                given = tuple(predict(again, requests, cache, progress=progress))
                answers.repeats[model.card.name, CLEAN, repeat] = given
        if isinstance(model, Holds) and not shares(model, following):
            model.release()
    answers.calls = cache.stored
    return answers


def _ask_inputs(
    model: Model,
    test: Dataset,
    sets: Sequence[ShiftedSet],
    cache: PredictionCache,
    answers: Answers,
    progress: Progress,
) -> None:
    keyed = [(CLEAN, test.examples)]
    alike = (s for s in sets if s.prompt_edit is None)
    if isinstance(model, Demonstrated):
        alike = (s for s in alike if not s.demonstrations)
    keyed += [(s.key, s.examples) for s in alike]
    requests = [Request(example, key) for key, examples in keyed for example in examples]
    stored, started = cache.stored, time.monotonic()
    predictions = iter(predict(model, requests, cache, progress=progress))
    for key, examples in keyed:
        answers.predictions[model.card.name, key] = tuple(next(predictions) for _ in examples)
    if cache.stored - stored > len(requests) // 2:  # enough to tell a speed from
        answers.seconds[model.card.name] = time.monotonic() - started


def _ask_edited(
    model: Model,
    shifted: ShiftedSet,
    edit: str,
    cache: PredictionCache,
    answers: Answers,
    progress: Progress,
) -> None:
    edited = model.with_prompt(edit) if isinstance(model, Prompted) else NO_PROMPT
    if isinstance(edited, str):
        answers.not_applicable.append(NotApplicable(model.card.name, shifted.key, edited))
        return
    _ask_set(edited, shifted, cache, answers, progress)


def _ask_set(
    model: Model,
    shifted: ShiftedSet,
    cache: PredictionCache,
    answers: Answers,
    progress: Progress,
) -> None:
    requests = [Request(example, shifted.key) for example in shifted.examples]
    given = tuple(predict(model, requests, cache, progress=progress))
    answers.predictions[model.card.name, shifted.key] = given
