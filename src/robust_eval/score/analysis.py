"""Figures beside the drops: calibration, severity curves, worst cases, noise floors, relative drops, mCE."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

from robust_eval.errors import StatisticsError
from robust_eval.records import (
    CLEAN,
    Analysis,
    Calibration,
    CorruptionError,
    Estimate,
    ModelCard,
    NoiseFloor,
    Prediction,
    RelativeDrop,
    RunRecord,
    ShiftedSet,
    Status,
    WorstCase,
)
from robust_eval.score.curves import severity_curves
from robust_eval.score.extraction import extractions
from robust_eval.score.table import Cases, Table, shared_ids
from robust_eval.stats import calibration, choice, means, repeats, robustness
from robust_eval.stats.guards import beats, majority_rate
from robust_eval.stats.ratios import relative_drop_estimate

DIGITS = 4  # of a confidence: enough for every figure, and few enough to embed in a report


def analysis(record: RunRecord, *, level: float = 0.95) -> Analysis:
    """Everything that the record's answers allow, on the task's primary metric; parts may be empty."""
    table = Table.of(record.dataset, record.sets, record.models, record.predictions, record.scores)
    floors = {floor.model: floor for floor in _noise_floors(record, level)}
    return Analysis(
        calibrations=tuple(_calibrations(record)),
        curves=severity_curves(table, record.models, level=level),
        worst_cases=tuple(_worst_cases(record, table, level)),
        noise_floors=tuple(floors.values()),
        relative_drops=tuple(_relative_drops(record, table, level)),
        corruption_errors=tuple(_corruption_errors(record, table)),
        extractions=tuple(extractions(record, level=level)),
        scaled=tuple(_calibrations(record, scaled=True)),
    )


def confidence(prediction: Prediction, labels: Sequence[str]) -> float | None:
    """The probability that a model gave to its own answer, to four digits; None when it does not say."""
    p = prediction
    if p.status is not Status.OK or p.scores is None or p.label not in labels:
        return None
    if len(p.scores) != len(labels):
        return None
    score = p.scores[labels.index(p.label)]
    return None if math.isnan(score) else round(math.exp(min(score, 0.0)), DIGITS)


def _calibrations(record: RunRecord, *, scaled: bool = False) -> Iterator[Calibration]:
    metric = record.dataset.task.metrics[0].name
    for card in record.models:
        for key in (CLEAN, *(s.key for s in record.sets)):
            answers = record.predictions.get((card.name, key), ())
            scores = record.scores.get((card.name, key, metric), ())
            own = [confidence(p, record.dataset.labels) for p in answers]
            pairs = [
                (sure, score >= 1.0)
                for sure, score in zip(
                    record.scaled.get((card.name, key), ()) if scaled else own, scores, strict=False
                )
                if score is not None and sure is not None
            ]
            if pairs:
                yield _calibration(card.name, key, [c for c, _ in pairs], [r for _, r in pairs])


def _calibration(
    model: str, key: str, confidences: Sequence[float], right: Sequence[bool]
) -> Calibration:
    risks = calibration.risk_coverage(confidences, right)
    n = len(right)

    def error(bins: Sequence[calibration.Bin]) -> float:
        return calibration.expected_calibration_error(bins)

    return Calibration(
        model=model,
        set_key=key,
        n=n,
        confidence=math.fsum(confidences) / n,
        accuracy=sum(right) / n,
        ece_10=error(calibration.equal_width_bins(confidences, right, 10)),
        ece_15=error(calibration.equal_width_bins(confidences, right, 15)),
        ece_adaptive=error(calibration.adaptive_bins(confidences, right)),
        brier=calibration.brier(confidences, right),
        log_loss=calibration.log_loss(confidences, right),
        aurc=math.fsum(risk for _, risk in risks) / n,
        risk=tuple(risks[max(0, math.ceil(n * tenth / 10) - 1)] for tenth in range(1, 11)),
    )


def _paired_groups(
    table: Table, models: Sequence[ModelCard], name: Callable[[ShiftedSet], str]
) -> Iterator[tuple[ModelCard, str, list[ShiftedSet], Cases]]:
    """Each model on each group of paired sets that it answered, by complete cases.

    A set that was built against another model is left out: how attacks transfer is told apart.
    """
    metric = table.dataset.task.metrics[0]
    for card in models:
        groups: dict[str, list[ShiftedSet]] = {}
        for s in table.sets.values():
            own = s.built_against in (None, card.name)
            if s.paired and own and table.answered(card.name, s.key):
                groups.setdefault(name(s), []).append(s)
        for group, sets in groups.items():
            if cases := table.cases(card.name, sets, metric):
                yield card, group, sets, cases


def _worst_cases(record: RunRecord, table: Table, level: float) -> Iterator[WorstCase]:
    higher = record.dataset.task.metrics[0].higher_is_better
    for card, family, sets, cases in _paired_groups(table, record.models, lambda s: s.family):
        rows = [cases.clean, *cases.shifted]
        turned = rows if higher else [[1 - v for v in row] for row in rows]
        honest = repeats.worst_shift(turned[0], turned[1:], cases.clusters, level=level)
        lost = [math.fsum(turned[0]) - math.fsum(row) for row in turned[1:]]
        naive = max(range(len(lost)), key=lambda i: (lost[i], -i))
        worst = robustness.worst_case(rows, higher_is_better=higher)
        yield WorstCase(
            model=card.name,
            family=family,
            sets=len(sets),
            clean=choice.mean(cases.clean, cases.clusters, level=level),
            worst=choice.mean(worst, cases.clusters, level=level),
            repeats=_worst_repeats(record, card, len(rows), level),
            naive_set=sets[naive].key,
            naive_drop=lost[naive] / len(cases.ids),
            honest_set=sets[honest.chosen].key if honest else None,
            honest_drop=honest.drop if honest else None,
        )


def _repeated(record: RunRecord, card: ModelCard) -> tuple[list[list[float]], list[str], list[int]]:
    """Scores of repeats 0, 1, ... on the clean items that every repeat answered, clusters, positions."""
    metric = record.dataset.task.metrics[0].name
    rows = [record.scores.get((card.name, CLEAN, metric), ())]
    repeat = 1
    while (found := record.repeat_scores.get((card.name, CLEAN, metric, repeat))) is not None:
        rows.append(found)
        repeat += 1
    kept = [i for i, column in enumerate(zip(*rows, strict=True)) if None not in column]
    return (
        [[float(row[i] or 0.0) for i in kept] for row in rows],
        [record.dataset.examples[i].source_id for i in kept],
        kept,
    )


def _worst_repeats(record: RunRecord, card: ModelCard, count: int, level: float) -> Estimate | None:
    """The worst of as many clean answers as there are sets, the fair thing to hold a worst case against."""
    rows, clusters, kept = _repeated(record, card)
    if not kept or len(rows) < count:
        return None
    higher = record.dataset.task.metrics[0].higher_is_better
    return choice.mean(
        robustness.worst_case(rows[:count], higher_is_better=higher), clusters, level=level
    )


def _noise_floors(record: RunRecord, level: float) -> Iterator[NoiseFloor]:
    for card in record.models:
        rows, clusters, kept = _repeated(record, card)
        if len(rows) < 2 or not kept:
            continue
        higher = record.dataset.task.metrics[0].higher_is_better
        floor = repeats.noise_floor(rows, higher_is_better=higher)
        answers = [record.predictions[card.name, CLEAN]]
        answers += [record.repeats[card.name, CLEAN, r] for r in range(1, len(rows))]
        agreeing = [repeats.agreement([_answer(row[i]) for row in answers]) for i in kept]
        yield NoiseFloor(
            card.name,
            len(rows),
            means.mean(agreeing, clusters, level=level),
            floor.largest,
            floor.spread,
        )


def _answer(p: Prediction) -> tuple[str, str | None]:
    return p.status.value, p.label if p.label is not None else p.text


def _relative_drops(record: RunRecord, table: Table, level: float) -> Iterator[RelativeDrop]:
    if not record.dataset.task.metrics[0].higher_is_better:
        return
    targets = {e.id: e.target for e in record.dataset.examples}
    for card, shift, _, cases in _paired_groups(table, record.models, lambda s: s.shift):
        chance = 0.0
        if record.dataset.labels:
            chance = majority_rate([targets[i] for i in cases.ids])
        if not beats(choice.mean(cases.clean, cases.clusters, level=level), chance):
            reason = "the clean score is not supported to beat the majority rate"
            yield RelativeDrop(card.name, shift, None, reason)
            continue
        after = [math.fsum(row) / len(row) for row in zip(*cases.shifted, strict=True)]
        rate = relative_drop_estimate(
            cases.clean, after, cases.clusters, chance=chance, level=level
        )
        yield RelativeDrop(card.name, shift, rate, "")


def _shifts(record: RunRecord, table: Table, card: ModelCard) -> Mapping[str, list[ShiftedSet]]:
    """By shift; of attacks only what was built against this very model: the rest is transfer."""
    found: dict[str, list[ShiftedSet]] = {}
    for s in record.sets:
        if table.answered(card.name, s.key) and s.built_against in (None, card.name):
            found.setdefault(s.shift, []).append(s)
    return found


def _corruption_errors(record: RunRecord, table: Table) -> Iterator[CorruptionError]:
    """Over the paired noise shifts that both models answered, on the items that both answered everywhere."""
    metric = record.dataset.task.metrics[0]
    for card in record.models:
        for other in record.models:
            if card.role != "model" or other.role != "baseline":
                continue
            shifts = {
                shift: sets
                for shift, sets in _shifts(record, table, card).items()
                if all(s.paired and s.family == "noise" for s in sets)
                and all(table.answered(other.name, s.key) for s in sets)
            }
            if not shifts:
                continue
            keys = [CLEAN, *(s.key for sets in shifts.values() for s in sets)]
            arms = {
                (m, key): table.arm(m, key, metric) for m in (card.name, other.name) for key in keys
            }
            ids = shared_ids(list(arms.values()))
            if not ids:
                continue
            error = {
                where: math.fsum(1 - v if metric.higher_is_better else v for v in arm.values(ids))
                / len(ids)
                for where, arm in arms.items()
            }
            yield _corruption_error(card.name, other.name, shifts, error)


def _corruption_error(
    model: str,
    baseline: str,
    shifts: Mapping[str, list[ShiftedSet]],
    error: Mapping[tuple[str, str], float],
) -> CorruptionError:
    ours = [[error[model, s.key] for s in sets] for sets in shifts.values()]
    theirs = [[error[baseline, s.key] for s in sets] for sets in shifts.values()]
    figures: list[float | None] = []
    reason = ""
    for clean in ((0.0, 0.0), (error[model, CLEAN], error[baseline, CLEAN])):
        try:
            figures.append(
                robustness.corruption_error(
                    ours, theirs, clean_model=clean[0], clean_reference=clean[1]
                )
            )
        except StatisticsError as refused:
            figures.append(None)
            reason = str(refused)
    return CorruptionError(model, baseline, len(shifts), figures[0], figures[1], reason)
