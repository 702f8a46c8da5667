"""What a run asked and was answered, as one record: scores, gaps, comparisons, warnings, provenance."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from robust_eval import __version__
from robust_eval.errors import InfrastructureError
from robust_eval.models.account import Account
from robust_eval.models.asking import CALIBRATION, Answers
from robust_eval.models.groups import pooled_answers
from robust_eval.models.predict import near_ties
from robust_eval.preparation import Prepared
from robust_eval.records import (
    CLEAN,
    SCHEMA_VERSION,
    Example,
    ModelCard,
    Prediction,
    RunRecord,
    ShiftedSet,
    Status,
    Temperature,
)
from robust_eval.rng import hexdigest
from robust_eval.score import (
    mean_scores,
    scaled_confidences,
    score_all,
    score_repeats,
    temperatures,
    with_figures,
)
from robust_eval.settings import Settings

PACKAGES = ("torch", "transformers", "tokenizers", "numpy", "scikit-learn", "datasets")


def recorded(
    settings: Settings,
    ready: Prepared,
    sets: tuple[ShiftedSet, ...],
    answers: Answers,
    *,
    inputs: str,
    started: float,
    notes: Sequence[str] = (),
    validity: Mapping[str, Any],
) -> RunRecord:
    """The record of these answers; `inputs` is the fingerprint of what was asked, `started` in seconds since 1970.

    Raises InfrastructureError for a set that a model answered nothing of.
    """
    test, groups = ready.splits.test, ready.groups
    predictions = dict(answers.predictions)
    for group in groups:
        predictions |= pooled_answers(group, answers.predictions)
    _require_answers(predictions)
    cards = tuple(group.card for group in groups)
    members = tuple(m.card for g in groups if len(g.members) > 1 for m in g.members)
    scores = mean_scores(cards, score_all(test, sets, predictions))
    record = RunRecord(
        schema_version=SCHEMA_VERSION,
        settings=settings.as_dict(),
        dataset=test,
        splits={**ready.splits.summary, "inputs": inputs},
        sets=sets,
        models=cards,
        predictions=predictions,
        scores=scores,
        gaps=(),
        comparisons=(),
        near_ties={card.name: _near_ties(card, predictions) for card in cards},
        warnings=(*_warnings(cards, members, predictions), *_read_before(ready, sets), *notes),
        versions=versions(),
        host=_host(started, answers.calls, ready.account),
        not_applicable=tuple(answers.not_applicable),
        repeats=answers.repeats,
        repeat_scores=score_repeats(test, answers.repeats),
        validity=validity,
        members=members,
    )
    record = dataclasses.replace(record, temperatures=_temperatures(ready, answers))
    return with_figures(dataclasses.replace(record, scaled=scaled_confidences(record)))


def _temperatures(ready: Prepared, answers: Answers) -> tuple[Temperature, ...]:
    """Of every model or group that answered the calibration part; a group answers with its members' mean."""
    examples = ready.splits.calibration
    if not examples:
        return ()
    given = {(name, CALIBRATION): row for name, row in answers.calibration.items()}
    for group in ready.groups:
        given |= pooled_answers(group, given)
    by_model = {name: row for (name, _), row in given.items()}
    names = [group.card.name for group in ready.groups]
    return temperatures(names, by_model, examples, ready.splits.test.labels)


def _require_answers(predictions: Mapping[tuple[str, str], tuple[Prediction, ...]]) -> None:
    """Some failed requests are left out and counted; nothing can be said of a set that has no other."""
    for (model, key), answers in predictions.items():
        if all(p.status is Status.FAILED for p in answers):
            raise InfrastructureError(
                f"{model} answered none of the {len(answers)} requests of set {key!r}: it failed or "
                "cannot be reached; other answers are kept"
            )


def inputs_fingerprint(ready: Prepared) -> str:
    """A hash of every text and model that the figures rest on; attacks follow from these and their parts."""
    splits = ready.splits
    parts = [splits.test.fingerprint]
    own = (splits.train, splits.dev, splits.demonstrations, splits.calibration)
    texts = (*own, *(s.examples for s in ready.sets))
    for examples in texts:
        parts.append(f"{len(examples)} examples")
        parts += (f"{e.id} {sorted(e.inputs.items())!r} {e.target!r}" for e in examples)
    writers = (*ready.writers, *ready.attack_writers.values())
    parts += (model.card.fingerprint for model in (*ready.models, *writers))
    parts += (f"{plan.key} {plan.seed} {plan.attack.parts}" for plan in ready.attacks)
    return hexdigest("inputs", *parts)


def _near_ties(
    card: ModelCard, predictions: Mapping[tuple[str, str], tuple[Prediction, ...]]
) -> int:
    return sum(
        near_ties(answers) for (name, _), answers in predictions.items() if name == card.name
    )


def _warnings(
    cards: Sequence[ModelCard],
    members: Sequence[ModelCard],
    predictions: Mapping[tuple[str, str], tuple[Prediction, ...]],
) -> tuple[str, ...]:
    lines = []
    for card in (*cards, *members):
        answers = [
            p for (name, _), group in predictions.items() if name == card.name for p in group
        ]
        failed = sum(p.status is Status.FAILED for p in answers)
        cut = sum(p.input_truncated for p in answers)
        unparsed = sum(p.status is Status.UNPARSED for p in answers)
        if failed:
            lines.append(
                f"{card.name}: {failed} of {len(answers)} requests failed and are left out"
            )
        if cut:
            lines.append(f"{card.name}: {cut} of {len(answers)} inputs were cut to fit")
        if unparsed:
            lines.append(
                f"{card.name}: {unparsed} of {len(answers)} answers name no label (counted wrong)"
            )
        if written := _without_scores(card, answers):
            lines.append(
                f"{card.name}: {written} of {len(answers)} answers were read from written text, as the "
                "server showed no log-probabilities of the labels there"
            )
    return (*lines, *_said_by_cards(cards, members))


def _said_by_cards(cards: Sequence[ModelCard], members: Sequence[ModelCard]) -> list[str]:
    """What the models say of themselves; what all members of a group say stands once, under its name."""
    own = {card.name: tuple(card.details.get("warnings", ())) for card in (*cards, *members)}
    of = {name: card.name for card in cards for name in card.members}
    common = {
        card.name: set.intersection(*(set(own[m]) for m in card.members))
        for card in cards
        if card.members
    }
    lines = [
        f"{of[name] if said in common.get(of.get(name, ''), ()) else name}: {said}"
        for name, warnings in own.items()
        for said in warnings
    ]
    return list(dict.fromkeys(lines))


def _read_before(ready: Prepared, sets: Sequence[ShiftedSet]) -> list[str]:
    """Of models that know what their base has read: which sets of texts are among it."""
    asked = [(CLEAN, ready.splits.test.examples)]
    asked += [(s.key, s.examples) for s in sets if not s.paired]
    lines = []
    for group in ready.groups:
        count: Callable[[Sequence[Example]], int] = getattr(
            group.members[0], "read_before", lambda examples: 0
        )
        for key, examples in asked:
            if found := count(examples):
                lines.append(
                    f"{group.name}: its base has read {found} of the {len(examples)} texts of {key!r} before, "
                    "without labels; a score there may be too high"
                )
    return lines


def _without_scores(card: ModelCard, answers: Sequence[Prediction]) -> int:
    """Labels of a hosted model that label scores were asked for and not had."""
    if "server" not in card.details or not str(card.details["scoring"]).startswith("label"):
        return 0
    return sum(p.label is not None and p.label_logprobs is None for p in answers)


def versions() -> dict[str, str]:
    """This package and those whose versions may move a score."""
    found = {"robust-eval": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _host(started: float, calls: int, account: Account) -> dict[str, Any]:
    host: dict[str, Any] = {
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
        "seconds": round(time.time() - started, 1),
        "model_calls": calls,
        "platform": platform.platform(),
        "cores": os.cpu_count() or 0,
    }
    if usage := account.summary():
        host["usage"] = usage
    return host
