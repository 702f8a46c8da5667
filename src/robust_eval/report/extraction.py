"""Written answers read strictly and leniently, side by side: how much of a drop is a matter of form."""

from __future__ import annotations

from dataclasses import dataclass

from robust_eval.records import CLEAN, Extraction, Gap, RunRecord
from robust_eval.report import numbers as n
from robust_eval.report.cautions import name, primary
from robust_eval.report.text import markdown_code, markdown_table

MOST_ROWS = 20  # of the short form


@dataclass(frozen=True, slots=True)
class Reading:
    """One model on one set, both ways."""

    series: int
    model: str
    set_key: str
    strict: str  # shares of the answers that came
    lenient: str
    unread: str
    scores: tuple[str, str]  # strict, lenient
    drops: tuple[str, str] | None  # None on the clean set


def readings(record: RunRecord) -> tuple[Reading, ...] | None:
    """None for runs in which no model wrote its answers."""
    if record.analysis is None or not record.analysis.extractions:
        return None
    at = {card.name: i for i, card in enumerate(record.models)}
    of = {(g.model, g.set_key): g for g in record.gaps if g.metric == primary(record)}
    first = {g.model: g for g in reversed(of.values())}
    return tuple(
        _reading(e, first[e.model] if e.set_key == CLEAN else of[e.model, e.set_key], at[e.model])
        for e in record.analysis.extractions
        if e.model in first and (e.set_key == CLEAN or (e.model, e.set_key) in of)
    )


def _reading(e: Extraction, gap: Gap, series: int) -> Reading:
    total = (e.strict + e.lenient + e.unread) or 1
    lenient = gap.clean if e.set_key == CLEAN else gap.shifted
    return Reading(
        series,
        name(e.model),
        name(e.set_key),
        n.percent(e.strict / total),
        n.percent(e.lenient / total),
        n.percent(e.unread / total),
        (n.score_with_bounds(e.score), n.score_with_bounds(lenient)),
        None if e.drop is None else (n.with_bounds(e.drop), n.with_bounds(gap.drop)),
    )


def readings_markdown(record: RunRecord) -> list[str]:
    """The same as a table."""
    rows = readings(record)
    if rows is None:
        return []
    table = markdown_table(
        (
            "Set",
            "Model",
            "Read strictly",
            "Only leniently",
            "Not at all",
            "Score, strict",
            "Score, lenient",
            "Drop, strict",
            "Drop, lenient",
        ),
        (
            (
                markdown_code(row.set_key, cell=True),
                markdown_code(row.model, cell=True),
                row.strict,
                row.lenient,
                row.unread,
                *row.scores,
                *(row.drops or ("–", "–")),
            )
            for row in rows[:MOST_ROWS]
        ),
        numbers_from=2,
    )
    more = len(rows) - MOST_ROWS
    return [
        "Strict: only answers in the form that was asked for count. Lenient, as in every other figure: an answer "
        "found in other words counts too. Drops in points.",
        table,
        *([f"{n.counted(more, 'further row')} in `report.html`."] if more > 0 else []),
    ]
