"""What published adversarial sets do to each model: texts that were fooling others before this run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from robust_eval.records import CLEAN, RunRecord, ShiftedSet, StaticFigures
from robust_eval.stats.intervals import wilson


def static_figures(record: RunRecord, *, level: float = 0.95) -> tuple[StaticFigures, ...]:
    """One row a model and adversarial set that no model of this run was attacked for."""
    return tuple(
        row
        for s in record.sets
        if s.family == "adversarial" and s.built_against is None
        for row in _rows(record, s, level)
    )


def _rows(record: RunRecord, s: ShiftedSet, level: float) -> Iterator[StaticFigures]:
    metric = record.dataset.task.metrics[0].name
    for card in record.models:
        scores = record.scores.get((card.name, s.key, metric))
        answered = [score for score in scores or () if score is not None]
        if not scores or not answered:
            continue
        lost = _lost(record, s, card.name, metric, scores) if s.paired else []
        yield StaticFigures(
            set_key=s.key,
            model=card.name,
            wrong=wilson(sum(score < 1.0 for score in answered), len(answered), level=level),
            flipped=wilson(sum(lost), len(lost), level=level) if lost else None,
        )


def _lost(
    record: RunRecord, s: ShiftedSet, model: str, metric: str, scores: Sequence[float | None]
) -> list[bool]:
    """For each example that was right when clean and is answered now: whether it is wrong now."""
    clean = record.scores[model, CLEAN, metric]
    before = {e.id: score for e, score in zip(record.dataset.examples, clean, strict=True)}
    return [
        now < 1.0
        for example, now in zip(s.examples, scores, strict=True)
        if now is not None and before.get(example.id) == 1.0
    ]
