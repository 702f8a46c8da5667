"""The sample of examples that a report shows, with every model's answers beside the edit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal

from robust_eval.records import (
    CLEAN,
    Dose,
    Example,
    Prediction,
    RunRecord,
    ShiftedSet,
    Status,
    Target,
)
from robust_eval.report.cautions import primary
from robust_eval.report.diffs import Segment, diff, plain
from robust_eval.report.text import one_line

MOST = 160  # examples in one report: it keeps the page readable and under its size
PER_SET = 12
LEAST = 3  # of every set, however many sets there are
FLIP_SHARE = 2 / 3  # of a set's places, for examples whose outcome changed for some model
ANSWER = 160  # characters of an answer that are shown

# Clean then shifted: right, wrong, or no answer. An unpaired example has "x" for its clean half.
Outcome = Literal["rr", "rw", "wr", "ww", "xr", "xw", "na"]
OUTCOMES: dict[Outcome, str] = {
    "rw": "right → wrong",
    "wr": "wrong → right",
    "ww": "wrong → wrong",
    "rr": "right → right",
    "xr": "right",
    "xw": "wrong",
    "na": "no answer",
}


@dataclass(frozen=True, slots=True)
class Answer:
    model: int  # index in the record's models
    clean: str
    shifted: str
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    segments: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class Shown:
    id: str
    target: str
    dose: Dose | None
    fields: tuple[Field, ...]
    answers: tuple[Answer, ...]


@dataclass(frozen=True, slots=True)
class SetSample:
    key: str
    size: int  # examples in the set
    shown: tuple[Shown, ...]


def sample(record: RunRecord) -> tuple[SetSample, ...]:
    """A few examples of every set, flips first, in an order that depends on their ids alone."""
    clean_at = {e.id: i for i, e in enumerate(record.dataset.examples)}
    per_set = max(LEAST, min(PER_SET, MOST // max(1, len(record.sets))))
    return tuple(_of_set(record, s, clean_at, per_set) for s in record.sets)


def _of_set(
    record: RunRecord, shifted: ShiftedSet, clean_at: dict[str, int], most: int
) -> SetSample:
    metric = record.dataset.task.metrics[0]

    def score(model: str, key: str, at: int | None) -> float | None:
        scores = record.scores.get((model, key, primary(record)), ())
        return scores[at] if at is not None and at < len(scores) else None

    def outcome(model: str, at: int, before: int | None) -> Outcome:
        after = _right(score(model, shifted.key, at), higher=metric.higher_is_better)
        if after is None:
            return "na"
        if not shifted.paired:
            return "xr" if after else "xw"
        was = _right(score(model, CLEAN, before), higher=metric.higher_is_better)
        if was is None:
            return "na"
        return ("rr" if after else "rw") if was else ("wr" if after else "ww")

    before_of = [clean_at.get(e.id) if shifted.paired else None for e in shifted.examples]
    outcomes = [
        [outcome(card.name, at, before_of[at]) for card in record.models]
        for at in range(len(shifted.examples))
    ]
    shown = []
    for at in _chosen(shifted, outcomes, most):
        example, before = shifted.examples[at], before_of[at]
        original = record.dataset.examples[before] if before is not None else None
        answers = tuple(
            Answer(
                m,
                _answer(record, card.name, CLEAN, before),
                _answer(record, card.name, shifted.key, at),
                outcomes[at][m],
            )
            for m, card in enumerate(record.models)
        )
        shown.append(
            Shown(
                example.id,
                _target(example.target),
                shifted.doses[at] if at < len(shifted.doses) else None,
                _fields(original, example),
                answers,
            )
        )
    return SetSample(shifted.key, len(shifted.examples), tuple(shown))


def _chosen(shifted: ShiftedSet, outcomes: Sequence[Sequence[Outcome]], most: int) -> list[int]:
    """Indices: flips (or, unpaired, disagreements) first, then the rest, each in hash order."""

    def mark(at: int) -> bytes:
        name = f"{len(shifted.key)}:{shifted.key}{shifted.examples[at].id}"
        return blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest()

    order = sorted(range(len(shifted.examples)), key=mark)
    flips = [at for at in order if _interesting(outcomes[at])]
    telling = flips[: max(1, math.ceil(most * FLIP_SHARE))]
    taken = set(telling)
    changed = [
        at
        for at in order
        if at not in taken and (at >= len(shifted.doses) or shifted.doses[at].changed)
    ]
    rest = [*changed, *(at for at in order if at not in taken and at not in set(changed))]
    return [*telling, *rest][:most]


def _interesting(outcomes: Sequence[Outcome]) -> bool:
    return "rw" in outcomes or "wr" in outcomes or {"xr", "xw"} <= set(outcomes)


def _right(score: float | None, *, higher: bool) -> bool | None:
    if score is None:
        return None
    return score >= 1.0 if higher else score <= 0.0


def _fields(original: Example | None, example: Example) -> tuple[Field, ...]:
    return tuple(
        Field(
            name,
            plain(text)
            if original is None or name not in original.inputs
            else diff(original.inputs[name], text),
        )
        for name, text in example.inputs.items()
    )


def _answer(record: RunRecord, model: str, key: str, at: int | None) -> str:
    """`positive, 0.93`; `no usable answer (unparsed)`; `–` where there is none."""
    predictions: Sequence[Prediction] = record.predictions.get((model, key), ())
    if at is None or at >= len(predictions):
        return "–"
    p = predictions[at]
    if p.status is Status.FAILED:
        return "request failed"
    said = p.label if p.label is not None else p.text if p.text is not None else p.raw
    text = one_line(said or "", ANSWER) or "nothing"
    if p.status is not Status.OK:
        text = f"{text} ({p.status.value})"
    probability = _probability(p, record.dataset.labels)
    if probability is not None:
        text += f", {probability:.2f}"
    return text + (" (input cut)" if p.input_truncated else "")


def _probability(p: Prediction, labels: Sequence[str]) -> float | None:
    """The share of probability on the label that was given, when the model says."""
    if p.scores is None or p.label is None or len(p.scores) != len(labels):
        return None
    try:
        score = p.scores[labels.index(p.label)]
    except ValueError:
        return None
    return math.exp(min(score, 0.0)) if not math.isnan(score) else None


def _target(target: Target) -> str:
    return one_line(target if isinstance(target, str) else " | ".join(target), ANSWER)
