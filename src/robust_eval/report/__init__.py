"""Pages made from one run record, and the words that they share with the terminal."""

from __future__ import annotations

from robust_eval.report.html import render_html
from robust_eval.report.markdown import render_markdown
from robust_eval.report.words import DropRow, HeadlineRow, Summary, summary

__all__ = ["DropRow", "HeadlineRow", "Summary", "render_html", "render_markdown", "summary"]
