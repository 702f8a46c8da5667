"""A plot with two numeric axes: its frame, and where a pair of values lies in it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from robust_eval.report.charts.drawing import escaped, fixed, round_step
from robust_eval.report.numbers import number


@dataclass(frozen=True, slots=True)
class Axis:
    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]  # value and what is written beside it
    caption: str

    def share(self, value: float) -> float:
        """Where a value lies between the ends, [0, 1]; what is outside lies on the nearer end."""
        return (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)


@dataclass(frozen=True, slots=True)
class Plot:
    x: Axis
    y: Axis
    width: float
    height: float
    left: float = 46.0
    top: float = 16.0
    inset: float = 0.0  # free space inside the frame, left and right of the x axis' ends

    @property
    def right(self) -> float:
        return self.width - 22.0

    @property
    def bottom(self) -> float:
        return self.height - 48.0

    def x_of(self, value: float) -> float:
        return (
            self.left + self.inset + self.x.share(value) * (self.right - self.left - 2 * self.inset)
        )

    def y_of(self, value: float) -> float:
        return self.bottom - self.y.share(value) * (self.bottom - self.top)

    def at(self, x: float, y: float) -> str:
        return f"{fixed(self.x_of(x))} {fixed(self.y_of(y))}"

    def line(self, points: Sequence[tuple[float, float]], name: str) -> str:
        joined = "L".join(self.at(x, y) for x, y in points)
        return f'<path class="{name}" d="M{joined}"/>'

    def frame(self, *, vertical_grid: bool = False) -> list[str]:
        """Grid, ticks and captions."""
        parts = []
        for value, word in self.y.ticks:
            y = self.y_of(value)
            parts.append(
                f'<path class="grid" d="M{fixed(self.left)} {fixed(y)}H{fixed(self.right)}"/>'
                f'<text class="tick" x="{fixed(self.left - 7)}" y="{fixed(y + 4)}" text-anchor="end">'
                f"{escaped(word)}</text>"
            )
        for value, word in self.x.ticks:
            x = self.x_of(value)
            if vertical_grid:
                parts.append(
                    f'<path class="grid" d="M{fixed(x)} {fixed(self.top)}V{fixed(self.bottom)}"/>'
                )
            parts.append(
                f'<text class="tick" x="{fixed(x)}" y="{fixed(self.bottom + 17)}" text-anchor="middle">'
                f"{escaped(word)}</text>"
            )
        middle = (self.left + self.right) / 2
        parts.append(
            f'<text class="axis" x="{fixed(middle)}" y="{fixed(self.bottom + 37)}" text-anchor="middle">'
            f"{escaped(self.x.caption)}</text>"
        )
        if self.y.caption:
            parts.append(f'<text class="axis" x="8" y="16">{escaped(self.y.caption)}</text>')
        return parts


def share_axis(
    values: Sequence[float],
    caption: str = "",
    *,
    most: int = 5,
    bounds: tuple[float, float] = (0.0, 1.0),
) -> Axis:
    """An axis in per cent with round ticks around the values, which need not include zero."""
    finite = [v for v in values if math.isfinite(v)] or [bounds[0]]
    step = round_step(max(finite) - min(finite), most)
    low = max(bounds[0], math.floor(min(finite) / step + 1e-9) * step)
    high = min(bounds[1], math.ceil(max(finite) / step - 1e-9) * step)
    if high - low < step / 2:
        low, high = (low - step, high) if high >= bounds[1] else (low, low + step)
    count = round((high - low) / step)
    ticks = tuple(
        (low + i * step, f"{number((low + i * step) * 100, 0)}%") for i in range(count + 1)
    )
    return Axis(low, high, ticks, caption)
