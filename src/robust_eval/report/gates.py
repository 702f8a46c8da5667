"""The gate's result arranged for a page: one row a check, those that need attention first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from robust_eval.records import GateCheck, RunRecord
from robust_eval.report import numbers as n
from robust_eval.report.cautions import name
from robust_eval.report.text import (
    markdown_bullets,
    markdown_code,
    markdown_table,
    markdown_text,
    one_line,
)

MOST_ROWS = 60  # of the table in `report.md`
ORDER = {"fail": 0, "inconclusive": 1, "pass": 2}
SAYS = {
    "pass": "every limit holds",
    "fail": "a limit is exceeded",
    "inconclusive": "this run cannot tell",
}
KINDS = {
    "max-drop": "drop",
    "max-relative-drop": "relative drop",
    "max-drop-vs-baseline": "drop against baseline",
}


@dataclass(frozen=True, slots=True)
class CheckRow:
    outcome: str
    model: str
    where: str
    what: str
    figure: str  # value and its two one-sided bounds, in points
    limit: str
    originals: str
    reason: str


@dataclass(frozen=True, slots=True)
class GateView:
    outcome: str
    sentence: str
    note: str  # how to read the bounds
    limited: tuple[str, ...]  # to which prompts and checkpoints, a sentence a model or pair
    rows: tuple[CheckRow, ...]


def gate_view(record: RunRecord) -> GateView | None:
    """What the gate said, or None when no gate was asked for."""
    if record.gate is None:
        return None
    gate = record.gate
    tally = [
        f"{sum(c.outcome == outcome for c in gate.checks)} {outcome}"
        for outcome in ORDER
        if any(c.outcome == outcome for c in gate.checks)
    ]
    rows = sorted(gate.checks, key=lambda check: ORDER[check.outcome])
    asked = f", on at least {n.count(gate.minimum_n)} originals" if gate.minimum_n else ""
    return GateView(
        gate.outcome,
        f"{one_line(gate.policy)}: {gate.outcome}, {SAYS[gate.outcome]} "
        f"({n.counted(len(gate.checks), 'check')}: {', '.join(tally)}).",
        f"Bounds are one-sided at {n.level(gate.level)}. A check passes when its upper bound is under the "
        f"limit{asked}, fails when its lower bound, Holm-adjusted over all checks, is over it, and is "
        "inconclusive otherwise.",
        _limited(gate.checks),
        tuple(_row(check) for check in rows),
    )


def _limited(checks: Sequence[GateCheck]) -> tuple[str, ...]:
    parts = dict.fromkeys(part for c in checks for part in c.basis)
    return tuple(one_line(part) for part in parts)


def _row(check: GateCheck) -> CheckRow:
    against = f" {name(check.baseline)}" if check.baseline else ""
    return CheckRow(
        outcome=check.outcome,
        model=name(check.model),
        where=name(check.set_key or check.shift),
        what=KINDS[check.kind] + against,
        figure=n.with_bounds(check.figure) if check.figure else "not measured",
        limit=n.points(check.limit),
        originals=n.count(check.originals),
        reason=one_line(check.reason, 600),
    )


def gate_blocks(record: RunRecord) -> list[str]:
    """The gate in `report.md`: outcome, table, and why for every check that did not pass."""
    gate = gate_view(record)
    if gate is None:
        return []
    table = markdown_table(
        ("Outcome", "Model", "Where", "What", "Figure, bounds", "Limit", "Originals"),
        [
            (
                f"**{row.outcome}**",
                markdown_code(row.model, cell=True),
                markdown_code(row.where, cell=True),
                markdown_text(row.what),
                row.figure,
                row.limit,
                row.originals,
            )
            for row in gate.rows[:MOST_ROWS]
        ],
        numbers_from=4,
    )
    more = len(gate.rows) - MOST_ROWS
    return [
        f"**Gate: {markdown_text(gate.sentence)}**",
        table,
        *([f"{n.counted(more, 'further row')} in `report.html`."] if more > 0 else []),
        *markdown_bullets([row.reason for row in gate.rows if row.outcome != "pass"][:MOST_ROWS]),
        markdown_text(gate.note),
        *([f"Limited to: {markdown_text('; '.join(gate.limited), 600)}."] if gate.limited else []),
    ]
