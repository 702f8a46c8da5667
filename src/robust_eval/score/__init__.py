"""Predictions in, figures out: scores per example, gaps per set, comparisons per shift."""

from robust_eval.score.analysis import analysis
from robust_eval.score.attacks import attack_figures
from robust_eval.score.comparisons import comparisons
from robust_eval.score.gaps import gaps
from robust_eval.score.human import human_check
from robust_eval.score.lines import (
    clean_origin,
    origin,
    panel_line,
    panel_mismatch,
    reference_lines,
)
from robust_eval.score.members import mean_scores
from robust_eval.score.metrics import METRICS, quality_of, score_prediction
from robust_eval.score.record_figures import with_figures
from robust_eval.score.static import static_figures
from robust_eval.score.table import score_all, score_repeats
from robust_eval.score.temperatures import refitted, scaled_confidences, temperatures

__all__ = [
    "METRICS",
    "analysis",
    "attack_figures",
    "clean_origin",
    "comparisons",
    "gaps",
    "human_check",
    "mean_scores",
    "origin",
    "panel_line",
    "panel_mismatch",
    "quality_of",
    "reference_lines",
    "refitted",
    "scaled_confidences",
    "score_all",
    "score_prediction",
    "score_repeats",
    "static_figures",
    "temperatures",
    "with_figures",
]
