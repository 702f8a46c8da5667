"""Groups of seeds or draws in the figures: intervals and tests that hold for other members too."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from robust_eval.records import (
    CLEAN,
    Comparison,
    Component,
    Estimate,
    Gap,
    Metric,
    ModelCard,
    ShiftedSet,
)
from robust_eval.score.table import Arm, Scores, Table, shared_ids
from robust_eval.stats import means
from robust_eval.stats.components import Spread, widened


def mean_scores(cards: Sequence[ModelCard], scores: Scores) -> Scores:
    """The scores with those of every group set to the mean of its members'; None where one failed."""
    found = dict(scores)
    for card in cards:
        if not card.members:
            continue
        for model, key, metric in scores:
            if model == card.members[0]:
                columns = [scores[member, key, metric] for member in card.members]
                found[card.name, key, metric] = tuple(
                    _mean(column) for column in zip(*columns, strict=True)
                )
    return found


def _mean(column: Sequence[float | None]) -> float | None:
    values = [value for value in column if value is not None]
    return math.fsum(values) / len(values) if len(values) == len(column) else None


def spread_gap(table: Table, card: ModelCard, gap: Gap, shifted: ShiftedSet, metric: Metric) -> Gap:
    """A group's gap with intervals that its members widen; a single model's as it is."""
    if not card.members:
        return gap
    after = table.arm(card.name, shifted.key, metric)
    clean = table.arm(card.name, CLEAN, metric)
    ids = shared_ids([after, clean]) if gap.paired else sorted(after.by_id)
    clean_ids = ids if gap.paired else sorted(clean.by_id)
    clean_of = _of_members(table, card, (CLEAN,), metric, clean_ids)
    after_of = _of_members(table, card, (shifted.key,), metric, ids)
    source = source_of(card)
    clusters = len(set(after.clusters(ids)))

    def wide(estimate: Estimate, values: Sequence[float], bounds: tuple[float, float]) -> Estimate:
        spread = Spread(source, tuple(values))
        return widened(estimate, [spread], clusters, bounds=bounds).estimate

    sign = 1.0 if metric.higher_is_better else -1.0
    drops = [sign * (a - b) for a, b in zip(clean_of, after_of, strict=True)]
    drop = widened(gap.drop, [Spread(source, tuple(drops))], clusters, bounds=means.DROP_RANGE)
    return replace(
        gap,
        clean=wide(gap.clean, clean_of, means.SCORE_RANGE),
        shifted=wide(gap.shifted, after_of, means.SCORE_RANGE),
        drop=drop.estimate,
        p_value=max(gap.p_value, drop.p),
        test=f"{gap.test}, and t over {source.partition(' ')[0]}",
    )


def spread_comparison(
    table: Table,
    model: ModelCard,
    baseline: ModelCard,
    row: Comparison,
    sets: Sequence[ShiftedSet],
    metric: Metric,
) -> Comparison:
    """A row of two models of which one or both are groups: its figures widened, its variance taken apart.

    `sets` are those that the row pools.
    """
    if not (model.members or baseline.members):
        return row
    clean = [table.arm(card.name, CLEAN, metric) for card in (model, baseline)]
    after = [[table.arm(card.name, s.key, metric) for s in sets] for card in (model, baseline)]
    ids, kept = _cases(clean, after, paired=row.paired)
    sign = 1.0 if metric.higher_is_better else -1.0
    spreads: dict[str, list[Spread]] = {"clean": [], "after": [], "drop": []}
    sides: list[dict[str, Spread]] = []  # of the model and of the baseline; empty for a single one
    for card in (model, baseline):
        if not card.members:
            sides.append({})
            continue
        before = _of_members(table, card, (CLEAN,), metric, ids)
        columns = [
            _of_members(table, card, (s.key,), metric, own)
            for s, own in zip(sets, kept, strict=True)
        ]
        weights = [len(own) for own in kept]
        later = [
            math.fsum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights)
            for values in zip(*columns, strict=True)
        ]
        drops = [sign * (a - b) for a, b in zip(before, later, strict=True)]
        source = source_of(card)
        side = {"clean": before, "after": later, "drop": drops}
        sides.append({name: Spread(source, tuple(values)) for name, values in side.items()})
        for name, spread in sides[-1].items():
            spreads[name].append(spread)
    clusters = row.clusters

    def wide(estimate: Estimate, found: Sequence[Spread], bounds: tuple[float, float]) -> Estimate:
        return widened(estimate, found, clusters, bounds=bounds).estimate if found else estimate

    def own(side: int, what: str) -> list[Spread]:
        return [sides[side][what]] if sides[side] else []

    difference = widened(row.difference, spreads["drop"], clusters, bounds=means.DIFFERENCE_RANGE)
    return replace(
        row,
        difference=difference.estimate,
        clean_model=wide(row.clean_model, own(0, "clean"), means.SCORE_RANGE),
        clean_baseline=wide(row.clean_baseline, own(1, "clean"), means.SCORE_RANGE),
        clean_difference=wide(row.clean_difference, spreads["clean"], means.DROP_RANGE),
        shifted_difference=wide(row.shifted_difference, spreads["after"], means.DROP_RANGE),
        drop_model=wide(row.drop_model, own(0, "drop"), means.DROP_RANGE),
        drop_baseline=wide(row.drop_baseline, own(1, "drop"), means.DROP_RANGE),
        p_value=max(row.p_value, difference.p),
        test=f"{row.test}, and t over seeds and draws",
        components=_components(difference.over_examples, spreads["drop"], clusters),
    )


def _components(
    over_examples: float, spreads: Sequence[Spread], clusters: int
) -> tuple[Component, ...]:
    total = over_examples + math.fsum(s.variance for s in spreads)
    parts = [("examples", clusters, over_examples)]
    parts += [(s.source, len(s.values), s.variance) for s in spreads]
    return tuple(
        Component(source, count, math.sqrt(variance * count), variance / total if total else 0.0)
        for source, count, variance in parts
    )


def _cases(
    clean: Sequence[Arm], after: Sequence[Sequence[Arm]], *, paired: bool
) -> tuple[list[str], list[list[str]]]:
    """The ids that the row rests on: of the clean set, and of each shifted one."""
    sets = list(zip(*after, strict=True))
    if paired:
        ids = shared_ids([*clean, *(arm for pair in sets for arm in pair)])
        return ids, [ids] * len(sets)
    failed = {i for pair in sets for arm in pair for i in arm.examples if i not in arm.by_id}
    return shared_ids(clean), [
        [i for i in sorted(pair[0].examples) if i not in failed] for pair in sets
    ]


def _of_members(
    table: Table, card: ModelCard, keys: Sequence[str], metric: Metric, ids: Sequence[str]
) -> list[float]:
    """Each member's mean score over the ids and sets."""
    found = []
    for member in card.members:
        values = [v for key in keys for v in table.arm(member, key, metric).values(ids)]
        found.append(math.fsum(values) / len(values))
    return found


def source_of(card: ModelCard) -> str:
    """`draws of demo:gemma-3-270m (4-shot)`: what a group's members differ in."""
    varied = "draws" if card.kind == "prompted" else "seeds"
    return f"{varied} of {card.name}"
