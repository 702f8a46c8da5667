"""Pages made from one run record, and the words that they share with the terminal."""

from __future__ import annotations

from robust_eval.report import matrix, seal
from robust_eval.report.diff_page import diff_rows, diff_sentence, render_diff
from robust_eval.report.gates import GateView, gate_view
from robust_eval.report.html import render_html
from robust_eval.report.junit import render_junit
from robust_eval.report.markdown import render_markdown
from robust_eval.report.model_index import render_model_index
from robust_eval.report.words import DropRow, HeadlineRow, Summary, summary

__all__ = [
    "DropRow",
    "GateView",
    "HeadlineRow",
    "Summary",
    "diff_rows",
    "diff_sentence",
    "gate_view",
    "matrix",
    "render_diff",
    "render_html",
    "render_junit",
    "render_markdown",
    "render_model_index",
    "seal",
    "summary",
]
