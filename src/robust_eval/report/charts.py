"""Charts as SVG text, drawn beforehand: classes instead of styles, so that a page's own theme applies.

A series is told apart by colour and by marker shape, never by colour alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from robust_eval.records import Estimate
from robust_eval.report.numbers import number, points, signed_points
from robust_eval.report.text import one_line, shorten, visible

COLOURS = 6  # `.s0` to `.s5` in the style sheet
CHAR = 6.7  # average width of a character of the 12-pixel labels, generously


@dataclass(frozen=True, slots=True)
class Mark:
    """One interval of one series; `note` is what a pointer over it shows."""

    series: int
    estimate: Estimate
    note: str


@dataclass(frozen=True, slots=True)
class ForestRow:
    label: str
    marks: tuple[Mark, ...]


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


def forest(
    rows: Sequence[ForestRow],
    *,
    ident: str,
    title: str,
    description: str,
    axis: tuple[str, str, str],
    wide: bool,
    signed: bool = False,
) -> str:
    """Intervals by row around a zero line; `axis` names the left end, the middle and the right end.

    `wide` puts labels and figures beside the plot; otherwise labels stand above it, for a phone.
    """
    width = 860.0 if wide else 350.0
    left, right = (190.0, width - 170.0) if wide else (10.0, width - 52.0)
    pitch, lead, gap, top = 20.0, 0.0 if wide else 18.0, 12.0, 34.0
    scale, ticks = _scale(
        [b for row in rows for m in row.marks for b in (m.estimate.low, m.estimate.high)],
        left,
        right,
        6 if wide else 4,
    )
    bands: list[str] = []
    body: list[str] = []
    y = top
    for at, row in enumerate(rows):
        height = lead + pitch * max(1, len(row.marks)) + gap
        if at % 2 == 0:
            bands.append(
                f'<rect class="band" x="0" y="{_f(y)}" width="{_f(width)}" height="{_f(height)}"/>'
            )
        y += height
    bottom = y
    # On a phone the lines leave the labels free, which stand in the plot.
    spans = [(top, bottom)] if wide else []
    y = top
    for row in () if wide else rows:
        height = lead + pitch * max(1, len(row.marks)) + gap
        spans.append((y + lead + gap / 2, y + height))
        y += height
    grid = [
        f'<path class="{"zero" if tick == 0 else "grid"}" d="'
        + "".join(f"M{_f(scale(tick))} {_f(start)}V{_f(end)}" for start, end in spans)
        + f'"/><text class="tick" x="{_f(scale(tick))}" y="{_f(bottom + 16)}" text-anchor="middle">'
        f"{number(tick * 100, 0, signed=signed)}</text>"
        for tick in ticks
    ]
    y = top
    for row in rows:
        label = shorten(row.label, int((left - 14) / CHAR) if wide else int(width / CHAR) - 3)
        block = pitch * max(1, len(row.marks))
        at_y = y + gap / 2 + (block / 2 + 4 if wide else 13)
        body.append(
            f'<text class="label" x="{_f(8)}" y="{_f(at_y)}">{_t(label)}'
            f"<title>{_t(one_line(row.label))}</title></text>"
        )
        for i, mark in enumerate(row.marks):
            centre = y + gap / 2 + lead + pitch * (i + 0.5)
            body.append(_interval(mark, scale, centre))
            e, show = mark.estimate, signed_points if signed else points
            figure = f"{show(e.value)} ({show(e.low)} to {show(e.high)})" if wide else show(e.value)
            body.append(
                f'<text class="figure" x="{_f(width - 8)}" y="{_f(centre + 4)}" text-anchor="end">'
                f"{_t(figure)}</text>"
            )
        y += lead + block + gap
    ends = _axis_ends(axis, left, right, scale(0.0), width, wide=wide)
    caption = (
        f'<text class="axis" x="{_f((left + right) / 2)}" y="{_f(bottom + 34)}" text-anchor="middle">'
        f"{_t(axis[1])}</text>"
    )
    return _svg(
        ident, title, description, width, bottom + 44, [*bands, *grid, *body, ends, caption]
    )


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
    step = _step(max(values) - min(values), 5)
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
            f'<line class="grid" x1="{_f(left)}" x2="{_f(right)}" y1="{_f(y_of(value))}" y2="{_f(y_of(value))}"/>'
            f'<text class="tick" x="{_f(left - 7)}" y="{_f(y_of(value) + 4)}" text-anchor="end">'
            f"{number(value * 100, 0)}%</text>"
        )
    for severity in severities:
        word = "clean" if severity == 0 else str(severity)
        parts.append(
            f'<text class="tick" x="{_f(x_of(severity))}" y="{_f(bottom + 18)}" text-anchor="middle">{word}</text>'
        )
    if floor is not None:
        parts.append(
            f'<line class="floor" x1="{_f(left)}" x2="{_f(right)}" y1="{_f(y_of(floor))}" y2="{_f(y_of(floor))}"/>'
            f'<text class="tick" x="{_f(left + 4)}" y="{_f(y_of(floor) - 5)}">majority label</text>'
        )
    parts.append(
        f'<text class="axis" x="{_f((left + right) / 2)}" y="{_f(bottom + 38)}" text-anchor="middle">severity asked for</text>'
    )
    for at, curve in enumerate(curves):
        dodge = (at - (len(curves) - 1) / 2) * min(9.0, 36.0 / max(len(curves), 1))
        path = " ".join(
            f"{'M' if i == 0 else 'L'}{_f(x_of(p.severity) + dodge)} {_f(y_of(p.estimate.value))}"
            for i, p in enumerate(curve.points)
        )
        parts.append(f'<g class="s{curve.series % COLOURS}"><path class="curve" d="{path}"/>')
        for p in curve.points:
            x, y = x_of(p.severity) + dodge, y_of(p.estimate.value)
            parts.append(
                f'<g><title>{_t(p.note)}</title><line class="whisker" x1="{_f(x)}" x2="{_f(x)}" '
                f'y1="{_f(y_of(p.estimate.low))}" y2="{_f(y_of(p.estimate.high))}"/>'
                f"{shape(curve.series, x, y)}</g>"
            )
        parts.append("</g>")
    return _svg(ident, title, description, width, height, parts)


def legend_mark(series: int) -> str:
    """A series' marker by itself, for a legend that names it in text beside it."""
    return (
        f'<svg class="key s{series % COLOURS}" viewBox="0 0 16 16" width="16" height="16" '
        f'aria-hidden="true" focusable="false">{shape(series, 8, 8)}</svg>'
    )


def shape(series: int, x: float, y: float) -> str:
    """A marker: circle, square, diamond, triangle up, triangle down, hexagon, bar, in turn.

    Seven shapes against six colours: 42 series before a pair of the two comes back.
    """
    kind = series % 7
    if kind == 0:
        return f'<circle class="mark" cx="{_f(x)}" cy="{_f(y)}" r="4.6"/>'
    corners = (
        ((-4.2, -4.2), (4.2, -4.2), (4.2, 4.2), (-4.2, 4.2)),
        ((0, -5.8), (5.8, 0), (0, 5.8), (-5.8, 0)),
        ((0, -5.4), (5.4, 4.4), (-5.4, 4.4)),
        ((0, 5.4), (5.4, -4.4), (-5.4, -4.4)),
        ((-5.4, 0), (-2.7, -4.7), (2.7, -4.7), (5.4, 0), (2.7, 4.7), (-2.7, 4.7)),
        ((-2.2, -5.6), (2.2, -5.6), (2.2, 5.6), (-2.2, 5.6)),
    )[kind - 1]
    joined = " ".join(f"{_f(x + dx)},{_f(y + dy)}" for dx, dy in corners)
    return f'<polygon class="mark" points="{joined}"/>'


class _Scale:
    """Shares to x positions, linear."""

    def __init__(self, low: float, high: float, left: float, right: float) -> None:
        self.low, self.high, self.left, self.right = low, high, left, right

    def __call__(self, value: float) -> float:
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.left + share * (self.right - self.left)


def _scale(
    values: Sequence[float], left: float, right: float, most: int
) -> tuple[_Scale, list[float]]:
    """A scale over the values and zero, with ticks at round numbers of points."""
    finite = [v for v in values if math.isfinite(v)]
    low, high = min([*finite, 0.0]), max([*finite, 0.0])
    if high - low < 0.02:
        low, high = low - 0.01, high + 0.01
    step = _step(high - low, most)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    scale = _Scale(first * step, last * step, left + 8, right - 8)
    return scale, [i * step for i in range(first, last + 1)]


def _step(span: float, most: int) -> float:
    """The smallest round step that gives at most that many intervals."""
    for step in (0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5):
        if span / step <= most:
            return step
    return 1.0


def _interval(mark: Mark, scale: _Scale, y: float) -> str:
    e = mark.estimate
    x1, x2 = scale(e.low), scale(e.high)
    return (
        f'<g class="s{mark.series % COLOURS}"><title>{_t(mark.note)}</title>'
        f'<line class="whisker" x1="{_f(x1)}" x2="{_f(x2)}" y1="{_f(y)}" y2="{_f(y)}"/>'
        f'<line class="whisker" x1="{_f(x1)}" x2="{_f(x1)}" y1="{_f(y - 3.5)}" y2="{_f(y + 3.5)}"/>'
        f'<line class="whisker" x1="{_f(x2)}" x2="{_f(x2)}" y1="{_f(y - 3.5)}" y2="{_f(y + 3.5)}"/>'
        f"{shape(mark.series, scale(e.value), y)}</g>"
    )


def _axis_ends(
    axis: tuple[str, str, str], left: float, right: float, zero: float, width: float, *, wide: bool
) -> str:
    """What lies left and right of zero, said above the plot, on the side it belongs to when there is room."""
    before, _, after = axis
    if wide and zero - left > len(before) * 6 + 10 and right - zero > len(after) * 6 + 10:
        return (
            f'<text class="end" x="{_f(zero - 8)}" y="22" text-anchor="end">← {_t(before)}</text>'
            f'<text class="end" x="{_f(zero + 8)}" y="22">{_t(after)} →</text>'
        )
    start = left if wide else 8.0
    end = right if wide else width - 8
    return (
        f'<text class="end" x="{_f(start)}" y="22">← {_t(before)}</text>'
        f'<text class="end" x="{_f(end)}" y="22" text-anchor="end">{_t(after)} →</text>'
    )


def _svg(
    ident: str, title: str, description: str, width: float, height: float, parts: Sequence[str]
) -> str:
    return (
        f'<svg class="chart" role="img" aria-labelledby="{ident}-t {ident}-d" '
        f'viewBox="0 0 {_f(width)} {_f(height)}" width="{_f(width)}" height="{_f(height)}">'
        f'<title id="{ident}-t">{_t(title)}</title><desc id="{ident}-d">{_t(description)}</desc>'
        f"{''.join(parts)}</svg>"
    )


def _f(value: float) -> str:
    """A coordinate to a tenth of a pixel, without a trailing zero and without −0."""
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def _t(text: str) -> str:
    return escape(visible(text))
