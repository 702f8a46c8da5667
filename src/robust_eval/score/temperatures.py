"""Temperatures from held-out examples, and the probabilities of answers under them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from robust_eval.records import Example, Prediction, RunRecord, Status, Temperature
from robust_eval.stats import temperature as scaling

FEWEST = 20  # answers, under which no temperature is fitted
DIGITS = 4  # of a probability, as for those before scaling

Scaled = dict[tuple[str, str], tuple[float | None, ...]]


def fitted(
    model: str,
    answers: Sequence[Prediction],
    examples: Sequence[Example],
    labels: Sequence[str],
) -> Temperature:
    """The temperature of a model's answers to held-out examples, which stand in the same order.

    Answers without a score for every label are left out; with fewer than FEWEST there is no temperature, and
    the note says so.
    """
    rows = tuple(
        (labels.index(example.target), answer.scores)
        for answer, example in zip(answers, examples, strict=True)
        if isinstance(example.target, str) and example.target in labels
        if answer.status is Status.OK and answer.scores is not None
        if len(answer.scores) == len(labels) and all(map(math.isfinite, answer.scores))
    )
    return refitted(Temperature(model, len(rows), None, None, None, "", rows))


def refitted(known: Temperature) -> Temperature:
    """The same once more from its answers: what `verify` compares with."""
    targets, rows = [t for t, _ in known.answers], [row for _, row in known.answers]
    n = len(rows)
    if n < FEWEST:
        why = f"{n} held-out answers with probabilities, and under {FEWEST} give no temperature"
        return Temperature(known.model, n, None, None, None, why, known.answers)
    if not any(max(row) > min(row) for row in rows):
        why = "every held-out answer gives all labels the same probability"
        return Temperature(known.model, n, None, None, None, why, known.answers)
    value = scaling.temperature(rows, targets)
    note = "at the bound" if value in (scaling.LEAST, scaling.MOST) else ""
    return Temperature(
        known.model,
        n,
        value,
        scaling.mean_log_loss(rows, targets),
        scaling.mean_log_loss(rows, targets, value),
        note,
        known.answers,
    )


def scaled_confidences(record: RunRecord) -> Scaled:
    """Probability of each of a model's own answers under its temperature; None where it gave none."""
    values = {t.model: t.value for t in record.temperatures if t.value is not None}
    labels = record.dataset.labels
    return {
        (model, key): tuple(_confidence(p, labels, values[model]) for p in answers)
        for (model, key), answers in record.predictions.items()
        if model in values
    }


def _confidence(p: Prediction, labels: Sequence[str], value: float) -> float | None:
    if p.status is not Status.OK or p.scores is None or p.label not in labels:
        return None
    if len(p.scores) != len(labels) or not all(map(math.isfinite, p.scores)):
        return None
    log = scaling.scaled(p.scores, value)[labels.index(p.label)]
    return round(math.exp(min(log, 0.0)), DIGITS)


def temperatures(
    models: Sequence[str],
    answers: Mapping[str, Sequence[Prediction]],
    examples: Sequence[Example],
    labels: Sequence[str],
) -> tuple[Temperature, ...]:
    """One for each model that was asked about the held-out examples, in the order of the models."""
    return tuple(
        fitted(model, answers[model], examples, labels) for model in models if model in answers
    )
