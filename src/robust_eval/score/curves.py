"""Severity curves: what a model loses against how much its texts really changed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from robust_eval.records import CLEAN, CurvePoint, Metric, ModelCard, SeverityCurve, ShiftedSet
from robust_eval.score.table import Table, shared_ids
from robust_eval.stats import choice, curves
from robust_eval.stats.bootstrap import resampled

if TYPE_CHECKING:
    from robust_eval.stats.bootstrap import Array

LIMIT = 0.05  # a drop of five points is a breakdown
BROKEN = 0.975  # share of resamples that must break down for the dose to have bounds

Row = tuple[ShiftedSet, float, list[float], list[float]]  # set, dose, scores, losses by item


def severity_curves(
    table: Table, models: Sequence[ModelCard], *, level: float
) -> Iterator[SeverityCurve]:
    """One curve a model and shift with at least two severities of rising dose, on complete cases."""
    shifts: dict[str, list[ShiftedSet]] = {}
    for s in table.sets.values():
        if s.paired and s.severity is not None and s.doses:
            shifts.setdefault(s.shift, []).append(s)
    metric = table.dataset.task.metrics[0]
    for card in models:
        for shift, sets in shifts.items():
            answered = [s for s in sets if table.answered(card.name, s.key)]
            if len({s.severity for s in answered}) > 1:
                curve = _curve(table, card.name, shift, answered, metric, level)
                if curve is not None:
                    yield curve


def _curve(
    table: Table, model: str, shift: str, sets: Sequence[ShiftedSet], metric: Metric, level: float
) -> SeverityCurve | None:
    clean = table.arm(model, CLEAN, metric)
    arms = {s.key: table.arm(model, s.key, metric) for s in sets}
    ids = shared_ids([clean, *arms.values()])
    if not ids:
        return None
    before, clusters = clean.values(ids), clean.clusters(ids)
    sign = 1.0 if metric.higher_is_better else -1.0
    rows: list[Row] = []
    for s in sets:
        dose = math.fsum(d.edit_rate for d in s.doses) / len(s.doses)
        after = arms[s.key].values(ids)
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
    low, high = _breakdown_bounds(losses, doses, clusters, level, f"{model}/{shift}")
    return SeverityCurve(
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
        breakdown_low=low,
        breakdown_high=high,
    )


def _breakdown_bounds(
    losses: Sequence[Sequence[float]],
    doses: Sequence[float],
    clusters: Sequence[str],
    level: float,
    key: str,
) -> tuple[float | None, float | None]:
    """Percentile bounds of the dose of breakdown; None where too many resamples never break down."""
    import numpy as np

    groups: dict[str, int] = {}
    at = [groups.setdefault(cluster, len(groups)) for cluster in clusters]
    sums = np.zeros((len(groups), len(losses) + 1))
    for column, lost in enumerate(losses):
        np.add.at(sums[:, column], at, lost)
    np.add.at(sums[:, -1], at, 1.0)
    drawn = resampled(sums, key=key)
    found = _breakdowns(drawn[:, :-1] / drawn[:, -1:], np.asarray(doses))
    broken = np.sort(found[np.isfinite(found)])
    if len(broken) < BROKEN * len(found):
        return None, None
    alpha = (1 - level) / 2
    ends = (math.floor(alpha * len(broken)), math.ceil((1 - alpha) * len(broken)) - 1)
    return float(broken[ends[0]]), float(broken[ends[1]])


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
