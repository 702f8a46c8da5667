"""Curves of a score against a dose, each in the band of its intervals."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from robust_eval.records import Estimate
from robust_eval.report.charts.drawing import COLOURS, document, escaped, fixed, shape
from robust_eval.report.charts.plot import Axis, Plot, share_axis


@dataclass(frozen=True, slots=True)
class Point:
    """A score at one severity; severity 0 is the clean set. `dose` is a share of characters."""

    severity: int
    dose: float | None
    estimate: Estimate
    note: str


@dataclass(frozen=True, slots=True)
class Curve:
    series: int
    points: tuple[Point, ...]


def severity_curves(
    curves: Sequence[Curve], *, ident: str, title: str, description: str, floor: float | None
) -> str:
    """Scores by realised dose where every set has one, else by severity; `floor` is the majority rate."""
    shown = [p for curve in curves for p in curve.points]
    values = [b for p in shown for b in (p.estimate.low, p.estimate.high)]
    floor = _worth_showing(floor, values)
    by_dose = _has_doses(curves)
    plot = Plot(_x_axis(shown, by_dose=by_dose), share_axis(values), 380, 278, top=30, inset=16)
    parts = plot.frame()
    if by_dose:
        parts += _severities(plot, shown)
    parts += _floor(plot, floor)

    def x_of(p: Point) -> float:
        return (p.dose or 0.0) if by_dose else float(p.severity)

    parts += _drawn(plot, curves, x_of)
    return document(ident, title, description, plot.width, plot.height, parts)


def learning_curves(
    curves: Sequence[Curve],
    steps: Sequence[str],
    *,
    ident: str,
    title: str,
    description: str,
    floor: float | None,
) -> str:
    """Scores by number of examples: a point's `severity` is its place among the steps, which are evenly apart."""
    shown = [p for curve in curves for p in curve.points]
    values = [b for p in shown for b in (p.estimate.low, p.estimate.high)]
    floor = _worth_showing(floor, values)
    ticks = tuple((float(i), step) for i, step in enumerate(steps))
    axis = Axis(0.0, max(1.0, len(steps) - 1.0), ticks, "examples")
    plot = Plot(axis, share_axis(values), 380, 278, top=30, inset=22)
    parts = plot.frame() + _floor(plot, floor)
    parts += _drawn(plot, curves, lambda p: float(p.severity))
    return document(ident, title, description, plot.width, plot.height, parts)


def _worth_showing(floor: float | None, values: list[float]) -> float | None:
    """The floor where it lies near the values, which then hold it."""
    if floor is None or floor <= min(values, default=1.0) - 0.1:
        return None
    values.append(floor)
    return floor


def _floor(plot: Plot, floor: float | None) -> list[str]:
    if floor is None:
        return []
    y = plot.y_of(floor)
    return [
        f'<path class="floor" d="M{fixed(plot.left)} {fixed(y)}H{fixed(plot.right)}"/>'
        f'<text class="tick" x="{fixed(plot.left + 4)}" y="{fixed(y - 5)}">majority label</text>'
    ]


def _drawn(plot: Plot, curves: Sequence[Curve], x_of: Callable[[Point], float]) -> list[str]:
    """Every band, then every line with its marks over them."""
    parts = []
    for curve in curves:
        upper = [(x_of(p), p.estimate.high) for p in curve.points]
        lower = [(x_of(p), p.estimate.low) for p in reversed(curve.points)]
        parts.append(
            f'<g class="s{curve.series % COLOURS}">{plot.line([*upper, *lower], "ribbon")}</g>'
        )
    for curve in curves:
        line = plot.line([(x_of(p), p.estimate.value) for p in curve.points], "curve")
        parts.append(f'<g class="s{curve.series % COLOURS}">{line}')
        for p in curve.points:
            x, y = plot.x_of(x_of(p)), plot.y_of(p.estimate.value)
            parts.append(f"<g><title>{escaped(p.note)}</title>{shape(curve.series, x, y)}</g>")
        parts.append("</g>")
    return parts


def _has_doses(curves: Sequence[Curve]) -> bool:
    """Whether a dose is known everywhere and grows along every curve, so that it can be an axis."""
    doses = [[p.dose for p in curve.points if p.dose is not None] for curve in curves]
    return all(
        len(row) == len(curve.points) and all(a < b for a, b in itertools.pairwise(row))
        for row, curve in zip(doses, curves, strict=True)
    )


def _x_axis(shown: Sequence[Point], *, by_dose: bool) -> Axis:
    if by_dose:
        return share_axis(
            [p.dose or 0.0 for p in shown] + [0.0], "realised dose, share of characters edited"
        )
    severities = sorted({p.severity for p in shown})
    ticks = tuple((float(s), "clean" if s == 0 else str(s)) for s in severities)
    return Axis(severities[0], max(severities[-1], severities[0] + 1), ticks, "severity asked for")


def _severities(plot: Plot, shown: Sequence[Point]) -> list[str]:
    """Above the frame, which severity gave which dose; of those too close together the first stands."""
    parts = []
    last = -100.0
    for severity, dose in sorted({p.severity: p.dose or 0.0 for p in shown}.items()):
        x = plot.x_of(dose)
        if severity and x - last >= 10:
            last = x
            parts.append(
                f'<text class="tick" x="{fixed(x)}" y="{fixed(plot.top - 8)}" text-anchor="middle">{severity}</text>'
            )
    return parts
