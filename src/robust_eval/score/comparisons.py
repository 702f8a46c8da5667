"""Which of two models loses less under each shift: the headline."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from robust_eval.errors import StatisticsError
from robust_eval.records import (
    CLEAN,
    Comparison,
    Dataset,
    Estimate,
    Metric,
    ModelCard,
    ShiftedSet,
)
from robust_eval.score import verdicts
from robust_eval.score.members import spread_comparison
from robust_eval.score.table import Arm, Predictions, Scores, Table, check_pairing, shared_ids
from robust_eval.stats import choice, means, multiple, two_sample
from robust_eval.stats.guards import majority_rate


def comparisons(
    dataset: Dataset,
    sets: Sequence[ShiftedSet],
    models: Sequence[ModelCard],
    predictions: Predictions,
    scores: Scores,
    *,
    level: float = 0.95,
    equal_budgets: bool = False,
) -> tuple[Comparison, ...]:
    """Every model against every baseline on every shift, on the task's primary metric.

    One row pools all sets of the shift (`set_key` None); those rows are one Holm family, also the
    ones that turn out not comparable: leaving them out would let the data choose the family. When a
    shift has several sets, a descriptive row for each follows, without an adjusted p or a claim.

    A prompt-side shift compares two models only where both have the prompt that it edits; where
    one has none there is no test, so it takes no place in the family.

    With `equal_budgets` a prompted model of k demonstrations meets baselines trained on k examples alone, and the one
    with the most demonstrations those trained on all, as in Mosbach et al. (2023), arXiv:2305.16938.

    An attack compares direct with direct: each model on the set that was built against it. A model is never
    judged here on what was made to fool another, and without a set against both there is no row.

    Complete cases: an example that either model failed on, clean or in any set of the shift,
    leaves every arm of that shift's rows and is counted in `left_out`.

    Raises StatisticsError when no complete case remains.
    """
    table = Table.of(dataset, sets, models, predictions, scores)
    shifts: dict[str, list[ShiftedSet]] = {}
    for shifted in sets:
        shifts.setdefault(shifted.shift, []).append(shifted)
    rows = [
        row
        for model in models
        if model.role == "model"
        for baseline in models
        if baseline.role == "baseline" and (not equal_budgets or alike(model, baseline, models))
        for shift, members in shifts.items()
        if (both := _answered_by_both(table, members, model.name, baseline.name))
        for row in _shift_rows(table, model, baseline, shift, both, level)
    ]
    pooled = [i for i, row in enumerate(rows) if row.set_key is None]
    adjusted = multiple.holm([rows[i].p_value for i in pooled])
    for i, p in zip(pooled, adjusted, strict=True):
        rows[i] = replace(rows[i], p_holm=p)
    return tuple(verdicts.judged(row, tests=len(pooled)) for row in rows)


def _answered_by_both(
    table: Table, sets: Sequence[ShiftedSet], model: str, baseline: str
) -> list[ShiftedSet]:
    answered = [s for s in sets if table.answered(model, s.key) and table.answered(baseline, s.key)]
    if not any(s.built_against for s in answered):
        return answered
    own = [s for s in answered if s.built_against in (model, baseline)]
    return own if {s.built_against for s in own} == {model, baseline} else []


def _set_pairs(
    sets: Sequence[ShiftedSet], model: str, baseline: str
) -> list[tuple[ShiftedSet, ShiftedSet]]:
    """Which set each of the two is judged on: the same one, or the one that attacked it."""
    if not any(s.built_against for s in sets):
        return [(s, s) for s in sets]
    by_seed: dict[int, dict[str | None, ShiftedSet]] = {}
    for s in sets:
        by_seed.setdefault(s.seed, {})[s.built_against] = s
    return [(own[model], own[baseline]) for own in by_seed.values() if len(own) == 2]


@dataclass(frozen=True, slots=True)
class Figures:
    """What a row says in numbers, before anything is concluded."""

    difference: Estimate
    p: float
    test: str
    clean_model: Estimate
    clean_baseline: Estimate
    clean_difference: Estimate
    shifted_difference: Estimate
    drop_model: Estimate
    drop_baseline: Estimate
    majority: float
    clusters: int


def alike(model: ModelCard, baseline: ModelCard, models: Sequence[ModelCard]) -> bool:
    """Whether two models have seen as many examples; models that saw none in this run meet everyone."""
    shown, trained = model.details.get("budget"), baseline.details.get("budget")
    if shown is None or trained is None:
        return True
    if baseline.details.get("budget_is_all"):
        rivals = [
            c.details.get("budget") for c in models if c.role == "model" and c.spec == model.spec
        ]
        return bool(shown == max(n for n in rivals if n is not None))
    return bool(shown == trained)


def _shift_rows(
    table: Table,
    of: ModelCard,
    against: ModelCard,
    shift: str,
    sets: Sequence[ShiftedSet],
    level: float,
) -> list[Comparison]:
    model, baseline = of.name, against.name
    metric = table.dataset.task.metrics[0]
    if len({shifted.paired for shifted in sets}) > 1:
        raise StatisticsError(
            f"the sets of shift {shift!r} are paired in part only; give the two parts two names"
        )
    clean = (table.arm(model, CLEAN, metric), table.arm(baseline, CLEAN, metric))
    asked = _set_pairs(sets, model, baseline)
    shifted = [
        (table.arm(model, m.key, metric), table.arm(baseline, b.key, metric)) for m, b in asked
    ]
    compute = _paired_rows if sets[0].paired else _unpaired_rows
    left_out, figures = compute(table, shift, metric, clean, shifted, level)
    keys = [None, *(own.key for own, _ in asked)] if len(asked) > 1 else [None]
    rows = [
        Comparison(
            model=model,
            baseline=baseline,
            shift=shift,
            set_key=key,
            metric=metric.name,
            paired=sets[0].paired,
            difference=row.difference,
            clean_model=row.clean_model,
            clean_baseline=row.clean_baseline,
            clean_difference=row.clean_difference,
            shifted_difference=row.shifted_difference,
            drop_model=row.drop_model,
            drop_baseline=row.drop_baseline,
            p_value=row.p,
            p_holm=None,
            test=row.test,
            verdict="no supported difference",  # until judged, once the whole family is known
            reason="",
            clusters=row.clusters,
            left_out=left_out,
        )
        for key, row in zip(keys, figures, strict=True)
    ]
    pooled = [sets, *([s] for s in sets)]
    rows = [
        spread_comparison(table, of, against, row, members, metric)
        for row, members in zip(rows, pooled, strict=False)
    ]
    return [
        verdicts.guard(row, found.majority, higher_is_better=metric.higher_is_better)
        for row, found in zip(rows, figures, strict=True)
    ]


Pair = tuple[Arm, Arm]  # model, baseline


def _paired_rows(
    table: Table, shift: str, metric: Metric, clean: Pair, shifted: Sequence[Pair], level: float
) -> tuple[int, list[Figures]]:
    """Left-out count, and figures pooled and, when there are several sets, of each."""
    for pair in shifted:
        check_pairing(clean[0], pair[0])
    arms = [arm for pair in shifted for arm in pair]
    ids = shared_ids([*arms, *clean])
    asked = {i for pair in shifted for i in pair[0].examples}
    if not ids:
        raise StatisticsError(_nothing_left(clean, shift, len(asked)))
    figures = [_paired_figures(table, metric, clean, shifted, ids, level)]
    if len(shifted) > 1:
        figures += [_paired_figures(table, metric, clean, [p], ids, level) for p in shifted]
    return len(asked) - len(ids), figures


def _paired_figures(
    table: Table, metric: Metric, clean: Pair, shifted: Sequence[Pair], ids: list[str], level: float
) -> Figures:
    clusters = clean[0].clusters(ids)
    sign = 1.0 if metric.higher_is_better else -1.0
    clean_scores = [arm.values(ids) for arm in clean]
    after = [_average([pair[side].values(ids) for pair in shifted]) for side in (0, 1)]
    lost_by = [
        [sign * (a - b) for a, b in zip(clean_scores[side], after[side], strict=True)]
        for side in (0, 1)
    ]
    difference, p, test = choice.mean_difference(
        [b - m for m, b in zip(*lost_by, strict=True)],
        clusters,
        level=level,
        bounds=means.DIFFERENCE_RANGE,
    )
    ordered = [
        (clean_scores[side], after[side]) if sign > 0 else (after[side], clean_scores[side])
        for side in (0, 1)
    ]
    return Figures(
        difference=difference,
        p=p,
        test=test,
        clean_model=choice.mean(clean_scores[0], clusters, level=level),
        clean_baseline=choice.mean(clean_scores[1], clusters, level=level),
        clean_difference=choice.paired_estimate(
            clean_scores[0], clean_scores[1], clusters, level=level
        ),
        shifted_difference=choice.paired_estimate(after[0], after[1], clusters, level=level),
        drop_model=choice.paired_estimate(ordered[0][0], ordered[0][1], clusters, level=level),
        drop_baseline=choice.paired_estimate(ordered[1][0], ordered[1][1], clusters, level=level),
        majority=_majority(table, ids),
        clusters=len(set(clusters)),
    )


def _unpaired_rows(
    table: Table, shift: str, metric: Metric, clean: Pair, shifted: Sequence[Pair], level: float
) -> tuple[int, list[Figures]]:
    """The same for sets whose items are not the clean ones; ids may recur between the sets."""
    ids = shared_ids(clean)
    # An item that failed in one set leaves all of them, also where its copies were answered.
    failed = {i for pair in shifted for arm in pair for i in arm.examples if i not in arm.by_id}
    kept = [[i for i in sorted(pair[0].examples) if i not in failed] for pair in shifted]
    asked = {i for pair in shifted for i in pair[0].examples}
    if not ids or not all(kept):
        raise StatisticsError(_nothing_left(clean, shift, len(asked)))
    left_out = len(clean[0].examples) - len(ids) + len(asked & failed)
    groups = list(zip(shifted, kept, strict=True))
    figures = [_unpaired_figures(table, metric, clean, ids, groups, level)]
    if len(groups) > 1:
        figures += [_unpaired_figures(table, metric, clean, ids, [g], level) for g in groups]
    return left_out, figures


def _unpaired_figures(
    table: Table,
    metric: Metric,
    clean: Pair,
    ids: list[str],
    groups: Sequence[tuple[Pair, list[str]]],
    level: float,
) -> Figures:
    clusters = clean[0].clusters(ids)
    after_clusters = [c for pair, kept in groups for c in pair[0].clusters(kept)]
    clean_scores = [arm.values(ids) for arm in clean]
    after = [[v for pair, kept in groups for v in pair[side].values(kept)] for side in (0, 1)]
    # e = baseline - model on one item; drop(baseline) - drop(model) = mean_ID(e) - mean_OOD(e).
    ahead = means.moments(
        [b - m for m, b in zip(*clean_scores, strict=True)], clusters, pseudo=means.DROP_PSEUDO
    )
    ahead_after = means.moments(
        [b - m for m, b in zip(*after, strict=True)], after_clusters, pseudo=means.DROP_PSEUDO
    )
    first, second = (ahead, ahead_after) if metric.higher_is_better else (ahead_after, ahead)
    difference, p = two_sample.welch(first, second, level=level, bounds=means.DIFFERENCE_RANGE)

    def drop(side: int) -> Estimate:
        arms = ((clean_scores[side], clusters), (after[side], after_clusters))
        one, other = arms if metric.higher_is_better else arms[::-1]
        return choice.two_sample_difference(*one, *other, level=level)[0]

    return Figures(
        difference=difference,
        p=p,
        test=choice.WELCH,
        clean_model=choice.mean(clean_scores[0], clusters, level=level),
        clean_baseline=choice.mean(clean_scores[1], clusters, level=level),
        clean_difference=choice.paired_estimate(
            clean_scores[0], clean_scores[1], clusters, level=level
        ),
        shifted_difference=choice.paired_estimate(after[0], after[1], after_clusters, level=level),
        drop_model=drop(0),
        drop_baseline=drop(1),
        majority=_majority(table, ids),
        clusters=len(set(clusters)) + len(set(after_clusters)),
    )


def _average(rows: Sequence[Sequence[float]]) -> list[float]:
    """Each item's mean over the sets."""
    if len(rows) == 1:
        return list(rows[0])
    return [math.fsum(column) / len(rows) for column in zip(*rows, strict=True)]


def _majority(table: Table, ids: Sequence[str]) -> float:
    """What naming the commonest label would score on these clean examples; 0 without labels."""
    if not table.dataset.task.has_labels:
        return 0.0
    kept = set(ids)
    return majority_rate([e.target for e in table.dataset.examples if e.id in kept])


def _nothing_left(clean: Pair, shift: str, asked: int) -> str:
    return (
        f"no example of shift {shift!r} was answered by both {clean[0].model!r} and "
        f"{clean[1].model!r}, clean and in every set, so they cannot be compared ({asked} were asked)"
    )
