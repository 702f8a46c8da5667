"""Which examples a report shows: a seeded draw, the most damaging ones, and flips beside them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal

from robust_eval.records import CLEAN, Example, Prediction, RunRecord, ShiftedSet
from robust_eval.report.cautions import primary

MOST = 320  # examples in one report: it keeps the page readable and under its size
PER_SET = 24
LEAST = 6  # of every set, however many sets there are

# Clean then shifted: right, wrong, or no answer. An unpaired example has "x" for its clean half.
Outcome = Literal["rr", "rw", "wr", "ww", "xr", "xw", "na"]
OUTCOMES: dict[Outcome, str] = {
    "rw": "right → wrong",
    "wr": "wrong → right",
    "ww": "wrong → wrong",
    "rr": "right → right",
    "xr": "right",
    "xw": "wrong",
    "na": "no answer",
}
Reason = Literal["draw", "damage", "flip"]
REASONS: dict[Reason, str] = {
    "draw": "drawn at random",
    "damage": "most damaging",
    "flip": "outcome changed",
}
Damage = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Judged:
    """One example: each model's outcome, and how much the shift did to it.

    `damage` sorts: models that lost the right answer less those that found it; then how far the probability of the
    right answer fell, summed over models; then how little was edited.
    """

    outcomes: tuple[Outcome, ...]
    damage: Damage


@dataclass(frozen=True, slots=True)
class Pick:
    at: int  # index in the set
    reason: Reason


def places(sets: int) -> int:
    """How many examples of each set are shown."""
    return max(LEAST, min(PER_SET, MOST // max(1, sets)))


@dataclass(frozen=True, slots=True)
class Column:
    """One model's answers to one set, same order as its examples; None where there is none."""

    right: list[bool | None]
    probability: list[float | None]  # what the model gave to the right label, when it says


NOTHING: tuple[bool | None, float | None] = (None, None)


def clean_columns(record: RunRecord) -> list[Column]:
    """Every model on the clean set."""
    examples = record.dataset.examples
    return [_column(record, card.name, CLEAN, examples) for card in record.models]


def judge(
    record: RunRecord, shifted: ShiftedSet, clean_at: Mapping[str, int], clean: Sequence[Column]
) -> list[Judged]:
    """Every example of a set, in its order."""
    before_of = [clean_at.get(e.id) if shifted.paired else None for e in shifted.examples]
    columns = [
        list(
            _outcomes(
                shifted, _column(record, card.name, shifted.key, shifted.examples), was, before_of
            )
        )
        for card, was in zip(record.models, clean, strict=True)
    ]
    edits = [-d.edit_rate for d in shifted.doses] or [0.0] * len(shifted.examples)
    return [
        Judged(
            tuple([outcome for outcome, _, _ in cells]),
            (sum([lost for _, lost, _ in cells]), sum([fall for _, _, fall in cells]), edit),
        )
        for edit, *cells in zip(edits, *columns, strict=False)
    ]


def choose(shifted: ShiftedSet, judged: Sequence[Judged], most: int, seed: int) -> list[Pick]:
    """At most so many examples of a set, the most damaging first; by ids and seed alone.

    A third is a fair draw from the whole set; a third are the most damaging of the others; the rest are
    drawn among examples whose outcome changed (unpaired: on which models disagree), as far as there are any.
    """
    order = sorted(range(len(judged)), key=lambda at: _mark(shifted, at, seed))
    place = {at: i for i, at in enumerate(order)}
    third = max(1, most // 3)

    def worst_first(indices: Iterable[int]) -> list[int]:
        return sorted(indices, key=lambda at: (*(-d for d in judged[at].damage), place[at]))

    reasons: dict[int, Reason] = dict.fromkeys(order[:third], "draw")
    damaging = (at for at in order if at not in reasons and judged[at].damage[0] > 0)
    reasons |= dict.fromkeys(worst_first(damaging)[:third], "damage")
    changed = [at for at in order if at not in reasons and _interesting(judged[at].outcomes)]
    reasons |= dict.fromkeys(changed[: max(0, most - 2 * third)], "flip")
    return [Pick(at, reasons[at]) for at in worst_first(reasons)]


def _mark(shifted: ShiftedSet, at: int, seed: int) -> bytes:
    name = f"{seed}:{len(shifted.key)}:{shifted.key}{shifted.examples[at].id}"
    return blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def _interesting(outcomes: Sequence[Outcome]) -> bool:
    return "rw" in outcomes or "wr" in outcomes or {"xr", "xw"} <= set(outcomes)


def _outcomes(
    shifted: ShiftedSet, after: Column, clean: Column, before_of: Sequence[int | None]
) -> Iterator[tuple[Outcome, float, float]]:
    """(outcome, right answers lost, fall of the right answer's probability) of each example."""
    for right, p, before in zip(after.right, after.probability, before_of, strict=True):
        was, p_was = NOTHING
        if before is not None and before < len(clean.right):
            was, p_was = clean.right[before], clean.probability[before]
        if right is None or (shifted.paired and was is None):
            yield "na", 0.0, 0.0
        elif not shifted.paired:
            yield ("xr" if right else "xw"), float(not right), -(p or 0.0)
        else:
            fall = p_was - p if p_was is not None and p is not None else 0.0
            outcome: Outcome = ("rr" if right else "rw") if was else ("wr" if right else "ww")
            yield outcome, float(bool(was)) - float(right), fall


def _column(record: RunRecord, model: str, key: str, examples: Sequence[Example]) -> Column:
    higher = record.dataset.task.metrics[0].higher_is_better
    scores = record.scores.get((model, key, primary(record)), ())[: len(examples)]
    right = [None if s is None else s >= 1.0 if higher else s <= 0.0 for s in scores]
    label_at = {label: i for i, label in enumerate(record.dataset.labels)}
    answers = record.predictions.get((model, key), ())
    probability = [_probability(p, e, label_at) for p, e in zip(answers, examples, strict=False)]
    missing = len(examples)
    return Column(
        right + [None] * (missing - len(right)), probability + [None] * (missing - len(probability))
    )


def _probability(answer: Prediction, example: Example, label_at: Mapping[str, int]) -> float | None:
    scores = answer.scores
    if scores is None or len(scores) != len(label_at) or not isinstance(example.target, str):
        return None
    target = label_at.get(example.target)
    if target is None or scores[target] != scores[target]:
        return None
    return math.exp(min(scores[target], 0.0))
