"""What each attack did to the model that it was built against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from robust_eval.records import AttackFigures, RunRecord
from robust_eval.report import numbers as n
from robust_eval.report.cautions import name
from robust_eval.report.text import markdown_code, markdown_table

MOST_ROWS = 60  # of the table in report.md


@dataclass(frozen=True, slots=True)
class AttackRow:
    series: int
    key: str
    figures: AttackFigures
    clean: str  # score on the attacked examples
    robust: str
    flipped: str
    wrong: str
    queries: str
    edits: str
    similarity: str
    budgets: str


def attacks(record: RunRecord) -> tuple[AttackRow, ...] | None:
    """One row an attack and victim; None when nothing was attacked."""
    at = {card.name: i for i, card in enumerate(record.models)}
    return tuple(_row(at[f.model], f) for f in record.attacks if f.model in at) or None


def attacks_markdown(record: RunRecord) -> Sequence[str]:
    rows = attacks(record)
    if not rows:
        return []
    table = markdown_table(
        ("Attack", "Clean", "Robust", "Success rate", "Errors over all", "Queries", "Suspects"),
        (
            (
                markdown_code(row.key, cell=True),
                row.clean,
                row.robust,
                row.flipped,
                row.wrong,
                row.queries,
                f"{row.figures.suspected} of {row.figures.succeeded}",
            )
            for row in rows[:MOST_ROWS]
        ),
        numbers_from=1,
    )
    return [
        table,
        "Each model on what was built against it. Success rate: flips among examples right when clean. Queries: median and "
        "95th percentile. Suspects: successes whose right label may have changed.",
    ]


def _row(series: int, f: AttackFigures) -> AttackRow:
    size = f.attacked + f.skipped
    queries = "–"
    if f.queries_median is not None and f.queries_p95 is not None:
        queries = f"{n.number(f.queries_median)}; {n.number(f.queries_p95, 0)}"
    edits = "–"
    if f.edit_rate is not None and f.words_changed is not None:
        edits = f"{n.percent(f.edit_rate)} of characters, {n.percent(f.words_changed)} of words"
    return AttackRow(
        series=series,
        key=name(f.set_key),
        figures=f,
        clean=n.percent(f.attacked / size),
        robust=n.percent(1.0 - f.wrong.value),
        flipped="–"
        if f.flipped is None
        else _share(f.flipped.value, f.flipped.low, f.flipped.high),
        wrong=_share(f.wrong.value, f.wrong.low, f.wrong.high),
        queries=queries,
        edits=edits,
        similarity="–" if f.similarity is None else n.number(f.similarity, 2),
        budgets=", ".join(
            f"{n.count(budget)}: {n.percent(share)}" for budget, share in f.by_budget
        ),
    )


def _share(value: float, low: float, high: float) -> str:
    return f"{n.percent(value)} ({n.points(low)} to {n.points(high)})"
