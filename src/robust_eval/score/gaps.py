"""What each model loses on each shifted set."""

from __future__ import annotations

from collections.abc import Sequence

from robust_eval.errors import StatisticsError
from robust_eval.records import (
    CLEAN,
    Dataset,
    Estimate,
    Gap,
    Metric,
    ModelCard,
    ShiftedSet,
)
from robust_eval.score.members import spread_gap
from robust_eval.score.table import Arm, Predictions, Scores, Table, check_pairing, shared_ids
from robust_eval.stats import choice


def gaps(
    dataset: Dataset,
    sets: Sequence[ShiftedSet],
    models: Sequence[ModelCard],
    predictions: Predictions,
    scores: Scores,
    *,
    level: float = 0.95,
) -> tuple[Gap, ...]:
    """One gap per model, set and metric, in that order; the primary metric comes first.

    A prompt-side set has no gap for a model that it does not apply to: a drop of 0 would be a claim.

    Paired sets use complete cases: an example without an answer on either side leaves both, so that
    clean minus shifted is the drop. Unpaired sets use every answered example of each side.

    Raises StatisticsError when a model has nothing left to compare on a set.
    """
    table = Table.of(dataset, sets, models, predictions, scores)
    return tuple(
        spread_gap(table, card, _gap(table, card.name, shifted, metric, level), shifted, metric)
        for card in models
        for shifted in sets
        if table.answered(card.name, shifted.key)
        for metric in dataset.task.metrics
    )


def _gap(table: Table, model: str, shifted: ShiftedSet, metric: Metric, level: float) -> Gap:
    clean = table.arm(model, CLEAN, metric)
    after = table.arm(model, shifted.key, metric)
    changed: Estimate | None = None
    flips: tuple[int, int] | None = None
    unsuspected: tuple[Estimate | None, int | None] = (None, None)
    if shifted.paired:
        check_pairing(clean, after)
        ids = shared_ids([after, clean])
        left_out = len(after.examples) - len(ids)
        if not ids:
            raise StatisticsError(_nothing_left(model, shifted.key, after, clean))
        clean_ids = ids
        clusters = clean.clusters(ids)
        drop, p, test = choice.paired_difference(
            *_worse(clean.values(ids), after.values(ids), metric), clusters, level=level
        )
        if all(score in (0.0, 1.0) for score in (*clean.values(ids), *after.values(ids))):
            flips = choice.flips(*_worse(clean.values(ids), after.values(ids), metric))
        changed = _drop_changed(shifted, clean, after, ids, metric, level)
        unsuspected = _drop_unsuspected(shifted, clean, after, ids, metric, level)
    else:
        ids, clean_ids = sorted(after.by_id), sorted(clean.by_id)
        left_out = after.failed + clean.failed
        if not ids or not clean_ids:
            raise StatisticsError(_nothing_left(model, shifted.key, after, clean))
        groups = (
            (clean.values(clean_ids), clean.clusters(clean_ids)),
            (after.values(ids), after.clusters(ids)),
        )
        first, second = groups if metric.higher_is_better else groups[::-1]
        drop, p, test = choice.two_sample_difference(*first, *second, level=level)
    return Gap(
        model=model,
        set_key=shifted.key,
        metric=metric.name,
        paired=shifted.paired,
        clean=choice.mean(clean.values(clean_ids), clean.clusters(clean_ids), level=level),
        shifted=choice.mean(after.values(ids), after.clusters(ids), level=level),
        drop=drop,
        drop_changed=changed,
        p_value=p,
        test=test,
        right_to_wrong=flips[0] if flips else None,
        wrong_to_right=flips[1] if flips else None,
        left_out=left_out,
        statuses=table.statuses(model, shifted.key),
        truncated_inputs=table.truncated(model, shifted.key),
        clean_statuses=table.statuses(model, CLEAN),
        clean_truncated_inputs=table.truncated(model, CLEAN),
        drop_unsuspected=unsuspected[0],
        suspects=unsuspected[1],
    )


def _worse(
    clean: list[float], shifted: list[float], metric: Metric
) -> tuple[list[float], list[float]]:
    """The two in the order in which first minus second is positive when the shift hurts."""
    return (clean, shifted) if metric.higher_is_better else (shifted, clean)


def _drop_changed(
    shifted: ShiftedSet, clean: Arm, after: Arm, ids: Sequence[str], metric: Metric, level: float
) -> Estimate | None:
    """The drop on examples whose text the shift really changed; None when there is none."""
    if shifted.doses and len(shifted.doses) != len(shifted.examples):
        raise StatisticsError(
            f"{shifted.key!r} has {len(shifted.doses)} doses for {len(shifted.examples)} examples"
        )
    doses = zip(shifted.examples, shifted.doses, strict=False)
    changed = {example.id for example, dose in doses if dose.changed}
    return _drop_on([i for i in ids if i in changed], clean, after, metric, level)


def _drop_unsuspected(
    shifted: ShiftedSet, clean: Arm, after: Arm, ids: Sequence[str], metric: Metric, level: float
) -> tuple[Estimate | None, int | None]:
    """The drop without suspects of having lost their label, and how many those are; None where unchecked."""
    if not shifted.preservation:
        return None, None
    if len(shifted.preservation) != len(shifted.examples):
        raise StatisticsError(
            f"{shifted.key!r} has {len(shifted.preservation)} label checks for "
            f"{len(shifted.examples)} examples"
        )
    checked = zip(shifted.examples, shifted.preservation, strict=True)
    suspects = {example.id for example, check in checked if check.reasons}
    kept = [i for i in ids if i not in suspects]
    return _drop_on(kept, clean, after, metric, level), len(ids) - len(kept)


def _drop_on(
    ids: Sequence[str], clean: Arm, after: Arm, metric: Metric, level: float
) -> Estimate | None:
    if not ids:
        return None
    first, second = _worse(clean.values(ids), after.values(ids), metric)
    return choice.paired_estimate(first, second, clean.clusters(ids), level=level)


def _nothing_left(model: str, key: str, after: Arm, clean: Arm) -> str:
    return (
        f"no example of {key!r} has an answer of {model!r} on both sides, so there is no drop to "
        f"estimate: {after.failed} of {len(after.examples)} requests failed there and "
        f"{clean.failed} of {len(clean.examples)} on the clean set"
    )
