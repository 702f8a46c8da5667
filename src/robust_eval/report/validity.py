"""Label checks and distances of a record, arranged for their two sections."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from robust_eval.records import Gap, RunRecord, ShiftedSet, ShiftSize
from robust_eval.report import numbers as n
from robust_eval.report.cautions import name, primary
from robust_eval.report.text import markdown_code, markdown_table, one_line

MOST_ROWS = 60  # of the table in report.md
TITLES: Mapping[str, str] = {
    "edit_rate": "edit rate of {:.2f} or more",
    "similarity": "similarity of {:.2f} or less",
    "content_change": "{:.2f} or more of the content words being others",
    "readable": "{:.2f} or less of the known words left",
}


@dataclass(frozen=True, slots=True)
class CheckedSet:
    key: str
    checked: int
    suspects: int
    share: str
    reasons: str
    similarity: str
    rows: tuple[tuple[int, Gap], ...]  # (series, gap on the primary metric)


@dataclass(frozen=True, slots=True)
class LabelsView:
    sets: tuple[CheckedSet, ...]
    unchecked: tuple[str, ...]
    how: str
    thresholds: str


@dataclass(frozen=True, slots=True)
class DistanceRow:
    key: str
    size: ShiftSize
    error: str
    drops: tuple[str, ...]  # one a model, in points


@dataclass(frozen=True, slots=True)
class DistanceView:
    rows: tuple[DistanceRow, ...]
    series: tuple[int, ...]
    embedded: bool
    encoder: str


def labels(record: RunRecord) -> LabelsView | None:
    """Suspects of every checked set, and each drop with and without them; None where nothing was checked."""
    checked = [s for s in record.sets if s.preservation]
    if not checked:
        return None
    gaps = _gaps(record)
    encoder = one_line(str(record.validity.get("encoder") or ""))
    return LabelsView(
        tuple(_checked(record, s, gaps) for s in checked),
        tuple(name(s.key) for s in record.sets if not s.preservation),
        f"words, and sentence embeddings of {encoder}" if encoder else "words alone: no encoder",
        _thresholds(record),
    )


def _checked(record: RunRecord, s: ShiftedSet, gaps: Mapping[tuple[str, str], Gap]) -> CheckedSet:
    suspects = sum(bool(check.reasons) for check in s.preservation)
    reasons = Counter(reason for check in s.preservation for reason in check.reasons)
    known = [c.similarity for c in s.preservation if c.similarity is not None]
    return CheckedSet(
        name(s.key),
        len(s.preservation),
        suspects,
        n.percent(suspects / len(s.preservation)),
        ", ".join(f"{k} {one_line(reason)}" for reason, k in reasons.most_common()) or "–",
        n.number(sum(known) / len(known), 2) if known else "–",
        tuple(
            (i, gap)
            for i, card in enumerate(record.models)
            if (gap := gaps.get((card.name, s.key))) is not None
        ),
    )


def _gaps(record: RunRecord) -> dict[tuple[str, str], Gap]:
    return {(g.model, g.set_key): g for g in record.gaps if g.metric == primary(record)}


def _thresholds(record: RunRecord) -> str:
    limits = record.validity.get("thresholds")
    if not isinstance(limits, Mapping):
        return ""
    said = [
        TITLES[key].format(limit)
        for key, limit in sorted(limits.items())
        if key in TITLES and isinstance(limit, int | float)
    ]
    return "; ".join((*said, "a negation that came or went", "a protected span touched"))


def labels_markdown(record: RunRecord) -> Sequence[str]:
    """Sets with suspects, and what their drops are without them."""
    view = labels(record)
    if view is None:
        return ()
    rows = [
        (
            markdown_code(s.key, cell=True),
            markdown_code(record.models[i].name, cell=True),
            f"{s.suspects} of {s.checked}",
            n.with_bounds(gap.drop),
            "–" if gap.drop_unsuspected is None else n.with_bounds(gap.drop_unsuspected),
        )
        for s in view.sets
        if s.suspects
        for i, gap in s.rows
    ]
    if not rows:
        return (f"None of {n.counted(len(view.sets), 'checked set')} holds a suspect.",)
    table = markdown_table(
        ("Set", "Model", "Suspects", "Drop, all", "Drop, unsuspected"),
        rows[:MOST_ROWS],
        numbers_from=2,
    )
    more = len(rows) - MOST_ROWS
    return (
        table,
        *([f"{n.counted(more, 'further row')} in `report.html`."] if more > 0 else []),
        "Suspects are shifted examples that may have lost their label, by automatic checks; drops in points.",
    )


def distances(record: RunRecord) -> DistanceView | None:
    """Every measured set, the farthest first; None where none was measured."""
    measured = [(s, s.size) for s in record.sets if s.size is not None]
    if not measured:
        return None
    gaps = _gaps(record)
    measured.sort(key=lambda item: (item[1].classifier_error, item[0].key))
    series = tuple(range(len(record.models)))
    return DistanceView(
        tuple(
            DistanceRow(
                name(s.key),
                size,
                n.percent(size.classifier_error),
                tuple(
                    n.points(gap.drop.value) if (gap := gaps.get((card.name, s.key))) else "–"
                    for card in record.models
                ),
            )
            for s, size in measured
        ),
        series,
        any(size.embedding_distance is not None for _, size in measured),
        one_line(next((size.encoder for _, size in measured if size.encoder), "")),
    )
