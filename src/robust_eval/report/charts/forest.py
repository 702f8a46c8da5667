"""The forest plot: intervals by row around zero."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from robust_eval.records import Estimate
from robust_eval.report.charts.drawing import (
    CHAR,
    COLOURS,
    Scale,
    document,
    escaped,
    fixed,
    linear_scale,
    shape,
)
from robust_eval.report.numbers import number, points, signed_points
from robust_eval.report.text import one_line, shorten


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
    scale, ticks = linear_scale(
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
                f'<rect class="band" x="0" y="{fixed(y)}" width="{fixed(width)}" height="{fixed(height)}"/>'
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
        + "".join(f"M{fixed(scale(tick))} {fixed(start)}V{fixed(end)}" for start, end in spans)
        + f'"/><text class="tick" x="{fixed(scale(tick))}" y="{fixed(bottom + 16)}" text-anchor="middle">'
        f"{number(tick * 100, 0, signed=signed)}</text>"
        for tick in ticks
    ]
    y = top
    for row in rows:
        label = shorten(row.label, int((left - 14) / CHAR) if wide else int(width / CHAR) - 3)
        block = pitch * max(1, len(row.marks))
        at_y = y + gap / 2 + (block / 2 + 4 if wide else 13)
        body.append(
            f'<text class="label" x="{fixed(8)}" y="{fixed(at_y)}">{escaped(label)}'
            f"<title>{escaped(one_line(row.label))}</title></text>"
        )
        for i, mark in enumerate(row.marks):
            centre = y + gap / 2 + lead + pitch * (i + 0.5)
            body.append(_interval(mark, scale, centre))
            e, show = mark.estimate, signed_points if signed else points
            figure = f"{show(e.value)} ({show(e.low)} to {show(e.high)})" if wide else show(e.value)
            body.append(
                f'<text class="figure" x="{fixed(width - 8)}" y="{fixed(centre + 4)}" text-anchor="end">'
                f"{escaped(figure)}</text>"
            )
        y += lead + block + gap
    ends = _axis_ends(axis, left, right, scale(0.0), width, wide=wide)
    caption = (
        f'<text class="axis" x="{fixed((left + right) / 2)}" y="{fixed(bottom + 34)}" text-anchor="middle">'
        f"{escaped(axis[1])}</text>"
    )
    return document(
        ident, title, description, width, bottom + 44, [*bands, *grid, *body, ends, caption]
    )


def _interval(mark: Mark, scale: Scale, y: float) -> str:
    e = mark.estimate
    x1, x2 = scale(e.low), scale(e.high)
    return (
        f'<g class="s{mark.series % COLOURS}"><title>{escaped(mark.note)}</title>'
        f'<line class="whisker" x1="{fixed(x1)}" x2="{fixed(x2)}" y1="{fixed(y)}" y2="{fixed(y)}"/>'
        f'<line class="whisker" x1="{fixed(x1)}" x2="{fixed(x1)}" y1="{fixed(y - 3.5)}" y2="{fixed(y + 3.5)}"/>'
        f'<line class="whisker" x1="{fixed(x2)}" x2="{fixed(x2)}" y1="{fixed(y - 3.5)}" y2="{fixed(y + 3.5)}"/>'
        f"{shape(mark.series, scale(e.value), y)}</g>"
    )


def _axis_ends(
    axis: tuple[str, str, str], left: float, right: float, zero: float, width: float, *, wide: bool
) -> str:
    """What lies left and right of zero, said above the plot, on the side it belongs to when there is room."""
    before, _, after = axis
    if wide and zero - left > len(before) * 6 + 10 and right - zero > len(after) * 6 + 10:
        return (
            f'<text class="end" x="{fixed(zero - 8)}" y="22" text-anchor="end">← {escaped(before)}</text>'
            f'<text class="end" x="{fixed(zero + 8)}" y="22">{escaped(after)} →</text>'
        )
    start = left if wide else 8.0
    end = right if wide else width - 8
    return (
        f'<text class="end" x="{fixed(start)}" y="22">← {escaped(before)}</text>'
        f'<text class="end" x="{fixed(end)}" y="22" text-anchor="end">{escaped(after)} →</text>'
    )
