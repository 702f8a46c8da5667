"""Drops corrected by what people said of a sample: did the label survive the shift?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

from robust_eval.records import (
    CLEAN,
    Example,
    HumanCheck,
    HumanGap,
    Metric,
    Prediction,
    RunRecord,
    ShiftedSet,
)
from robust_eval.score.metrics import METRICS
from robust_eval.score.table import Table, check_pairing, shared_ids
from robust_eval.stats import choice
from robust_eval.stats.intervals import wilson
from robust_eval.stats.prediction_powered import corrected
from robust_eval.validity.sheet import UNCLEAR, Judgements, changed, judgeable

FEWEST = 10  # judged examples of one set from which it has a row of its own


def human_check(record: RunRecord, judgements: Judgements) -> HumanCheck:
    """Every model's drop on all judged sets, and on each with 10 judged examples, on surviving labels.

    A judge's answer that is the recorded one (a label; for QA and math an exact match) says that the label survived;
    another answer or `unclear` that it did not. Examples that the shift left as they were survived without a judge.
    """
    examples = {(s.key, e.id): e for s in record.sets for e in s.examples}
    examples |= {(CLEAN, e.id): e for e in record.dataset.examples}
    survived = {
        where: sum(_agrees(record, examples[where], a) for a in answers) / len(answers)
        for where, answers in judgements.answers.items()
    }
    shifted = {where: share for where, share in survived.items() if where[0] != CLEAN}
    controls = [share for where, share in survived.items() if where[0] == CLEAN]
    agreed = sum(share > 0.5 for share in controls)
    level = float(record.settings.get("level", 0.95))
    return HumanCheck(
        judged=len(shifted),
        survived=sum(shifted.values()) / len(shifted) if shifted else 0.0,
        controls=len(controls),
        controls_agreed=wilson(agreed, len(controls), level=level) if controls else None,
        agreement=_agreement(judgements),
        blank=judgements.blank,
        sheets=judgements.sheets,
        rows=tuple(_rows(record, shifted, level)),
    )


def _agrees(record: RunRecord, example: Example, answer: str) -> bool:
    if answer.casefold() == UNCLEAR:
        return False
    metric = record.dataset.task.metrics[0].name
    said = Prediction(example.id, label=answer, text=answer)
    return METRICS[metric](said, example, record.dataset.task.kind) == 1.0


def _agreement(judgements: Judgements) -> float | None:
    pairs = [
        first == second
        for answers in judgements.answers.values()
        for first, second in combinations(answers, 2)
    ]
    return sum(pairs) / len(pairs) if pairs else None


def _rows(
    record: RunRecord, survived: Mapping[tuple[str, str], float], level: float
) -> list[HumanGap]:
    table = Table.of(record.dataset, record.sets, record.models, record.predictions, record.scores)
    metric = record.dataset.task.metrics[0]
    judged_keys = {key for key, _ in survived}
    sets = [s for s in judgeable(record) if s.key in judged_keys]
    rows = []
    for card in record.models:
        groups: list[tuple[str | None, list[ShiftedSet]]] = [(None, sets)] if len(sets) > 1 else []
        groups += [(s.key, [s]) for s in sets]
        for key, members in groups:
            if row := _row(record, table, card.name, key, members, metric, survived, level):
                rows.append(row)
    return rows


def _row(
    record: RunRecord,
    table: Table,
    model: str,
    key: str | None,
    sets: Sequence[ShiftedSet],
    metric: Metric,
    survived: Mapping[tuple[str, str], float],
    level: float,
) -> HumanGap | None:
    clean = table.arm(model, CLEAN, metric)
    befores: list[float] = []
    afters: list[float] = []
    checks: list[float] = []
    clusters: list[str] = []
    judged: dict[int, float] = {}
    candidates = 0
    for s in sets:
        after = table.arm(model, s.key, metric)
        check_pairing(clean, after)
        suspects = {e.id for e, c in zip(s.examples, s.preservation, strict=False) if c.reasons}
        touched = {e.id for e in changed(record, s)}
        for i in shared_ids([after, clean]):
            if (share := survived.get((s.key, i))) is not None and i in touched:
                judged[len(befores)] = share
            candidates += i in touched
            befores.append(clean.by_id[i])
            afters.append(after.by_id[i])
            checks.append(float(i not in suspects or i not in touched))
            clusters.append(clean.cluster(i))
    if len(judged) < (2 if key is None else FEWEST):
        return None
    if not metric.higher_is_better:
        befores, afters = afters, befores
    drops = [a - b for a, b in zip(befores, afters, strict=True)]
    found = corrected(drops, checks, clusters, judged, candidates, level=level)
    if found is None:
        return None
    plain = choice.paired_estimate(befores, afters, clusters, level=level)
    return HumanGap(model, key, metric.name, len(judged), found.kept, plain, found.drop)
