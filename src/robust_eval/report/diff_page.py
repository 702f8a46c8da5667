"""A page of its own for what changed between two runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from robust_eval.records import DiffRow, RunDiff
from robust_eval.report import numbers as n
from robust_eval.report.cautions import name
from robust_eval.report.charts import (
    COLOURS,
    Chart,
    ForestRow,
    Legend,
    Mark,
    forest,
    legend_mark,
)
from robust_eval.report.text import one_line

CAPTION = "The line is the interval of the change. An interval that holds zero supports no change; one that does not may still fall to the adjustment for the number of figures."
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


def _model(row: DiffRow) -> str:
    model = name(row.new_model)
    return model if row.old_model == row.new_model else f"{name(row.old_model)} → {model}"


def _cells(row: DiffRow) -> tuple[str, ...]:
    return (
        row.verdict,
        _model(row),
        name(row.set_key),
        row.what,
        n.points(row.old),
        n.points(row.new),
        n.with_bounds(row.change, signed=True),
        n.p_value(row.p_holm),
        n.count(row.change.n),
    )


@dataclass(frozen=True, slots=True)
class Changes:
    """The changes of one figure as a forest plot."""

    heading: str
    caption: str
    drawn: Chart


def changes(found: RunDiff) -> tuple[Changes, ...]:
    """Scores, then drops; what has no row is left out."""
    kinds = (
        ("score", "Scores, new minus old", ("worse", "change of the score, points", "better")),
        (
            "drop",
            "Drops, new minus old",
            ("loses less", "change of the drop, points", "loses more"),
        ),
    )
    if not found.higher_is_better:
        kinds = ((*kinds[0][:2], ("better", kinds[0][2][1], "worse")), kinds[1])
    models = list(dict.fromkeys(_model(row) for row in found.rows))
    made = []
    for what, heading, axis in kinds:
        rows = [
            ForestRow(
                key,
                tuple(
                    _mark(row, models)
                    for row in found.rows
                    if (row.set_key, row.what) == (key, what)
                ),
            )
            for key in dict.fromkeys(row.set_key for row in found.rows if row.what == what)
        ]
        if not rows:
            continue
        draw = {
            "title": heading,
            "description": f"{heading}, with intervals around zero. The table below has the same figures.",
            "axis": axis,
            "signed": True,
        }
        drawn = Chart(
            forest(rows, ident=f"{what}w", wide=True, **draw),  # type: ignore[arg-type]
            forest(rows, ident=f"{what}n", wide=False, **draw),  # type: ignore[arg-type]
            tuple(Legend(model, legend_mark(i), i % COLOURS) for i, model in enumerate(models)),
        )
        made.append(Changes(heading, CAPTION, drawn))
    return tuple(made)


def _mark(row: DiffRow, models: Sequence[str]) -> Mark:
    note = f"{_model(row)}, {name(row.set_key)}: {row.verdict}, {n.with_bounds(row.change, signed=True)} points"
    return Mark(models.index(_model(row)), row.change, note)


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
            charts=changes(found),
            svg=Markup,
            series=(),
            n=n,
            head=HEAD,
            rows=diff_rows(found),
            notes=[one_line(note, 400) for note in found.notes],
            metric=found.metric,
            level=n.level(found.level),
            style=Markup(style),
            policy=policy(style, ""),
        )
    )
