"""What each attack did to the model that it was built against: a table, what smaller budgets leave, and triggers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from robust_eval.records import AttackFigures, RunRecord, SharedChange
from robust_eval.report import numbers as n
from robust_eval.report.cautions import name
from robust_eval.report.charts import BudgetCurve, budget_curves
from robust_eval.report.text import markdown_code, markdown_table, one_line

MOST_ROWS = 60  # of the table in report.md


@dataclass(frozen=True, slots=True)
class AttackRow:
    series: int
    shift: str
    key: str
    attack: str  # the key without the model that it names
    figures: AttackFigures
    clean: str  # score on the attacked examples
    robust: str
    flipped: str
    unsuspected: str  # the same without suspects; empty where labels were not checked
    wrong: str
    queries: str
    edits: str
    similarity: str
    budgets: str
    reduced: str  # what an attack that shortens texts did, in one phrase; empty for every other
    control: str  # the random baseline in one phrase; empty where it was not run


@dataclass(frozen=True, slots=True)
class TriggerRow:
    """One universal trigger; the scores are of its development examples."""

    series: int
    key: str
    attack: str
    label: str
    change: SharedChange
    text: str
    developed: str
    tried: str


@dataclass(frozen=True, slots=True)
class AttacksView:
    rows: tuple[AttackRow, ...]
    charts: tuple[tuple[str, str], ...]  # (attack, SVG): the score left by queries allowed
    triggers: tuple[TriggerRow, ...]


def attacks(record: RunRecord) -> AttacksView | None:
    """One row an attack and victim; None when nothing was attacked."""
    rows = _rows(record)
    if not rows:
        return None
    return AttacksView(rows, _charts(rows), _triggers(record))


def _series(record: RunRecord) -> dict[str, int]:
    """Which series a model is shown as; each seed and draw of a model as that model."""
    return {
        known: i for i, card in enumerate(record.models) for known in (card.name, *card.members)
    }


def _rows(record: RunRecord) -> tuple[AttackRow, ...]:
    at = _series(record)
    shifts = {s.key: s.shift for s in record.sets}
    return tuple(
        _row(at[f.model], shifts.get(f.set_key, f.set_key), f)
        for f in record.attacks
        if f.model in at
    )


def _charts(rows: Sequence[AttackRow]) -> tuple[tuple[str, str], ...]:
    charts = []
    for number, shift in enumerate(dict.fromkeys(row.shift for row in rows)):
        curves = [
            BudgetCurve(
                row.series,
                row.figures.by_budget,
                tuple(
                    f"{name(row.figures.model)}, {n.counted(budget, 'query', 'queries')} allowed: "
                    f"{n.percent(share)}"
                    for budget, share in row.figures.by_budget
                ),
            )
            for row in rows
            if row.shift == shift and row.figures.by_budget
        ]
        if curves:
            svg = budget_curves(
                curves,
                ident=f"ab{number}",
                title=f"Score left by queries allowed: {name(shift)}",
                description="Share of the attacked examples that are still right when the attack may ask so many "
                "texts about each. The table above has the same figures.",
            )
            charts.append((name(shift), svg))
    return tuple(charts)


def _triggers(record: RunRecord) -> tuple[TriggerRow, ...]:
    at = _series(record)
    return tuple(
        TriggerRow(
            at[s.built_against],
            name(s.key),
            name(s.key.removesuffix(f">{s.built_against}")),
            name(change.label) if change.label else "all",
            change,
            name(change.after) if change.after else "none that hurts",
            f"{n.percent(change.score_before)} → {n.percent(change.score_after)}, "
            f"{n.counted(change.development, 'example')}",
            n.count(change.queries),
        )
        for s in record.sets
        if s.family == "adversarial" and s.built_against in at
        for change in s.shared
    )


def attacks_markdown(record: RunRecord) -> Sequence[str]:
    rows = _rows(record)
    if not rows:
        return []
    table = markdown_table(
        (
            "Attack",
            "Clean",
            "Robust",
            "Success rate",
            "Errors over all",
            "Queries",
            "Edits",
            "Similarity",
            "Suspects",
        ),
        (
            (
                markdown_code(row.key, cell=True),
                row.clean,
                row.robust,
                row.flipped,
                row.wrong,
                row.queries,
                row.edits,
                row.similarity,
                f"{row.figures.suspected} of {row.figures.succeeded}",
            )
            for row in rows[:MOST_ROWS]
        ),
        numbers_from=1,
    )
    return [
        table,
        "Each model on what was built against it. Success rate: flips among examples right when clean. Queries: median and "
        "95th percentile. Edits and similarity: means over the successes. Suspects: successes whose right label may have changed.",
        *(f"{markdown_code(row.key)}: {row.reduced}." for row in rows[:MOST_ROWS] if row.reduced),
        *(f"{markdown_code(row.key)}: {row.control}." for row in rows[:MOST_ROWS] if row.control),
        *_budgets_markdown(rows),
        *_triggers_markdown(record),
    ]


def _budgets_markdown(rows: Sequence[AttackRow]) -> list[str]:
    asked = [row for row in rows if row.figures.by_budget]
    if not asked:
        return []
    table = markdown_table(
        ("Attack", "Score left by queries allowed an example"),
        ((markdown_code(row.key, cell=True), row.budgets) for row in asked[:MOST_ROWS]),
        numbers_from=2,
    )
    return [table]


def _triggers_markdown(record: RunRecord) -> list[str]:
    rows = _triggers(record)
    if not rows:
        return []
    table = markdown_table(
        ("Trigger of", "Label", "Place", "Words", "On development examples", "Versions tried"),
        (
            (
                markdown_code(row.key, cell=True),
                markdown_code(row.label, cell=True),
                row.change.place,
                markdown_code(one_line(row.text), cell=True) if row.change.after else row.text,
                row.developed,
                row.tried,
            )
            for row in rows[:MOST_ROWS]
        ),
        numbers_from=5,
    )
    return [table, "Found on one half of the test examples; the figures above are of the other."]


def _row(series: int, shift: str, f: AttackFigures) -> AttackRow:
    size = f.attacked + f.skipped
    queries = "–"
    if f.queries_median is not None and f.queries_p95 is not None:
        queries = f"{n.number(f.queries_median)}; {n.number(f.queries_p95, 0)}"
    edits = "–"
    if f.edit_rate is not None and f.words_changed is not None:
        edits = f"{n.percent(f.edit_rate)} of characters, {n.percent(f.words_changed)} of words"
    return AttackRow(
        series=series,
        shift=shift,
        key=name(f.set_key),
        attack=name(f.set_key.removesuffix(f">{f.model}")),
        figures=f,
        clean=n.percent(f.attacked / size),
        robust=n.percent(1.0 - f.wrong.value),
        flipped="–" if f.flipped is None else n.score_with_bounds(f.flipped),
        unsuspected=""
        if f.flipped_unsuspected is None
        else n.score_with_bounds(f.flipped_unsuspected),
        wrong=n.score_with_bounds(f.wrong),
        queries=queries,
        edits=edits,
        similarity="–" if f.similarity is None else n.number(f.similarity, 2),
        reduced=_reduced(f),
        control=_control(f),
        budgets=", ".join(
            f"{n.count(budget)}: {n.percent(share)}" for budget, share in f.by_budget
        ),
    )


def _control(f: AttackFigures) -> str:
    if f.control is None:
        return ""
    test = "" if f.control_p is None else f"; exact McNemar {n.p_is(f.control_p)}"
    return f"{n.score_with_bounds(f.control)} flipped by random changes with as many queries for each example{test}"


def _reduced(f: AttackFigures) -> str:
    if not f.keeps_answer or f.words_changed is None:
        return ""
    return (
        f"{n.count(f.succeeded)} of {n.counted(f.attacked, 'text')} were cut short with the same answer, by "
        f"{n.percent(f.words_changed)} of their words"
    )
