"""A run record arranged for the page: tables as rows of text. No figure is computed here."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from robust_eval.records import (
    CLEAN,
    Comparison,
    Gap,
    ModelCard,
    Prediction,
    RunRecord,
    ShiftedSet,
    Status,
)
from robust_eval.report import numbers as n
from robust_eval.report.cautions import name
from robust_eval.report.text import one_line

LONGEST_VALUE = 4_000  # characters of one setting or detail
MOST_ROWS = 300  # of one table of settings or details


@dataclass(frozen=True, slots=True)
class GapRow:
    """One model on one set; `gap` is None when nothing was answered."""

    series: int
    model: str
    metric: str
    gap: Gap | None
    answers: str  # "1 unparsed, 2 failed", or "all plain"
    clean_answers: str
    cut: str


@dataclass(frozen=True, slots=True)
class SetView:
    key: str
    severity: int | None
    size: int
    paired: bool
    facts: tuple[str, ...]  # dose, share changed, population, source, in words
    rows: tuple[GapRow, ...]
    comparisons: tuple[Comparison, ...]


@dataclass(frozen=True, slots=True)
class ShiftView:
    shift: str
    family: str
    sets: tuple[SetView, ...]


@dataclass(frozen=True, slots=True)
class Item:
    name: str
    value: str
    block: bool  # long or of several lines


@dataclass(frozen=True, slots=True)
class DataView:
    majority: float | None
    splits: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class MadeWith:
    settings: tuple[Item, ...]
    versions: tuple[Item, ...]


def models(record: RunRecord) -> tuple[ModelCard, ...]:
    return record.models


def data(record: RunRecord) -> DataView:
    return DataView(majority(record), flat(record.splits))


def made_with(record: RunRecord) -> MadeWith:
    return MadeWith(flat(record.settings), flat(record.versions))


def majority(record: RunRecord) -> float | None:
    """The share of the commonest label: what an answer without reading would score."""
    if not record.dataset.labels or not record.dataset.examples:
        return None
    tally = Counter(e.target for e in record.dataset.examples)
    return max(tally.values()) / len(record.dataset.examples)


def mean_dose(s: ShiftedSet) -> float | None:
    """The mean realised edit rate of a set, unchanged examples included."""
    return sum(d.edit_rate for d in s.doses) / len(s.doses) if s.doses else None


def shifts(record: RunRecord) -> tuple[ShiftView, ...]:
    """One view a shift, with every set's facts and every model's row, answered or not."""
    metrics = [m.name for m in record.dataset.task.metrics]
    gaps = {(g.model, g.set_key, g.metric): g for g in record.gaps}
    views = []
    for shift in dict.fromkeys(s.shift for s in record.sets):
        of = [s for s in record.sets if s.shift == shift]
        sets = tuple(
            SetView(
                name(s.key),
                s.severity,
                len(s.examples),
                s.paired,
                tuple(_facts(s, record.dataset.population)),
                tuple(
                    _gap_row(
                        record, i, card.name, s.key, metric, gaps.get((card.name, s.key, metric))
                    )
                    for metric in metrics
                    for i, card in enumerate(record.models)
                ),
                tuple(
                    c for c in record.comparisons if c.set_key == s.key and c.metric == metrics[0]
                ),
            )
            for s in of
        )
        views.append(ShiftView(name(shift), of[0].family, sets))
    return tuple(views)


def _facts(s: ShiftedSet, clean_population: str) -> list[str]:
    facts = [n.counted(len(s.examples), "example")]
    if s.doses:
        changed = sum(d.changed for d in s.doses) / len(s.doses)
        words = sum(d.words_added for d in s.doses) / len(s.doses)
        facts.append(f"{n.percent(changed)} of them changed")
        facts.append(f"mean realised edit rate {n.percent(mean_dose(s) or 0.0)} of characters")
        if abs(words) >= 0.05:
            facts.append(f"{n.number(words, signed=True)} words each on average")
    if not s.paired:
        facts.append("other texts than the clean set: not paired")
    if s.population and s.population != clean_population:
        facts.append(f"population: {one_line(s.population)}")
    if s.built_against:
        facts.append(f"built against {name(s.built_against)}")
    if s.prompt_edit:
        facts.append(f"prompt edit: {one_line(s.prompt_edit)}")
    if s.source:
        facts.append(one_line(s.source))
    return facts


def _gap_row(
    record: RunRecord, at: int, model: str, key: str, metric: str, gap: Gap | None
) -> GapRow:
    answers = record.predictions.get((model, key), ())
    clean = record.predictions.get((model, CLEAN), ())
    if gap is None:
        statuses, clean_statuses = _tally(answers), _tally(clean)
        cut, clean_cut = (
            sum(p.input_truncated for p in answers),
            sum(p.input_truncated for p in clean),
        )
    else:
        statuses, clean_statuses = dict(gap.statuses), dict(gap.clean_statuses)
        cut, clean_cut = gap.truncated_inputs, gap.clean_truncated_inputs
    return GapRow(
        at, name(model), metric, gap, _odd(statuses), _odd(clean_statuses), f"{clean_cut} → {cut}"
    )


def _tally(predictions: Sequence[Prediction]) -> dict[str, int]:
    return {status.value: sum(p.status is status for p in predictions) for status in Status}


def _odd(statuses: Mapping[str, int]) -> str:
    odd = [
        f"{k} {status}" for status, k in sorted(statuses.items()) if k and status != Status.OK.value
    ]
    return ", ".join(odd) or "all plain"


def flat(mapping: Mapping[str, Any]) -> tuple[Item, ...]:
    """A nested mapping as dotted names and texts, by name: a record read back may have another order."""
    items: list[Item] = []

    def walk(value: Any, path: str) -> None:
        if len(items) >= MOST_ROWS:
            return
        if isinstance(value, Mapping) and value and path.count(".") < 6:
            for key, inner in sorted(value.items(), key=lambda item: str(item[0])):
                walk(inner, f"{path}.{key}" if path else str(key))
            return
        text = _said(value)
        items.append(Item(one_line(path, 120), text, "\n" in text or len(text) > 90))

    walk(mapping, "")
    return tuple(items) if mapping else ()


def _said(value: Any) -> str:
    if isinstance(value, str):
        text = value
    elif value is None or value == () or value == []:
        text = "–"
    elif isinstance(value, bool):
        text = "yes" if value else "no"
    elif isinstance(value, list | tuple) and all(isinstance(v, str | int | float) for v in value):
        text = ", ".join(str(v) for v in value)
    elif isinstance(value, float):
        text = min(repr(value), f"{value:.6g}", key=len)  # short ones exactly, long ones rounded
    elif isinstance(value, int):
        text = str(value)
    else:
        text = json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"


def methods(record: RunRecord) -> tuple[str, ...]:
    """The intervals and tests that this run used, by their own names, sorted."""
    found = {f"drop: {g.drop.method}; test: {g.test}" for g in record.gaps}
    found |= {
        f"difference of drops: {c.difference.method}; test: {c.test}" for c in record.comparisons
    }
    found |= {f"score: {g.clean.method}" for g in record.gaps}
    return tuple(one_line(f) for f in sorted(found))


def signature(record: RunRecord) -> str:
    """One line that two reports share exactly when they were made alike: settings, data, sets, models."""
    settings = json.dumps(record.settings, sort_keys=True, default=str, ensure_ascii=True)
    # An escaped JSON text of pairs, so that no name can run into its neighbour.
    made = json.dumps([[c.name, c.fingerprint] for c in record.models])
    return " | ".join(
        (
            f"robust-eval {record.versions.get('robust-eval', 'version not recorded')}",
            f"data {name(record.dataset.name)} {record.dataset.fingerprint[:12]}",
            f"sets {len(record.sets)}",
            f"models {sha256(made.encode()).hexdigest()[:12]}",
            f"settings {sha256(settings.encode()).hexdigest()[:12]}",
        )
    )
