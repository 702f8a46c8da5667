"""Charts as SVG text, drawn beforehand from figures that are given; none is computed here."""

from __future__ import annotations

from robust_eval.report.charts.curves import Curve, Point, severity_curves
from robust_eval.report.charts.drawing import COLOURS, legend_mark, shape
from robust_eval.report.charts.forest import ForestRow, Mark, forest

__all__ = [
    "COLOURS",
    "Curve",
    "ForestRow",
    "Mark",
    "Point",
    "forest",
    "legend_mark",
    "severity_curves",
    "shape",
]
