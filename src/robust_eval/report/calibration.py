"""Reliability and risk by coverage, from the answers' own probabilities: clean texts against each kind of shift."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from robust_eval.records import CLEAN, FAMILIES, Prediction, RunRecord, Status
from robust_eval.report import numbers as n
from robust_eval.report.cautions import name, primary
from robust_eval.report.charts import (
    COLOURS,
    Bin,
    Legend,
    Reliability,
    RiskCurve,
    legend_mark,
    reliability_diagram,
    risk_curves,
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
    temperature: str = ""  # what scaling did, in words; "" when it was not asked for
    scaled: str = ""  # the diagram after scaling, as SVG
    scaled_columns: tuple[str, ...] = ()
    scaled_rows: tuple[BinRow, ...] = ()
    risk: str = ""  # risk by coverage, as SVG; "" when the run has no such figures


@dataclass(frozen=True, slots=True)
class ScaledRow:
    """One model on one set: each figure before scaling and after."""

    series: int
    set_key: str
    figures: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class CalibrationView:
    legend: tuple[Legend, ...]
    models: tuple[ModelCalibration, ...]
    without: tuple[str, ...]  # models that give no probabilities
    scaling: tuple[ScaledRow, ...] = ()  # ECE, Brier, log loss, AURC


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
        said, scaled, scaled_columns, scaled_rows = _scaled(record, card.name, groups, at)
        columns, rows = _table(lines)
        models.append(
            ModelCalibration(
                at,
                name(card.name),
                svg,
                columns,
                rows,
                _error(record, card.name),
                said,
                scaled,
                scaled_columns,
                scaled_rows,
                _risk(record, card.name, groups, at),
            )
        )
    if not models:
        return None
    legend = tuple(Legend(label, legend_mark(i, "c"), i % COLOURS) for i, label in enumerate(order))
    return CalibrationView(legend, tuple(models), tuple(without), _before_and_after(record))


def _risk(record: RunRecord, model: str, groups: Mapping[str, Sequence[str]], at: int) -> str:
    """The model's risk by coverage; under several sets of a kind, the mean over them at each coverage."""
    by_set = {
        c.set_key: c.risk
        for c in (record.analysis.calibrations if record.analysis else ())
        if c.model == model and c.risk
    }
    curves = []
    for series, (label, keys) in enumerate(groups.items()):
        if found := [by_set[key] for key in keys if key in by_set]:
            tenths = zip(*found, strict=True)
            points = tuple(
                (tenth[0][0], math.fsum(risk for _, risk in tenth) / len(tenth)) for tenth in tenths
            )
            curves.append(RiskCurve(series, label, points))
    if not curves:
        return ""
    return risk_curves(
        curves,
        ident=f"risk{at}",
        title=f"Risk by coverage of {name(model)}",
        description="Share of wrong answers when only the surest are given, by the share that is given, on clean texts and, "
        "on average over its sets, under each kind of shift. The table of risk by coverage has the figures of every set.",
    )


def _scaled(
    record: RunRecord, model: str, groups: Mapping[str, Sequence[str]], at: int
) -> tuple[str, str, tuple[str, ...], tuple[BinRow, ...]]:
    """What temperature scaling did, in words, as a diagram and as its table; empty where it was not asked for."""
    fitted = next((t for t in record.temperatures if t.model == model), None)
    if fitted is None:
        return "", "", (), ()
    if fitted.value is None or fitted.log_loss is None or fitted.scaled_log_loss is None:
        return f"No temperature: {fitted.note}.", "", (), ()
    order = list(groups)
    lines = []
    for label, keys in groups.items():
        pairs = (
            (sure, score >= 1.0)
            for key in keys
            for sure, score in zip(
                record.scaled.get((model, key), ()),
                record.scores.get((model, key, primary(record)), ()),
                strict=False,
            )
            if sure is not None and score is not None
        )
        if bins := binned(pairs):
            lines.append(Reliability(order.index(label), label, bins))
    bound = f" ({fitted.note})" if fitted.note else ""
    said = (
        f"Temperature {n.number(fitted.value, 2)}{bound}, fitted on {n.counted(fitted.n, 'held-out example')} of "
        f"the clean set's domain; log loss there from {n.number(fitted.log_loss, 3)} to "
        f"{n.number(fitted.scaled_log_loss, 3)} nats."
    )
    if not lines:
        return said, "", (), ()
    svg = reliability_diagram(
        lines,
        ident=f"scaled{at}",
        title=f"Reliability of {name(model)} after temperature scaling",
        description="The same answers with their probabilities after temperature scaling. The table below has the "
        "same figures.",
    )
    return said, svg, *_table(lines)


def _before_and_after(record: RunRecord) -> tuple[ScaledRow, ...]:
    if record.analysis is None:
        return ()
    index = {card.name: i for i, card in enumerate(record.models)}
    before = {(c.model, c.set_key): c for c in record.analysis.calibrations}
    keys = {CLEAN, *(s.key for s in record.sets)}
    return tuple(
        ScaledRow(
            index[after.model],
            name(after.set_key),
            tuple(
                (n.number(getattr(then, figure), 3), n.number(getattr(after, figure), 3))
                for figure in ("ece_10", "brier", "log_loss", "aurc")
            ),
        )
        for after in record.analysis.scaled
        if (then := before.get((after.model, after.set_key))) and after.set_key in keys
    )


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
