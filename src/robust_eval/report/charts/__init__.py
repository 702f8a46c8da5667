"""Charts as SVG text, drawn beforehand from figures that are given; none is computed here."""

from __future__ import annotations

from robust_eval.report.charts.bars import Bar, BarGroup, Part, kind_mark, stacked_bars
from robust_eval.report.charts.budgets import BudgetCurve, budget_curves
from robust_eval.report.charts.curves import Curve, Point, learning_curves, severity_curves
from robust_eval.report.charts.drawing import COLOURS, Chart, Legend, legend_mark, shape
from robust_eval.report.charts.forest import ForestRow, Mark, forest
from robust_eval.report.charts.probit_line import Dot, probit_line
from robust_eval.report.charts.reliability import Bin, Reliability, reliability_diagram
from robust_eval.report.charts.risk import RiskCurve, risk_curves
from robust_eval.report.charts.scatter import Spot, clean_against_shifted

__all__ = [
    "COLOURS",
    "Bar",
    "BarGroup",
    "Bin",
    "BudgetCurve",
    "Chart",
    "Curve",
    "Dot",
    "ForestRow",
    "Legend",
    "Mark",
    "Part",
    "Point",
    "Reliability",
    "RiskCurve",
    "Spot",
    "budget_curves",
    "clean_against_shifted",
    "forest",
    "kind_mark",
    "learning_curves",
    "legend_mark",
    "probit_line",
    "reliability_diagram",
    "risk_curves",
    "severity_curves",
    "shape",
    "stacked_bars",
]
