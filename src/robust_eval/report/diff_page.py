"""A page of its own for what changed between two runs."""

from __future__ import annotations

from robust_eval.records import DiffRow, RunDiff
from robust_eval.report import numbers as n
from robust_eval.report.cautions import name
from robust_eval.report.text import one_line

ORDER = {"worse": 0, "better": 1, "no supported change": 2}


def diff_sentence(found: RunDiff) -> str:
    """The outcome in one sentence, for page and terminal."""
    counts = {v: sum(row.verdict == v for row in found.rows) for v in ORDER}
    return (
        f"From {one_line(found.old, 120)} to {one_line(found.new, 120)}: {counts['worse']} worse, "
        f"{counts['better']} better, {counts['no supported change']} without a supported change, of "
        f"{n.counted(len(found.rows), 'figure')}."
    )


def diff_rows(found: RunDiff) -> list[tuple[str, ...]]:
    """Cells of every row, supported changes first."""
    rows = sorted(found.rows, key=lambda row: ORDER[row.verdict])
    return [_cells(row) for row in rows]


HEAD = ("Verdict", "Model", "Set", "Figure", "Old", "New", "Change", "p (Holm)", "Examples")


def _cells(row: DiffRow) -> tuple[str, ...]:
    model = name(row.new_model)
    if row.old_model != row.new_model:
        model = f"{name(row.old_model)} → {model}"
    return (
        row.verdict,
        model,
        name(row.set_key),
        row.what,
        n.points(row.old),
        n.points(row.new),
        n.with_bounds(row.change, signed=True),
        n.p_value(row.p_holm),
        n.count(row.change.n),
    )


def render_diff(found: RunDiff) -> str:
    """One offline page under the report's own policy: no script, one style."""
    from markupsafe import Markup

    from robust_eval.report.html import asset, environment, policy

    style = asset("report.css")
    return (
        environment()
        .get_template("diff.html.j2")
        .render(
            sentence=diff_sentence(found),
            head=HEAD,
            rows=diff_rows(found),
            notes=[one_line(note, 400) for note in found.notes],
            metric=found.metric,
            level=n.level(found.level),
            style=Markup(style),
            policy=policy(style, ""),
        )
    )
