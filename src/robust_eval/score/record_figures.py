"""Every figure of a record that follows from its scores, in the order in which they rest on each other."""

from __future__ import annotations

from dataclasses import replace

from robust_eval.records import RunRecord
from robust_eval.score.analysis import analysis
from robust_eval.score.attacks import attack_figures
from robust_eval.score.comparisons import comparisons
from robust_eval.score.gaps import gaps
from robust_eval.score.lines import reference_lines
from robust_eval.score.static import static_figures


def with_figures(record: RunRecord) -> RunRecord:
    """The record with its figures computed anew from settings, answers, scores and panel; gate and human check stay."""
    level = float(record.settings.get("level", 0.95))
    parts = (record.dataset, record.sets, record.models, record.predictions, record.scores)
    record = replace(
        record,
        gaps=gaps(*parts, level=level),
        comparisons=comparisons(
            *parts, level=level, equal_budgets=bool(record.settings.get("equal_budgets"))
        ),
    )
    return replace(
        record,
        analysis=analysis(record, level=level),
        attacks=attack_figures(record, level=level),
        static=static_figures(record, level=level),
        lines=reference_lines(record, level=level),
    )
