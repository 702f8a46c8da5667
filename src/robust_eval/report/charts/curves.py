"""Curves of a score against a dose."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from robust_eval.records import Estimate
from robust_eval.report.charts.drawing import COLOURS, document, escaped, fixed, round_step, shape
from robust_eval.report.numbers import number


@dataclass(frozen=True, slots=True)
class Point:
    """A score at one severity; severity 0 is the clean set."""

    severity: int
    estimate: Estimate
    note: str


@dataclass(frozen=True, slots=True)
class Curve:
    series: int
    points: tuple[Point, ...]


def severity_curves(
    curves: Sequence[Curve], *, ident: str, title: str, description: str, floor: float | None
) -> str:
    """Scores by severity with intervals, one line a series; `floor` is drawn as the majority rate."""
    width, height, left, top, right, bottom = 380.0, 270.0, 44.0, 16.0, 366.0, 222.0
    shown = [p for curve in curves for p in curve.points]
    values = [b for p in shown for b in (p.estimate.low, p.estimate.high)]
    if floor is not None and floor > min(values) - 0.1:
        values.append(floor)
    else:
        floor = None
    step = round_step(max(values) - min(values), 5)
    low = max(0.0, math.floor(min(values) / step + 1e-9) * step)
    high = min(1.0, math.ceil(max(values) / step - 1e-9) * step)
    high = max(high, low + step)
    severities = sorted({p.severity for p in shown})
    span = max(severities[-1] - severities[0], 1)

    def x_of(severity: int) -> float:
        return left + 22 + (severity - severities[0]) / span * (right - left - 44)

    def y_of(value: float) -> float:
        return bottom - (min(max(value, low), high) - low) / (high - low) * (bottom - top)

    parts = []
    for i in range(round((high - low) / step) + 1):
        value = low + i * step
        parts.append(
            f'<line class="grid" x1="{fixed(left)}" x2="{fixed(right)}" y1="{fixed(y_of(value))}" y2="{fixed(y_of(value))}"/>'
            f'<text class="tick" x="{fixed(left - 7)}" y="{fixed(y_of(value) + 4)}" text-anchor="end">'
            f"{number(value * 100, 0)}%</text>"
        )
    for severity in severities:
        word = "clean" if severity == 0 else str(severity)
        parts.append(
            f'<text class="tick" x="{fixed(x_of(severity))}" y="{fixed(bottom + 18)}" text-anchor="middle">{word}</text>'
        )
    if floor is not None:
        parts.append(
            f'<line class="floor" x1="{fixed(left)}" x2="{fixed(right)}" y1="{fixed(y_of(floor))}" y2="{fixed(y_of(floor))}"/>'
            f'<text class="tick" x="{fixed(left + 4)}" y="{fixed(y_of(floor) - 5)}">majority label</text>'
        )
    parts.append(
        f'<text class="axis" x="{fixed((left + right) / 2)}" y="{fixed(bottom + 38)}" text-anchor="middle">severity asked for</text>'
    )
    for at, curve in enumerate(curves):
        dodge = (at - (len(curves) - 1) / 2) * min(9.0, 36.0 / max(len(curves), 1))
        path = " ".join(
            f"{'M' if i == 0 else 'L'}{fixed(x_of(p.severity) + dodge)} {fixed(y_of(p.estimate.value))}"
            for i, p in enumerate(curve.points)
        )
        parts.append(f'<g class="s{curve.series % COLOURS}"><path class="curve" d="{path}"/>')
        for p in curve.points:
            x, y = x_of(p.severity) + dodge, y_of(p.estimate.value)
            parts.append(
                f'<g><title>{escaped(p.note)}</title><line class="whisker" x1="{fixed(x)}" x2="{fixed(x)}" '
                f'y1="{fixed(y_of(p.estimate.low))}" y2="{fixed(y_of(p.estimate.high))}"/>'
                f"{shape(curve.series, x, y)}</g>"
            )
        parts.append("</g>")
    return document(ident, title, description, width, height, parts)
