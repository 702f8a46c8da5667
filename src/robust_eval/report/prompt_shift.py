"""Prompt-side shift apart from input shift: what a model loses when the same thing is asked otherwise."""

from __future__ import annotations

from dataclasses import dataclass, replace

from robust_eval.records import Comparison, Gap, RunRecord
from robust_eval.report import numbers as n
from robust_eval.report.cautions import name, primary
from robust_eval.report.prompt_attacks import (
    DropRate,
    InstructionAttack,
    drop_rates,
    instruction_attacks,
    prompt_attacks_markdown,
)
from robust_eval.report.text import markdown_code, markdown_table, markdown_text, one_line

MOST_ROWS = 60  # of the table in report.md


@dataclass(frozen=True, slots=True)
class PromptRow:
    """One prompt-side set for one model: its gap, or why there is none."""

    series: int
    model: str
    gap: Gap | None
    reason: str
    attacked: bool = False  # whether the edit was found by an attack on this very model


@dataclass(frozen=True, slots=True)
class PromptSet:
    key: str
    rows: tuple[PromptRow, ...]


@dataclass(frozen=True, slots=True)
class PromptView:
    sets: tuple[PromptSet, ...]
    comparisons: tuple[Comparison, ...]  # of whole shifts, between models that both have a prompt
    unprompted: tuple[str, ...]  # models that none of the sets applies to
    attacks: tuple[InstructionAttack, ...] = ()
    rates: tuple[DropRate, ...] = ()


def texts_only(record: RunRecord) -> RunRecord:
    """The record without its prompt-side sets: what charts, tables and the verdict of texts rest on."""
    shifts = {s.shift for s in record.sets if s.family == "prompt"}
    if not shifts:
        return record
    keys = {s.key for s in record.sets if s.family == "prompt"}
    return replace(
        record,
        sets=tuple(s for s in record.sets if s.key not in keys),
        predictions={where: p for where, p in record.predictions.items() if where[1] not in keys},
        scores={where: v for where, v in record.scores.items() if where[1] not in keys},
        gaps=tuple(gap for gap in record.gaps if gap.set_key not in keys),
        comparisons=tuple(c for c in record.comparisons if c.shift not in shifts),
    )


def prompt_view(record: RunRecord) -> PromptView | None:
    """Every prompt-side set with a row a prompted model; None when the run has no such set."""
    asked = [s for s in record.sets if s.family == "prompt"]
    if not asked:
        return None
    metric = primary(record)
    gaps = {(g.model, g.set_key): g for g in record.gaps if g.metric == metric}
    why = {(entry.model, entry.set_key): entry.reason for entry in record.not_applicable}
    bare = [c.name for c in record.models if not any((c.name, s.key) in gaps for s in asked)]
    shifts = {s.shift for s in asked}
    return PromptView(
        sets=tuple(
            PromptSet(
                name(s.key),
                tuple(
                    PromptRow(
                        i,
                        name(card.name),
                        gaps.get((card.name, s.key)),
                        one_line(why.get((card.name, s.key), "not answered")),
                        card.name == s.built_against,
                    )
                    for i, card in enumerate(record.models)
                    if card.name not in bare
                ),
            )
            for s in asked
        ),
        comparisons=tuple(
            c
            for c in record.comparisons
            if c.shift in shifts and c.set_key is None and c.metric == metric
        ),
        unprompted=tuple(map(name, bare)),
        attacks=instruction_attacks(record),
        rates=drop_rates(record),
    )


def prompt_markdown(record: RunRecord) -> list[str]:
    """The same as a table for `report.md`; nothing when the run has no such set."""
    view = prompt_view(record)
    if view is None:
        return []
    rows = [(s.key, row) for s in view.sets for row in s.rows]
    table = markdown_table(
        ("Prompt edit", "Model", "Clean", "Edited prompt", "Drop, points"),
        (
            (
                markdown_code(key, cell=True),
                markdown_code(row.model, cell=True),
                *(
                    (
                        n.percent(row.gap.clean.value),
                        n.percent(row.gap.shifted.value),
                        n.with_bounds(row.gap.drop),
                    )
                    if row.gap
                    else ("–", "–", f"not applicable: {markdown_text(row.reason)}")
                ),
            )
            for key, row in rows[:MOST_ROWS]
        ),
        numbers_from=2,
    )
    blocks = ["The clean examples, asked with an edited prompt.", *([table] if rows else [])]
    if len(rows) > MOST_ROWS:
        blocks.append(f"{n.counted(len(rows) - MOST_ROWS, 'further row')} in `report.html`.")
    blocks += prompt_attacks_markdown(record)
    if view.unprompted:
        names = ", ".join(markdown_code(model) for model in view.unprompted)
        blocks.append(f"Without a prompt to edit, so not asked and in no test here: {names}.")
    return blocks
