"""Heat maps as tables: every cell says its figure, the colour only helps to find it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from robust_eval.records import RunRecord
from robust_eval.report import numbers as n
from robust_eval.report.cautions import name, primary

STEPS = 5  # `.loss-1` to `.loss-5` and `.gain-1` to `.gain-5` in the style sheet


@dataclass(frozen=True, slots=True)
class HeatCell:
    text: str
    tone: str  # class of the colour; "" for none
    note: str = ""  # smaller, under the figure


@dataclass(frozen=True, slots=True)
class HeatRow:
    label: str
    cells: tuple[HeatCell, ...]


@dataclass(frozen=True, slots=True)
class HeatTable:
    corner: str  # what the rows are
    columns: tuple[str, ...]
    rows: tuple[HeatRow, ...]


def tone(share: float, most: float) -> str:
    """The class for a loss (above zero) or a gain, in steps of a fifth of `most`, the largest shown."""
    if most <= 0 or abs(share) < most / 50:
        return ""
    step = min(STEPS, max(1, -int(-abs(share) * STEPS / most // 1)))
    return f"{'loss' if share > 0 else 'gain'}-{step}"


def heat_table(
    corner: str,
    columns: Sequence[str],
    rows: Sequence[tuple[str, Mapping[str, float]]],
    *,
    notes: Mapping[tuple[str, str], str] | None = None,
) -> HeatTable:
    """Shares as signed points, coloured on one scale; a column missing from a row is a dash.

    `rows` holds (label, column -> share), positive being a loss; `notes` is by (label, column).
    """
    most = max((abs(v) for _, values in rows for v in values.values()), default=0.0)
    made = []
    for label, values in rows:
        cells = tuple(
            HeatCell(
                n.signed_points(values[column]),
                tone(values[column], most),
                (notes or {}).get((label, column), ""),
            )
            if column in values
            else HeatCell("–", "")
            for column in columns
        )
        made.append(HeatRow(label, cells))
    return HeatTable(corner, tuple(columns), tuple(made))


def drops(record: RunRecord) -> HeatTable | None:
    """Every set's drop for every model on the primary metric; None when nothing could be scored."""
    found = {(g.set_key, g.model): g.drop for g in record.gaps if g.metric == primary(record)}
    columns = {card.name: name(card.name) for card in record.models}
    rows = [
        (name(s.key), {columns[m]: e.value for (key, m), e in found.items() if key == s.key})
        for s in record.sets
        if any(key == s.key for key, _ in found)
    ]
    notes = {
        (name(key), columns[m]): "interval holds zero"
        for (key, m), e in found.items()
        if e.low <= 0 <= e.high
    }
    return heat_table("Set", tuple(columns.values()), rows, notes=notes) if rows else None
