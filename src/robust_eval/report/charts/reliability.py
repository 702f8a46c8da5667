"""Reliability diagrams: how often a model is right, by how sure it says it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from robust_eval.report.charts.drawing import COLOURS, document, escaped, shape
from robust_eval.report.charts.plot import Axis, Plot


@dataclass(frozen=True, slots=True)
class Bin:
    low: float
    high: float
    count: int
    confidence: float  # mean of the answers in it
    accuracy: float


@dataclass(frozen=True, slots=True)
class Reliability:
    """One line: a model on one set or family. `series` chooses marker and colour."""

    series: int
    label: str
    bins: tuple[Bin, ...]  # those that hold answers, left to right


FEW = 10  # answers in a bin under which its mark is drawn faint


def reliability_diagram(
    lines: Sequence[Reliability], *, ident: str, title: str, description: str
) -> str:
    """Accuracy by confidence, with the diagonal of perfect calibration and, below, how many answers."""
    ticks = tuple((i / 4, f"{i * 25}%") for i in range(5))
    # With two labels an answer has at least half of the probability: the empty half is not drawn.
    start = 0.5 if all(b.low >= 0.5 for line in lines for b in line.bins) else 0.0
    across = Axis(start, 1.0, tuple(t for t in ticks if t[0] >= start), "confidence")
    plot = Plot(across, Axis(0.0, 1.0, ticks, "share right"), 380, 340, top=30)
    parts = plot.frame(vertical_grid=True)
    parts.append(plot.line([(start, start), (1, 1)], "floor"))
    for line in lines:
        parts.append(f'<g class="c{line.series % COLOURS}">')
        parts.append(plot.line([(b.confidence, b.accuracy) for b in line.bins], "curve"))
        for b in line.bins:
            x, y = plot.x_of(b.confidence), plot.y_of(b.accuracy)
            note = (
                f"{line.label}, confidence {b.low:.0%} to {b.high:.0%}: "
                f"{b.accuracy:.1%} of {b.count:,} right at a mean confidence of {b.confidence:.1%}"
            )
            few = ' class="few"' if b.count < FEW else ""
            parts.append(f"<g{few}><title>{escaped(note)}</title>{shape(line.series, x, y)}</g>")
        parts.append("</g>")
    return document(ident, title, description, plot.width, plot.height, parts)
