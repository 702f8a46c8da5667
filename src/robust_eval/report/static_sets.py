"""Published adversarial sets: success by both definitions, for every model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from robust_eval.records import RunRecord
from robust_eval.report import numbers as n
from robust_eval.report.cautions import name
from robust_eval.report.text import markdown_code, markdown_table

MOST_ROWS = 60  # of the table in report.md


@dataclass(frozen=True, slots=True)
class StaticRow:
    series: int
    key: str
    model: str
    wrong: str
    flipped: str
    examples: str


def static_sets(record: RunRecord) -> tuple[StaticRow, ...] | None:
    """One row a set and model; None when the run has no such set."""
    at = {card.name: i for i, card in enumerate(record.models)}
    return (
        tuple(
            StaticRow(
                at[f.model],
                name(f.set_key),
                name(f.model),
                n.score_with_bounds(f.wrong),
                "–"
                if f.flipped is None
                else f"{n.score_with_bounds(f.flipped)} of {n.count(f.flipped.n)}",
                n.count(f.wrong.n),
            )
            for f in record.static
            if f.model in at
        )
        or None
    )


def static_markdown(record: RunRecord) -> Sequence[str]:
    rows = static_sets(record)
    if not rows:
        return []
    table = markdown_table(
        ("Adversarial set", "Model", "Errors over all", "Flips among right", "Examples"),
        (
            (
                markdown_code(row.key, cell=True),
                markdown_code(row.model, cell=True),
                row.wrong,
                row.flipped,
                row.examples,
            )
            for row in rows[:MOST_ROWS]
        ),
        numbers_from=2,
    )
    return [table, "Made before this run, against other models. Flips need originals among the test examples."]  # fmt: skip
