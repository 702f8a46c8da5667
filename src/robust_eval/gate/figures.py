"""The figure that a limit is about, from the scores: a drop, a relative drop, or a drop against a baseline."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from robust_eval.records import CLEAN, Estimate, LimitKind, Metric, ModelCard, ShiftedSet
from robust_eval.score.members import source_of
from robust_eval.score.table import Arm, Table, check_pairing, shared_ids
from robust_eval.stats import choice, margins, means
from robust_eval.stats.components import Spread
from robust_eval.stats.guards import beats, majority_rate
from robust_eval.stats.margins import Margin

Values = tuple[list[float], list[str]]  # scores and their clusters


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure against its limit, and the clean scores of the models it is about."""

    margin: Margin
    clean: tuple[tuple[str, Estimate], ...]
    majority: float  # what naming one label would score

    @property
    def weak(self) -> tuple[str, ...]:
        """Models whose clean score is not supported to beat naming one label every time."""
        return tuple(model for model, clean in self.clean if not beats(clean, self.majority))


def measure(
    table: Table,
    kind: LimitKind,
    model: ModelCard,
    baseline: ModelCard | None,
    sets: Sequence[ShiftedSet],
    limit: float,
    *,
    level: float,
) -> Figure | None:
    """The figure over the sets of one shift, by complete cases; None when none is left.

    Scores are turned so that higher is better. Copies of an item in several paired sets are averaged. Of a group
    of seeds or draws the figure is the mean over its members, and its bounds hold for other members too.
    """
    metric = table.dataset.task.metrics[0]
    cards = [model] if baseline is None else [model, baseline]
    models = [card.name for card in cards]
    clean = [table.arm(name, CLEAN, metric) for name in models]
    after = [[table.arm(name, s.key, metric) for s in sets] for name in models]
    paired = all(s.paired for s in sets)
    ids = shared_ids([*clean, *(arm for arms in after for arm in arms)] if paired else clean)
    before = [_turned(arm, ids, metric) for arm in clean]
    shifted = [
        _averaged(arms, clean[0], ids, metric) if paired else _joined(arms, after, metric)
        for arms in after
    ]
    if not ids or not shifted[0][0]:
        return None
    kept = set(ids)
    rest = [ids if paired else shared_ids([arms[at] for arms in after]) for at in range(len(sets))]
    groups = [_members(table, card, sets, ids, rest) for card in cards if card.members]
    labels = table.dataset.task.has_labels
    return Figure(
        _margin(kind, paired, before, shifted, groups, limit, level),
        tuple(
            (name, choice.mean(*values, level=level))
            for name, values in zip(models, before, strict=True)
        ),
        majority_rate([e.target for e in table.dataset.examples if e.id in kept])
        if labels
        else 0.0,
    )


def _margin(
    kind: LimitKind,
    paired: bool,
    before: Sequence[Values],
    shifted: Sequence[Values],
    groups: Sequence[Group],
    limit: float,
    level: float,
) -> Margin:
    spreads = _spreads(groups)
    (clean, clusters), (after, after_clusters) = before[0], shifted[0]
    if kind == "max-drop-vs-baseline":
        # e = baseline - model on one item: the model loses mean(e after) - mean(e before) more.
        ahead = _minus(before[1][0], clean)
        ahead_after = _minus(shifted[1][0], after)
        bounds = means.DIFFERENCE_RANGE
        if paired:
            lost = _minus(ahead_after, ahead)
            return margins.mean(lost, clusters, limit, level=level, bounds=bounds, spreads=spreads)
        return margins.two_means(
            ahead_after, after_clusters, ahead, clusters, limit,
            level=level, bounds=bounds, spreads=spreads,
        )  # fmt: skip
    if kind == "max-relative-drop":
        return _relative(paired, before[0], shifted[0], groups, limit, level)
    # Scores of a group are right or wrong only where all its members agree: they have no spread then.
    counts = choice.is_counts(clean, clusters) and choice.is_counts(after, after_clusters)
    if paired and counts:
        flips = choice.flips(clean, after)
        return margins.paired_counts(*flips, len(clean), limit, level=level)
    if paired:
        lost = _minus(clean, after)
        return margins.mean(lost, clusters, limit, level=level, spreads=spreads)
    if counts:
        return margins.two_counts(
            round(sum(clean)), len(clean), round(sum(after)), len(after), limit, level=level
        )
    return margins.two_means(
        clean, clusters, after, after_clusters, limit, level=level, spreads=spreads
    )


def _relative(
    paired: bool,
    before: Values,
    shifted: Values,
    groups: Sequence[Group],
    limit: float,
    level: float,
) -> Margin:
    """1 - shifted/clean against a limit: the sign of (1 - limit) clean - shifted, which is a mean.

    Bounds are where that test turns (Fieller's way), searched between -1 and 1.
    """
    clean, after = before[0], shifted[0]
    whole = math.fsum(clean) / len(clean)

    def at(share: float) -> Margin:
        kept = [(1 - share) * score for score in clean]
        spreads = _spreads(groups, share)
        if paired:
            return margins.mean(_minus(kept, after), before[1], 0.0, level=level, spreads=spreads)
        return margins.two_means(
            kept, before[1], after, shifted[1], 0.0, level=level, spreads=spreads
        )

    value = 1 - math.fsum(after) / len(after) / whole if whole > 0 else 0.0
    found = at(limit)
    low, high = margins.inverted(
        max(-1.0, min(1.0, value)),
        lambda share: at(share).p_within,
        lambda share: at(share).p_beyond,
        level,
    )
    method = f"relative, {found.bounds.method}"
    return replace(
        found,
        bounds=Estimate(value, low, high, found.bounds.n, level, method),
        error=found.error / whole if whole > 0 else math.inf,
        spread=found.spread / whole**2 if whole > 0 else 0.0,
    )


@dataclass(frozen=True, slots=True)
class Group:
    """The mean clean and shifted score of each seed or draw of one model."""

    source: str
    means: tuple[tuple[float, float], ...]


def _members(
    table: Table,
    card: ModelCard,
    sets: Sequence[ShiftedSet],
    ids: Sequence[str],
    rest: Sequence[Sequence[str]],
) -> Group:
    """Over the items that the figure rests on: of the clean set, and of each shifted one."""
    metric = table.dataset.task.metrics[0]

    def mean(member: str, keys: Sequence[str], of: Sequence[Sequence[str]]) -> float:
        found = [
            v
            for key, own in zip(keys, of, strict=True)
            for v in _turned(table.arm(member, key, metric), own, metric)[0]
        ]
        return math.fsum(found) / len(found)

    keys = [s.key for s in sets]
    return Group(
        source_of(card),
        tuple((mean(m, [CLEAN], [ids]), mean(m, keys, rest)) for m in card.members),
    )


def _spreads(groups: Sequence[Group], share: float = 0.0) -> list[Spread]:
    """How (1 - share) clean - shifted varies over the members of each group."""
    return [
        Spread(group.source, tuple((1 - share) * clean - after for clean, after in group.means))
        for group in groups
    ]


def _turned(arm: Arm, ids: Sequence[str], metric: Metric) -> Values:
    values = arm.values(ids)
    return [v if metric.higher_is_better else 1 - v for v in values], arm.clusters(ids)


def _averaged(arms: Sequence[Arm], clean: Arm, ids: Sequence[str], metric: Metric) -> Values:
    for arm in arms:
        check_pairing(clean, arm)
    columns = [_turned(arm, ids, metric)[0] for arm in arms]
    if len(columns) == 1:
        return columns[0], clean.clusters(ids)
    mean = [math.fsum(row) / len(row) for row in zip(*columns, strict=True)]
    return mean, clean.clusters(ids)


def _joined(arms: Sequence[Arm], every: Sequence[Sequence[Arm]], metric: Metric) -> Values:
    """Items of unpaired sets, one after the other; an item that any model failed on leaves."""
    values: list[float] = []
    clusters: list[str] = []
    for at, arm in enumerate(arms):
        ids = shared_ids([of[at] for of in every])
        found = _turned(arm, ids, metric)
        values += found[0]
        clusters += found[1]
    return values, clusters


def _minus(first: Sequence[float], second: Sequence[float]) -> list[float]:
    return [a - b for a, b in zip(first, second, strict=True)]
