"""Scores under a shift against clean ones on probit axes: a panel, its line and band, and a run's models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from robust_eval.report.charts.drawing import COLOURS, document, escaped, fixed, shape
from robust_eval.report.charts.plot import Axis, Plot
from robust_eval.report.charts.scatter import Spot

NORMAL = NormalDist()
TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)
EDGE = 0.002  # scores nearer to 0 or 1 are drawn there
SIZE = 400.0


@dataclass(frozen=True, slots=True)
class Dot:
    """One member of the panel."""

    clean: float
    shifted: float
    note: str


def probit_line(
    dots: Sequence[Dot],
    band: Sequence[tuple[float, float, float, float]],
    spots: Sequence[Spot],
    *,
    ident: str,
    title: str,
    description: str,
) -> str:
    """A square plot; `band` holds (clean, expected, low, high), left to right. All are shares."""
    values = [v for d in dots for v in (d.clean, d.shifted)]
    values += [v for row in band for v in row]
    values += [v for s in spots for e in (s.clean, s.shifted) for v in (e.value, e.low, e.high)]
    axis = probit_axis(values)
    plot = Plot(
        Axis(axis.low, axis.high, axis.ticks, "score on the clean set (probit scale)"),
        Axis(axis.low, axis.high, axis.ticks, "score, shifted (probit scale)"),
        SIZE,
        SIZE,
        top=30,
    )
    parts = plot.frame(vertical_grid=True)
    upper = [(probit(x), probit(high)) for x, _, _, high in band]
    lower = [(probit(x), probit(low)) for x, _, low, _ in reversed(band)]
    if band:
        parts.append(plot.line([*upper, *lower], "panel-band"))
    parts.append(plot.line([(axis.low, axis.low), (axis.high, axis.high)], "floor"))
    if band:
        parts.append(plot.line([(probit(x), probit(y)) for x, y, _, _ in band], "reference"))
    for dot in dots:
        x, y = plot.x_of(probit(dot.clean)), plot.y_of(probit(dot.shifted))
        parts.append(
            f'<g class="member"><title>{escaped(dot.note)}</title>'
            f'<circle cx="{fixed(x)}" cy="{fixed(y)}" r="3.2"/></g>'
        )
    for spot in spots:
        clean, shifted = spot.clean, spot.shifted
        x, y = plot.x_of(probit(clean.value)), plot.y_of(probit(shifted.value))
        across = (
            f"M{fixed(plot.x_of(probit(clean.low)))} {fixed(y)}"
            f"H{fixed(plot.x_of(probit(clean.high)))}"
        )
        down = (
            f"M{fixed(x)} {fixed(plot.y_of(probit(shifted.low)))}"
            f"V{fixed(plot.y_of(probit(shifted.high)))}"
        )
        parts.append(
            f'<g class="s{spot.series % COLOURS}"><title>{escaped(spot.note)}</title>'
            f'<path class="whisker faint" d="{across}{down}"/>{shape(spot.series, x, y)}</g>'
        )
    return document(ident, title, description, plot.width, plot.height, parts)


def probit(share: float) -> float:
    return NORMAL.inv_cdf(min(max(share, EDGE), 1 - EDGE))


def probit_axis(values: Sequence[float]) -> Axis:
    """From the tick under the smallest score to the one over the largest, written in per cent."""
    low, high = min(values), max(values)
    ends = (EDGE, *TICKS, 1 - EDGE)
    first = max(t for t in ends[:-1] if t <= max(low, EDGE))
    last = min(t for t in ends if t >= min(high, 1 - EDGE) and t > first)
    inside = [t for t in TICKS if first <= t <= last]
    return Axis(
        probit(first), probit(last), tuple((probit(t), f"{t * 100:.0f}%") for t in inside), ""
    )
