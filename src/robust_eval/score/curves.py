"""Severity curves: what a model loses against how much its texts really changed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from robust_eval.records import CurvePoint, Metric, ModelCard, SeverityCurve, ShiftedSet
from robust_eval.score.table import Table
from robust_eval.stats import choice, curves
from robust_eval.stats.bootstrap import resampled

if TYPE_CHECKING:
    from robust_eval.stats.bootstrap import Array

LIMIT = 0.05  # a drop of five points is a breakdown
BROKEN = 0.975  # share of resamples that must break down for the dose to have bounds

Row = tuple[
    ShiftedSet, float, Sequence[float], Sequence[float]
]  # set, dose, scores, losses by item


def severity_curves(
    table: Table, models: Sequence[ModelCard], *, level: float
) -> tuple[SeverityCurve, ...]:
    """One curve a model and shift with at least two severities of rising dose, on complete cases.

    The bounds of their breakdown points come from the same resamples of originals.
    """
    shifts: dict[str, list[ShiftedSet]] = {}
    for s in table.sets.values():
        if s.paired and s.severity is not None and s.doses:
            shifts.setdefault(s.shift, []).append(s)
    metric = table.dataset.task.metrics[0]
    drafts: list[tuple[SeverityCurve, Array]] = []
    for card in models:
        for shift, sets in shifts.items():
            answered = [s for s in sets if table.answered(card.name, s.key)]
            if len({s.severity for s in answered}) > 1:
                draft = _curve(table, card.name, shift, answered, metric, level)
                if draft is not None:
                    drafts.append(draft)
    drawn = resampled([sums for _, sums in drafts], key="severity curves")
    return tuple(
        _bounded(curve, totals, level) for (curve, _), totals in zip(drafts, drawn, strict=True)
    )


def _curve(
    table: Table, model: str, shift: str, sets: Sequence[ShiftedSet], metric: Metric, level: float
) -> tuple[SeverityCurve, Array] | None:
    """The curve without bounds of its breakdown, and every original's losses at each dose and count."""
    cases = table.cases(model, sets, metric)
    if cases is None:
        return None
    before, clusters = cases.clean, cases.clusters
    sign = 1.0 if metric.higher_is_better else -1.0
    rows: list[Row] = []
    for s, after in zip(sets, cases.shifted, strict=True):
        dose = math.fsum(d.edit_rate for d in s.doses) / len(s.doses)
        lost = [sign * (b - a) for b, a in zip(before, after, strict=True)]
        rows.append((s, dose, after, lost))
    rows.sort(key=lambda row: (row[1], row[0].key))
    # Two seeds of one severity have nearly one dose: a curve needs doses that rise, so the first stays.
    rising: list[Row] = []
    for row in rows:
        if row[1] > (rising[-1][1] if rising else 0.0) and row[0].severity not in {
            r[0].severity for r in rising
        }:
            rising.append(row)
    if len(rising) < 2:
        return None
    doses = [dose for _, dose, _, _ in rising]
    losses = [lost for _, _, _, lost in rising]
    drops = [math.fsum(lost) / len(lost) for lost in losses]
    curve = SeverityCurve(
        model=model,
        shift=shift,
        points=tuple(
            CurvePoint(
                s.key,
                s.severity or 0,
                dose,
                choice.mean(after, clusters, level=level),
                choice.paired_estimate(
                    *((before, after) if sign > 0 else (after, before)), clusters, level=level
                ),
            )
            for s, dose, after, _ in rising
        ),
        clean=choice.mean(before, clusters, level=level),
        area=curves.area(losses, doses, clusters, level=level),
        limit=LIMIT,
        breakdown=curves.breakdown(doses, drops, limit=LIMIT),
        breakdown_low=None,
        breakdown_high=None,
    )
    return curve, _cluster_losses(losses, clusters)


def _cluster_losses(losses: Sequence[Sequence[float]], clusters: Sequence[str]) -> Array:
    """A row for each original: the sums of its items' losses at each dose, and how many items it has."""
    import numpy as np

    groups: dict[str, int] = {}
    at = [groups.setdefault(cluster, len(groups)) for cluster in clusters]
    columns = [*losses, [1.0] * len(at)]
    return np.column_stack([np.bincount(at, weights, len(groups)) for weights in columns])


def _bounded(curve: SeverityCurve, totals: Array, level: float) -> SeverityCurve:
    """The curve with percentile bounds of its breakdown; without where too many resamples never break down."""
    import numpy as np

    doses = np.asarray([point.dose for point in curve.points])
    found = _breakdowns(totals[:, :-1] / totals[:, -1:], doses)
    broken = np.sort(found[np.isfinite(found)])
    if len(broken) < BROKEN * len(found):
        return curve
    alpha = (1 - level) / 2
    ends = (math.floor(alpha * len(broken)), math.ceil((1 - alpha) * len(broken)) - 1)
    return replace(
        curve, breakdown_low=float(broken[ends[0]]), breakdown_high=float(broken[ends[1]])
    )


def _breakdowns(drops: Array, doses: Array) -> Array:
    """`curves.breakdown` for every row of drops; infinite where the limit is not reached."""
    import numpy as np

    before = np.concatenate((np.zeros((len(drops), 1)), drops[:, :-1]), axis=1)
    from_dose = np.concatenate(([0.0], doses[:-1]))
    reached = drops >= LIMIT
    first = reached.argmax(axis=1)
    row = np.arange(len(drops))
    with np.errstate(divide="ignore", invalid="ignore"):
        share = (LIMIT - before) / (drops - before)
    found = from_dose + share * (doses - from_dose)
    return np.where(reached.any(axis=1), found[row, first], np.inf)
