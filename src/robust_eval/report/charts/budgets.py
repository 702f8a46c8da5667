"""How much of a score an attack leaves, by the queries that it is allowed."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from robust_eval.report.charts.drawing import COLOURS, document, escaped, shape
from robust_eval.report.charts.plot import Axis, Plot, share_axis
from robust_eval.report.numbers import count

GAP = 30.0  # pixels between two ticks, so that their numbers stay apart


@dataclass(frozen=True, slots=True)
class BudgetCurve:
    """Of one model under attack: (queries allowed, share still right) from small to large, and a note a point."""

    series: int
    points: tuple[tuple[int, float], ...]
    notes: tuple[str, ...]


def budget_curves(
    curves: Sequence[BudgetCurve], *, ident: str, title: str, description: str
) -> str:
    """Steps down from the clean score; queries stand on a logarithmic axis, as attacks differ by powers of ten."""
    budgets = sorted({budget for curve in curves for budget, _ in curve.points})
    shares = [share for curve in curves for _, share in curve.points]
    most = math.log(max(budgets[-1], 2))
    x = Axis(0.0, most, (), "queries allowed for an example")
    plot = Plot(x, share_axis(shares), 380, 278, top=30, inset=12)
    ticks: list[tuple[float, str]] = []
    for budget in budgets:
        at = math.log(budget)
        if not ticks or plot.x_of(at) - plot.x_of(ticks[-1][0]) >= GAP:
            ticks.append((at, count(budget)))
    plot = Plot(Axis(0.0, most, tuple(ticks), x.caption), plot.y, 380, 278, top=30, inset=12)
    parts = plot.frame()
    for curve in curves:
        steps = [(math.log(b), share) for b, share in curve.points]
        # The share holds until the next budget: a step, not a slope.
        corners = [steps[0]]
        for (_, before), (at, share) in itertools.pairwise(steps):
            corners += [(at, before), (at, share)]
        parts.append(f'<g class="s{curve.series % COLOURS}">{plot.line(corners, "curve")}')
        for (at, share), note in zip(steps, curve.notes, strict=True):
            mark = shape(curve.series, plot.x_of(at), plot.y_of(share))
            parts.append(f"<g><title>{escaped(note)}</title>{mark}</g>")
        parts.append("</g>")
    return document(ident, title, description, plot.width, plot.height, parts)
