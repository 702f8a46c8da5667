"""Whether an attack on one model hurts the others: sets built against a model, by every model's drop."""

from __future__ import annotations

from dataclasses import dataclass

from robust_eval.records import Gap, RunRecord
from robust_eval.report import numbers as n
from robust_eval.report.cautions import name, primary
from robust_eval.report.heat import HeatTable, heat_table
from robust_eval.report.text import markdown_code, markdown_table


@dataclass(frozen=True, slots=True)
class TransferView:
    table: HeatTable
    counted: bool  # whether flips could be counted, for the note


def transfer(record: RunRecord) -> TransferView | None:
    """Rows are the sets that were built against a model; None when no set was."""
    rows = _rows(record)
    if not rows:
        return None
    columns = {card.name: name(card.name) for card in record.models}
    values, notes = [], {}
    for label, target, gaps in rows:
        values.append((label, {columns[g.model]: g.drop.value for g in gaps}))
        for gap in gaps:
            notes[label, columns[gap.model]] = "; ".join(
                part for part in ("attacked" if gap.model == target else "", _flips(gap)) if part
            )
    table = heat_table("Set, and model attacked", tuple(columns.values()), values, notes=notes)
    return TransferView(table, any(g.right_to_wrong is not None for _, _, of in rows for g in of))


def transfer_markdown(record: RunRecord) -> list[str]:
    """The matrix for a pull request: drops in points, the attacked model's in bold."""
    rows = _rows(record)
    if not rows:
        return []
    models = [card.name for card in record.models]

    def cell(target: str, gaps: dict[str, Gap], model: str) -> str:
        if model not in gaps:
            return "–"
        drop = n.signed_points(gaps[model].drop.value)
        return f"**{drop}**" if model == target else drop

    table = markdown_table(
        ("Built against", *(markdown_code(model, cell=True) for model in models)),
        [
            (
                markdown_code(label, cell=True),
                *(cell(target, {g.model: g for g in gaps}, model) for model in models),
            )
            for label, target, gaps in rows
        ],
    )
    return [table, "Drops in points; in bold, the drop of the model that was attacked."]


def _rows(record: RunRecord) -> list[tuple[str, str, list[Gap]]]:
    """(label, attacked model, gaps) of every set that was built against a model and scored."""
    rows = []
    for s in record.sets:
        gaps = [g for g in record.gaps if g.set_key == s.key and g.metric == primary(record)]
        if s.built_against and gaps:
            rows.append((f"{name(s.key)} → {name(s.built_against)}", s.built_against, gaps))
    return rows


def _flips(gap: Gap) -> str:
    """Flips among the examples that were right when clean: one of the two success rates in use."""
    if gap.right_to_wrong is None:
        return ""
    right = round(gap.clean.value * gap.drop.n)
    return f"{n.count(gap.right_to_wrong)} of {n.count(right)} right answers lost"
