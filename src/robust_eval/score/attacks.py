"""What attacks did to the models that they were built against."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from robust_eval.records import CLEAN, AttackFigures, AttackResult, RunRecord, ShiftedSet
from robust_eval.stats.intervals import wilson
from robust_eval.stats.paired import mcnemar

BUDGETS = (1, 5, 10, 20, 30, 50, 75, 100, 150, 200, 300, 500, 1000, 2000, 5000)


def attack_figures(record: RunRecord, *, level: float = 0.95) -> tuple[AttackFigures, ...]:
    """One for each set that an attack built, about its own victim; answers to other sets are transfer."""
    return tuple(_figures(record, level))


def _figures(record: RunRecord, level: float) -> Iterator[AttackFigures]:
    # Of a model with several seeds or draws each is attacked by itself.
    names = {card.name for card in (*record.models, *record.members)}
    metric = record.dataset.task.metrics[0].name
    for s in record.sets:
        model = s.built_against
        if model not in names or (model, s.key, metric) not in record.scores:
            continue
        results = s.attacks or _outcomes(record, s, model, metric)
        if not results:
            continue
        scores = record.scores[model, s.key, metric]
        answered = [score for score in scores if score is not None]
        if not answered:
            continue
        tried = [r for r in results if r.outcome != "skipped"]
        won = [i for i, r in enumerate(results) if r.outcome == "succeeded"]
        turned = [i for i in won if scores[i] is not None and (scores[i] or 0.0) < 1.0]
        queries = sorted(r.queries for r in tried)
        checks = [s.preservation[i] for i in won] if s.preservation else []
        alike = [check.similarity for check in checks if check.similarity is not None]
        yield AttackFigures(
            set_key=s.key,
            model=model,
            budget=s.budget,
            attacked=len(tried),
            skipped=len(results) - len(tried),
            succeeded=len(won),
            suspected=sum(bool(check.reasons) for check in checks),
            not_repeated=sum((scores[i] == 1.0) != s.keeps_answer for i in won),
            unanswered=sum(r.unanswered for r in results) + sum(c.unanswered for c in s.shared),
            flipped=wilson(len(turned), len(tried), level=level) if tried else None,
            wrong=wilson(sum(v < 1.0 for v in answered), len(answered), level=level),
            queries_median=None if s.shared else _quantile(queries, 0.5),
            queries_p95=None if s.shared else _quantile(queries, 0.95),
            edit_rate=_mean([s.doses[i].edit_rate for i in won]),
            words_changed=_mean([results[i].words_changed / max(1, results[i].words) for i in won]),
            similarity=_mean(alike),
            by_budget=() if s.shared or s.keeps_answer else tuple(_by_budget(s, tried, won)),
            flipped_unsuspected=wilson(
                sum(not s.preservation[i].reasons for i in turned), len(tried), level=level
            )
            if tried and s.preservation
            else None,
            keeps_answer=s.keeps_answer,
            **_control(tried, level),
        )


def _outcomes(
    record: RunRecord, s: ShiftedSet, model: str, metric: str
) -> tuple[AttackResult, ...]:
    """How a change that is the same for many examples ended on each of the test half: its queries were spent on others."""
    if s.family != "adversarial" or not s.shared:
        return ()
    clean = record.scores[model, CLEAN, metric]
    before = {e.id: score for e, score in zip(record.dataset.examples, clean, strict=True)}
    added = {change.label: change.words_changed for change in s.shared}
    results = []
    for e, dose, now in zip(s.examples, s.doses, record.scores[model, s.key, metric], strict=True):
        right = before[e.id] == 1.0
        won = right and dose.changed and now is not None and now < 1.0
        words = len(" ".join(e.inputs.values()).split())
        results.append(
            AttackResult(
                "succeeded" if won else "failed" if right else "skipped",
                queries=0,
                unanswered=0,
                words=words,
                words_changed=added.get(str(e.target), added.get("", 0)),
            )
        )
    return tuple(results)


def _control(tried: Sequence[AttackResult], level: float) -> dict[str, Any]:
    """What random changes turn with as many queries, and whether the search turns more."""
    if not tried or any(r.control is None for r in tried):
        return {}
    searched = [r.outcome == "succeeded" for r in tried]
    walked = [r.control == "succeeded" for r in tried]
    pairs = list(zip(searched, walked, strict=True))
    return {
        "control": wilson(sum(walked), len(tried), level=level),
        "control_p": mcnemar(pairs.count((True, False)), pairs.count((False, True))),
    }


def _by_budget(
    s: ShiftedSet, tried: Sequence[AttackResult], won: Sequence[int]
) -> Iterator[tuple[int, float]]:
    """The share of all examples that an attack of so many queries leaves right."""
    most = max((r.queries for r in tried), default=1)
    spent = [s.attacks[i].queries for i in won]
    for budget in BUDGETS:
        right = len(tried) - sum(queries <= budget for queries in spent)
        yield budget, right / len(s.attacks)
        if budget >= most:
            return


def _quantile(ordered: Sequence[int], share: float) -> float | None:
    """The smallest value that at least this share does not exceed; for the median of an even number, the middle."""
    if not ordered:
        return None
    if share == 0.5 and len(ordered) % 2 == 0:
        return (ordered[len(ordered) // 2 - 1] + ordered[len(ordered) // 2]) / 2
    return float(ordered[max(0, math.ceil(share * len(ordered)) - 1)])


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None
