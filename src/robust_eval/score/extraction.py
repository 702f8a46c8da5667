"""Written answers read strictly: what scores and drops are if only answers in the asked form count."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from robust_eval.records import CLEAN, Extraction, ModelCard, Prediction, RunRecord, Status
from robust_eval.score.gaps import gaps
from robust_eval.score.members import mean_scores
from robust_eval.score.table import Scores


def extractions(record: RunRecord, *, level: float) -> Iterator[Extraction]:
    """The clean set, then every shifted one, of each model that wrote answers; primary metric.

    An answer that only the lenient parser could read counts as wrong here. Answers that were chosen, not written
    (label scores), count as they do elsewhere.
    """
    writers = [card for card in record.models if _writes(record, card)]
    if not writers:
        return
    task = record.dataset.task
    dataset = replace(record.dataset, task=replace(task, metrics=task.metrics[:1]))
    scores = mean_scores(writers, _strict_scores(record, writers))
    found = gaps(dataset, record.sets, writers, record.predictions, scores, level=level)
    for card in writers:
        own = [gap for gap in found if gap.model == card.name]
        if own:
            yield Extraction(card.name, CLEAN, *_counts(record, card, CLEAN), own[0].clean, None)
        for gap in own:
            counts = _counts(record, card, gap.set_key)
            yield Extraction(card.name, gap.set_key, *counts, gap.shifted, gap.drop)


def _names(card: ModelCard) -> tuple[str, ...]:
    return card.members or (card.name,)


def _answers(record: RunRecord, card: ModelCard, key: str) -> Iterator[Prediction]:
    for name in _names(card):
        yield from record.predictions.get((name, key), ())


def _writes(record: RunRecord, card: ModelCard) -> bool:
    keys = (CLEAN, *(s.key for s in record.sets))
    return any(p.strict is not None for key in keys for p in _answers(record, card, key))


def _counts(record: RunRecord, card: ModelCard, key: str) -> tuple[int, int, int]:
    """Answers read strictly, leniently only, and not at all."""
    answers = list(_answers(record, card, key))
    return (
        sum(p.strict is True for p in answers),
        sum(p.strict is False for p in answers),
        sum(p.status not in (Status.OK, Status.FAILED) for p in answers),
    )


def _strict_scores(record: RunRecord, writers: list[ModelCard]) -> Scores:
    metric = record.dataset.task.metrics[0]
    worst = 0.0 if metric.higher_is_better else 1.0
    names = {name for card in writers for name in _names(card)}
    return {
        (model, key, metric.name): tuple(
            worst if p.strict is False and score is not None else score
            for p, score in zip(answers, record.scores[model, key, metric.name], strict=True)
        )
        for (model, key), answers in record.predictions.items()
        if model in names
    }
