"""The sample of examples that a report shows, with every model's answers beside the edit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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
from robust_eval.report.calibration import confidence
from robust_eval.report.diffs import Segment, diff, plain
from robust_eval.report.sampling import (
    Judged,
    Outcome,
    Pick,
    Reason,
    choose,
    clean_columns,
    judge,
    places,
)
from robust_eval.report.text import one_line

ANSWER = 160  # characters of an answer that are shown


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
    reason: Reason
    rank: int  # among all that are shown, 0 for the most damaging
    edit: str  # edit rate, for sorting; empty where there is none


@dataclass(frozen=True, slots=True)
class SetSample:
    key: str
    size: int  # examples in the set
    shown: tuple[Shown, ...]


@dataclass(frozen=True, slots=True)
class Sample:
    sets: tuple[SetSample, ...]
    seed: int
    shown: int
    of: int


def sample(record: RunRecord) -> Sample:
    """Examples of every set, the most damaging first; which ones depends on their ids and the seed alone."""
    clean_at = {e.id: i for i, e in enumerate(record.dataset.examples)}
    clean = clean_columns(record)
    most, seed = places(len(record.sets)), _seed(record)
    chosen: list[tuple[int, Pick, Judged]] = []
    for at, shifted in enumerate(record.sets):
        judged = judge(record, shifted, clean_at, clean)
        chosen += [(at, pick, judged[pick.at]) for pick in choose(shifted, judged, most, seed)]
    worst = sorted(range(len(chosen)), key=lambda i: (*(-d for d in chosen[i][2].damage), i))
    rank = {i: place for place, i in enumerate(worst)}
    sets = tuple(
        SetSample(
            shifted.key,
            len(shifted.examples),
            tuple(
                _shown(record, shifted, pick, of, clean_at, rank[i])
                for i, (owner, pick, of) in enumerate(chosen)
                if owner == at
            ),
        )
        for at, shifted in enumerate(record.sets)
    )
    return Sample(sets, seed, len(chosen), sum(len(s.examples) for s in record.sets))


def _seed(record: RunRecord) -> int:
    seed = record.settings.get("seed")
    return seed if isinstance(seed, int) else 0


def _shown(
    record: RunRecord,
    shifted: ShiftedSet,
    pick: Pick,
    judged: Judged,
    clean_at: Mapping[str, int],
    rank: int,
) -> Shown:
    example = shifted.examples[pick.at]
    before = clean_at.get(example.id) if shifted.paired else None
    dose = shifted.doses[pick.at] if pick.at < len(shifted.doses) else None
    return Shown(
        example.id,
        _target(example.target),
        dose,
        _fields(record.dataset.examples[before] if before is not None else None, example),
        tuple(
            Answer(
                m,
                _answer(record, card.name, CLEAN, before),
                _answer(record, card.name, shifted.key, pick.at),
                judged.outcomes[m],
            )
            for m, card in enumerate(record.models)
        ),
        pick.reason,
        rank,
        f"{dose.edit_rate:.4f}" if dose else "",
    )


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
    probability = confidence(p, record.dataset.labels)
    if probability is not None:
        text += f", {probability:.2f}"
    return text + (" (input cut)" if p.input_truncated else "")


def _target(target: Target) -> str:
    return one_line(target if isinstance(target, str) else " | ".join(target), ANSWER)
