"""Stacked bars around zero: what a figure is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from robust_eval.report.charts.drawing import CHAR, Scale, document, escaped, fixed, linear_scale
from robust_eval.report.numbers import number, signed_points
from robust_eval.report.text import one_line, shorten


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of one bar: a share of the examples, below zero to the left of the line."""

    kind: int  # index of the legend's entry, `.k0` to `.k5` in the style sheet
    share: float
    note: str


@dataclass(frozen=True, slots=True)
class Bar:
    label: str
    parts: tuple[Part, ...]
    total: float  # written at the end of the bar


@dataclass(frozen=True, slots=True)
class BarGroup:
    label: str
    bars: tuple[Bar, ...]


def stacked_bars(
    groups: Sequence[BarGroup],
    *,
    ident: str,
    title: str,
    description: str,
    caption: str,
    wide: bool,
) -> str:
    """One bar a row, its parts laid end to end from zero to either side."""
    width = 860.0 if wide else 350.0
    left, right = (330.0, width - 64.0) if wide else (10.0, width - 52.0)
    pitch, head, gap, top = (22.0 if wide else 40.0), 24.0, 8.0, 10.0
    ends = [
        sum(p.share for p in bar.parts if (p.share > 0) is positive)
        for group in groups
        for bar in group.bars
        for positive in (True, False)
    ]
    scale, ticks = linear_scale(ends, left, right, 6 if wide else 4)
    bands: list[str] = []
    body: list[str] = []
    spans: list[tuple[float, float]] = []
    y = top
    for at, group in enumerate(groups):
        height = head + pitch * len(group.bars) + gap
        if at % 2 == 0:
            bands.append(
                f'<rect class="band" x="0" y="{fixed(y)}" width="{fixed(width)}" height="{fixed(height)}"/>'
            )
        body.append(_label(group.label, 8, y + 17, int(width / CHAR) - 3, "label"))
        for i, bar in enumerate(group.bars):
            start = y + head + pitch * i
            bar_y = start + (3 if wide else 20)
            text_y = start + (15 if wide else 13)
            room = int((left - 24) / CHAR) if wide else int(width / CHAR) - 4
            body.append(_label(bar.label, 20 if wide else 12, text_y, room, ""))
            body += _pieces(bar, scale, bar_y, 15)
            body.append(
                f'<text class="figure" x="{fixed(width - 8)}" y="{fixed(bar_y + 12)}" text-anchor="end">'
                f"{signed_points(bar.total)}</text>"
            )
            spans.append((bar_y - 3, bar_y + 18))
        y += height
    lines = []
    for tick in ticks:
        name = "zero" if tick == 0 else "grid"
        path = "".join(f"M{fixed(scale(tick))} {fixed(a)}V{fixed(b)}" for a, b in spans)
        lines.append(
            f'<path class="{name}" d="{path}"/><text class="tick" x="{fixed(scale(tick))}" '
            f'y="{fixed(y + 16)}" text-anchor="middle">{number(tick * 100, 0)}</text>'
        )
    lines.append(
        f'<text class="axis" x="{fixed((left + right) / 2)}" y="{fixed(y + 35)}" text-anchor="middle">'
        f"{escaped(caption)}</text>"
    )
    return document(ident, title, description, width, y + 46, [*bands, *lines, *body])


def kind_mark(kind: int) -> str:
    """A part's look by itself, for a legend."""
    return (
        '<svg class="key" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false">'
        f'<rect class="k{kind}" x="1" y="2" width="14" height="12"/></svg>'
    )


def _label(text: str, x: float, y: float, room: int, name: str) -> str:
    kind = f' class="{name}"' if name else ""
    return (
        f'<text{kind} x="{fixed(x)}" y="{fixed(y)}">{escaped(shorten(text, room))}'
        f"<title>{escaped(one_line(text))}</title></text>"
    )


def _pieces(bar: Bar, scale: Scale, y: float, height: float) -> list[str]:
    drawn = []
    ahead, behind = 0.0, 0.0
    for part in bar.parts:
        if part.share == 0:
            continue
        start = ahead if part.share > 0 else behind
        end = start + part.share
        if part.share > 0:
            ahead = end
        else:
            behind = end
        x1, x2 = sorted((scale(start), scale(end)))
        drawn.append(
            f'<rect class="k{part.kind}" x="{fixed(x1)}" y="{fixed(y)}" width="{fixed(max(x2 - x1, 0.8))}" '
            f'height="{fixed(height)}"><title>{escaped(part.note)}</title></rect>'
        )
    return drawn
