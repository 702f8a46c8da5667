"""Attacks on instructions: what was changed, where it was found, and what it cost there."""

from __future__ import annotations

from dataclasses import dataclass

from robust_eval.records import RunRecord, SharedChange
from robust_eval.report import numbers as n
from robust_eval.report.cautions import name
from robust_eval.report.diffs import Segment, diff
from robust_eval.report.text import markdown_code, markdown_table, one_line


@dataclass(frozen=True, slots=True)
class InstructionAttack:
    """One attack on one model's instruction; scores are of its development examples, not of the test."""

    attack: str
    model: str
    series: int | None  # None: one of several members of a model
    change: SharedChange
    segments: tuple[Segment, ...]
    developed: str
    tried: str
    words: str

    @property
    def found(self) -> bool:
        return self.change.after != self.change.before


@dataclass(frozen=True, slots=True)
class DropRate:
    """Performance drop rate of a model under one prompt-side shift."""

    shift: str
    model: str
    series: int
    rate: str
    reason: str


def instruction_attacks(record: RunRecord) -> tuple[InstructionAttack, ...]:
    """One row a set that an attack on an instruction made, in the record's order."""
    at = {card.name: i for i, card in enumerate(record.models)}
    return tuple(
        InstructionAttack(
            attack=name(s.key.removesuffix(f">{s.built_against}")),
            model=name(s.built_against),
            series=at.get(s.built_against),
            change=change,
            segments=diff(change.before, change.after),
            developed=f"{n.percent(change.score_before)} → {n.percent(change.score_after)}, "
            f"{n.counted(change.development, 'example')}",
            tried=n.count(change.queries)
            + ("" if s.budget is None else f" of {n.count(s.budget)}")
            + (f"; {n.counted(change.unanswered, 'request')} failed" if change.unanswered else ""),
            words=f"{n.count(change.words_changed)} of {n.count(change.words)}",
        )
        for s in record.sets
        if s.family == "prompt" and s.built_against is not None
        for change in s.shared
    )


def drop_rates(record: RunRecord) -> tuple[DropRate, ...]:
    """The rates of all prompt-side shifts; of an attack only of the models that it was built against."""
    if record.analysis is None:
        return ()
    shifts = {s.shift for s in record.sets if s.family == "prompt"}
    at = {card.name: i for i, card in enumerate(record.models)}
    return tuple(
        DropRate(
            name(r.shift),
            name(r.model),
            at[r.model],
            n.with_bounds(r.rate) if r.rate else "–",
            one_line(r.reason),
        )
        for r in record.analysis.relative_drops
        if r.shift in shifts and r.model in at
    )


def prompt_attacks_markdown(record: RunRecord) -> list[str]:
    """Tables for `report.md`: instructions before and after, and drop rates; nothing where there are none."""
    blocks = []
    if found := instruction_attacks(record):
        table = markdown_table(
            ("Attacked", "Instruction", "Worst found", "On development examples", "Wordings"),
            [
                (
                    markdown_code(a.model, cell=True),
                    markdown_code(one_line(a.change.before), cell=True),
                    markdown_code(one_line(a.change.after), cell=True) if a.found else "none worse",
                    a.developed,
                    a.tried,
                )
                for a in found
            ],
        )
        blocks += ["Instructions that an attack changed; tested above on other examples.", table]
    if rates := drop_rates(record):
        table = markdown_table(
            ("Prompt-side shift", "Model", "Performance drop rate, percent"),
            [
                (
                    markdown_code(r.shift, cell=True),
                    markdown_code(r.model, cell=True),
                    r.rate + (f" ({r.reason})" if r.reason else ""),
                )
                for r in rates
            ],
            numbers_from=2,
        )
        blocks.append(table)
    return blocks
