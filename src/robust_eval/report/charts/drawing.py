"""What every chart is drawn with: the frame, positions, ticks and markers, all as SVG text.

Classes stand instead of styles, so that a page's own theme applies and its policy can forbid inline
styles. A series is told apart by colour and by marker shape, never by colour alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from robust_eval.report.text import visible

COLOURS = 6  # `.s0` to `.s5` in the style sheet
CHAR = 6.7  # average width of a character of the 12-pixel labels, generously


@dataclass(frozen=True, slots=True)
class Legend:
    name: str
    mark: str  # SVG
    colour: int


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart drawn twice, for a wide page and for a phone."""

    wide: str
    narrow: str
    legend: tuple[Legend, ...]
    missing: tuple[str, ...] = ()  # "model on set" for what could not be drawn


def document(
    ident: str, title: str, description: str, width: float, height: float, parts: Sequence[str]
) -> str:
    return (
        f'<svg class="chart" role="img" aria-labelledby="{ident}-t {ident}-d" '
        f'viewBox="0 0 {fixed(width)} {fixed(height)}" width="{fixed(width)}" height="{fixed(height)}">'
        f'<title id="{ident}-t">{escaped(title)}</title><desc id="{ident}-d">{escaped(description)}</desc>'
        f"{''.join(parts)}</svg>"
    )


def fixed(value: float) -> str:
    """A coordinate to a tenth of a pixel, without a trailing zero and without −0."""
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def escaped(text: str) -> str:
    return escape(visible(text))


def legend_mark(series: int, colours: str = "s") -> str:
    """A series' marker by itself, for a legend that names it in text beside it.

    `colours` is the letter of the classes: `s` for models, `c` for conditions of one model.
    """
    return (
        f'<svg class="key {colours}{series % COLOURS}" viewBox="0 0 16 16" width="16" height="16" '
        f'aria-hidden="true" focusable="false">{shape(series, 8, 8)}</svg>'
    )


def shape(series: int, x: float, y: float) -> str:
    """A marker: circle, square, diamond, triangle up, triangle down, hexagon, bar, in turn.

    Seven shapes against six colours: 42 series before a pair of the two comes back.
    """
    kind = series % 7
    if kind == 0:
        return f'<circle class="mark" cx="{fixed(x)}" cy="{fixed(y)}" r="4.6"/>'
    corners = (
        ((-4.2, -4.2), (4.2, -4.2), (4.2, 4.2), (-4.2, 4.2)),
        ((0, -5.8), (5.8, 0), (0, 5.8), (-5.8, 0)),
        ((0, -5.4), (5.4, 4.4), (-5.4, 4.4)),
        ((0, 5.4), (5.4, -4.4), (-5.4, -4.4)),
        ((-5.4, 0), (-2.7, -4.7), (2.7, -4.7), (5.4, 0), (2.7, 4.7), (-2.7, 4.7)),
        ((-2.2, -5.6), (2.2, -5.6), (2.2, 5.6), (-2.2, 5.6)),
    )[kind - 1]
    joined = " ".join(f"{fixed(x + dx)},{fixed(y + dy)}" for dx, dy in corners)
    return f'<polygon class="mark" points="{joined}"/>'


class Scale:
    """Shares to x positions, linear."""

    def __init__(self, low: float, high: float, left: float, right: float) -> None:
        self.low, self.high, self.left, self.right = low, high, left, right

    def __call__(self, value: float) -> float:
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.left + share * (self.right - self.left)


def linear_scale(
    values: Sequence[float], left: float, right: float, most: int
) -> tuple[Scale, list[float]]:
    """A scale over the values and zero, with ticks at round numbers of points."""
    finite = [v for v in values if math.isfinite(v)]
    low, high = min([*finite, 0.0]), max([*finite, 0.0])
    if high - low < 0.02:
        low, high = low - 0.01, high + 0.01
    step = round_step(high - low, most)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    scale = Scale(first * step, last * step, left + 8, right - 8)
    return scale, [i * step for i in range(first, last + 1)]


def round_step(span: float, most: int) -> float:
    """The smallest round step that gives at most that many intervals."""
    for step in (0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5):
        if span / step <= most:
            return step
    return 1.0
