"""Risk-coverage curves: how often the answers that are kept are wrong, when only the surest are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from robust_eval.report.charts.drawing import COLOURS, document, escaped, shape
from robust_eval.report.charts.plot import Axis, Plot, share_axis


@dataclass(frozen=True, slots=True)
class RiskCurve:
    """One line: a model on one set or family. `series` chooses marker and colour."""

    series: int
    label: str
    points: tuple[tuple[float, float], ...]  # (share answered, share wrong of those), rising


def risk_curves(curves: Sequence[RiskCurve], *, ident: str, title: str, description: str) -> str:
    """Share wrong by share answered; a model that knows what it does not know rises to the right."""
    ticks = tuple((i / 4, f"{i * 25}%") for i in range(5))
    risks = [risk for curve in curves for _, risk in curve.points]
    across = Axis(0.0, 1.0, ticks, "answered, surest first")
    plot = Plot(across, share_axis([0.0, *risks], "share wrong"), 380, 278, top=30)
    parts = plot.frame()
    for curve in curves:
        parts.append(f'<g class="c{curve.series % COLOURS}">{plot.line(curve.points, "curve")}')
        for coverage, risk in curve.points:
            note = f"{curve.label}, the surest {coverage:.0%} answered: {risk:.1%} of them wrong"
            mark = shape(curve.series, plot.x_of(coverage), plot.y_of(risk))
            parts.append(f"<g><title>{escaped(note)}</title>{mark}</g>")
        parts.append("</g>")
    return document(ident, title, description, plot.width, plot.height, parts)
