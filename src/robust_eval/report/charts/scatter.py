"""Score on the clean set against score on a shifted one, with the line of no loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from robust_eval.records import Estimate
from robust_eval.report.charts.drawing import COLOURS, document, escaped, fixed, shape
from robust_eval.report.charts.plot import Plot, share_axis


@dataclass(frozen=True, slots=True)
class Spot:
    """One model on one set."""

    series: int
    clean: Estimate
    shifted: Estimate
    note: str


def clean_against_shifted(
    spots: Sequence[Spot],
    *,
    ident: str,
    title: str,
    description: str,
) -> str:
    """A square plot on one scale for both axes."""
    values = [b for s in spots for e in (s.clean, s.shifted) for b in (e.low, e.high)]
    axis = share_axis(values)
    size = 380.0
    plot = Plot(
        share_axis(values, "score on the clean set"),
        share_axis(values, "score, shifted"),
        size,
        size,
        top=30,
    )
    parts = plot.frame(vertical_grid=True)
    parts.append(plot.line([(axis.low, axis.low), (axis.high, axis.high)], "floor"))
    for s in spots:
        x, y = plot.x_of(s.clean.value), plot.y_of(s.shifted.value)
        across = f"M{plot.at(s.clean.low, s.shifted.value)}H{fixed(plot.x_of(s.clean.high))}"
        down = f"M{plot.at(s.clean.value, s.shifted.low)}V{fixed(plot.y_of(s.shifted.high))}"
        parts.append(
            f'<g class="s{s.series % COLOURS}"><title>{escaped(s.note)}</title>'
            f'<path class="whisker faint" d="{across}{down}"/>{shape(s.series, x, y)}</g>'
        )
    return document(ident, title, description, plot.width, plot.height, parts)
