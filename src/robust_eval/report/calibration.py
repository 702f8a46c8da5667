"""Reliability diagrams from the answers' own probabilities: clean texts against each kind of shift."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from robust_eval.records import CLEAN, FAMILIES, Prediction, RunRecord, Status
from robust_eval.report import numbers as n
from robust_eval.report.cautions import name, primary
from robust_eval.report.charts import (
    COLOURS,
    Bin,
    Legend,
    Reliability,
    legend_mark,
    reliability_diagram,
)

BINS = 10  # of equal width, closed on the right, as the expected calibration error has them


@dataclass(frozen=True, slots=True)
class BinRow:
    range: str
    cells: tuple[tuple[str, str, str], ...]  # answers, mean confidence, share right; one a line


@dataclass(frozen=True, slots=True)
class ModelCalibration:
    series: int
    model: str
    svg: str
    columns: tuple[str, ...]
    rows: tuple[BinRow, ...]
    error: str  # expected calibration error in words; "" when the run has none


@dataclass(frozen=True, slots=True)
class CalibrationView:
    legend: tuple[Legend, ...]
    models: tuple[ModelCalibration, ...]
    without: tuple[str, ...]  # models that give no probabilities


def calibration(record: RunRecord) -> CalibrationView | None:
    """One diagram a model that gives probabilities; None when none does."""
    groups: dict[str, list[str]] = {CLEAN: [CLEAN]}
    for family in FAMILIES:
        if keys := [s.key for s in record.sets if s.family == family]:
            groups[family] = keys
    order = list(groups)
    models: list[ModelCalibration] = []
    without: list[str] = []
    for at, card in enumerate(record.models):
        lines = []
        for label, keys in groups.items():
            bins = binned(pair for key in keys for pair in _answers(record, card.name, key))
            if bins:
                lines.append(Reliability(order.index(label), label, bins))
        if not lines:
            without.append(name(card.name))
            continue
        svg = reliability_diagram(
            lines,
            ident=f"rel{at}",
            title=f"Reliability of {name(card.name)}",
            description="Share of right answers by the probability that the model gave its answer, on clean "
            "texts and under each kind of shift. Under the diagonal it is surer than right. The table "
            "below has the same figures.",
        )
        models.append(
            ModelCalibration(at, name(card.name), svg, *_table(lines), _error(record, card.name))
        )
    if not models:
        return None
    legend = tuple(Legend(label, legend_mark(i, "c"), i % COLOURS) for i, label in enumerate(order))
    return CalibrationView(legend, tuple(models), tuple(without))


def binned(answers: Iterable[tuple[float, bool]]) -> tuple[Bin, ...]:
    """(confidence, right) in bins of equal width, closed on the right; empty bins are left out."""
    count, confidence, right = [0] * BINS, [0.0] * BINS, [0] * BINS
    for sure, ok in answers:
        at = max(0, math.ceil(sure * BINS - 1e-9) - 1)
        count[at] += 1
        confidence[at] += sure
        right[at] += ok
    return tuple(
        Bin(at / BINS, (at + 1) / BINS, k, confidence[at] / k, right[at] / k)
        for at, k in enumerate(count)
        if k
    )


def _answers(record: RunRecord, model: str, key: str) -> Iterable[tuple[float, bool]]:
    labels = record.dataset.labels
    scores = record.scores.get((model, key, primary(record)), ())
    for p, score in zip(record.predictions.get((model, key), ()), scores, strict=False):
        if score is not None and (sure := confidence(p, labels)) is not None:
            yield sure, score >= 1.0


def confidence(p: Prediction, labels: Sequence[str]) -> float | None:
    """The probability that a model gave to its own answer; None when it does not say."""
    if p.scores is None or p.status is not Status.OK or len(p.scores) != len(labels):
        return None
    if p.label is None or p.label not in labels:
        return None
    score = p.scores[labels.index(p.label)]
    return math.exp(min(score, 0.0)) if score == score else None  # NaN is not itself


def _error(record: RunRecord, model: str) -> str:
    """`Expected calibration error: clean 0.041, at most 0.169 (mixed-noise@5).`"""
    keys = {CLEAN, *(s.key for s in record.sets)}
    found = {
        c.set_key: c.ece_10
        for c in (record.analysis.calibrations if record.analysis else ())
        if c.model == model and c.set_key in keys
    }
    if CLEAN not in found:
        return ""
    said = f"Expected calibration error: clean {found[CLEAN]:.3f}"
    shifted = {key: error for key, error in found.items() if key != CLEAN}
    if shifted:
        worst = max(shifted, key=lambda key: shifted[key])
        said += f", at most {shifted[worst]:.3f} ({name(worst)})"
    return f"{said}."


def _table(lines: Sequence[Reliability]) -> tuple[tuple[str, ...], tuple[BinRow, ...]]:
    found = [{round(b.low * BINS): b for b in line.bins} for line in lines]
    rows = [
        BinRow(
            f"{at * 100 // BINS} to {(at + 1) * 100 // BINS}%",
            tuple(
                (n.count(b.count), n.percent(b.confidence), n.percent(b.accuracy))
                if (b := bins.get(at))
                else ("0", "–", "–")
                for bins in found
            ),
        )
        for at in range(BINS)
        if any(at in bins for bins in found)
    ]
    return tuple(line.label for line in lines), tuple(rows)
