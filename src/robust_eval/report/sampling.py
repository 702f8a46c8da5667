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


def judge(record: RunRecord, shifted: ShiftedSet, clean_at: Mapping[str, int]) -> list[Judged]:
    """Every example of a set, in its order."""
    before_of = [clean_at.get(e.id) if shifted.paired else None for e in shifted.examples]
    columns = [list(_of_model(record, card.name, shifted, before_of)) for card in record.models]
    doses = shifted.doses
    judged = []
    for at in range(len(shifted.examples)):
        cells = [column[at] for column in columns]
        judged.append(
            Judged(
                tuple(outcome for outcome, _, _ in cells),
                (
                    sum(lost for _, lost, _ in cells),
                    sum(fall for _, _, fall in cells),
                    -doses[at].edit_rate if at < len(doses) else 0.0,
                ),
            )
        )
    return judged


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


def _of_model(
    record: RunRecord, model: str, shifted: ShiftedSet, before_of: Sequence[int | None]
) -> Iterator[tuple[Outcome, float, float]]:
    """(outcome, right answers lost, fall of the right answer's probability) of each example."""
    higher = record.dataset.task.metrics[0].higher_is_better
    label_at = {label: i for i, label in enumerate(record.dataset.labels)}
    after_scores = record.scores.get((model, shifted.key, primary(record)), ())
    clean_scores = record.scores.get((model, CLEAN, primary(record)), ())
    after_answers = record.predictions.get((model, shifted.key), ())
    clean_answers = record.predictions.get((model, CLEAN), ())
    for at, example in enumerate(shifted.examples):
        before = before_of[at]
        right = _right(after_scores, at, higher=higher)
        was = _right(clean_scores, before, higher=higher)
        p_after = _probability(after_answers, at, example, label_at)
        p_before = _probability(clean_answers, before, example, label_at)
        if right is None or (shifted.paired and was is None):
            yield "na", 0.0, 0.0
        elif not shifted.paired:
            yield ("xr" if right else "xw"), float(not right), -(p_after or 0.0)
        else:
            fall = p_before - p_after if p_before is not None and p_after is not None else 0.0
            outcome: Outcome = ("rr" if right else "rw") if was else ("wr" if right else "ww")
            yield outcome, float(bool(was)) - float(right), fall


def _right(scores: Sequence[float | None], at: int | None, *, higher: bool) -> bool | None:
    score = scores[at] if at is not None and at < len(scores) else None
    if score is None:
        return None
    return score >= 1.0 if higher else score <= 0.0


def _probability(
    answers: Sequence[Prediction], at: int | None, example: Example, label_at: Mapping[str, int]
) -> float | None:
    """What a model gave to the right label, when it says."""
    if at is None or at >= len(answers) or not isinstance(example.target, str):
        return None
    scores, target = answers[at].scores, label_at.get(example.target)
    if scores is None or target is None or len(scores) != len(label_at):
        return None
    return math.exp(min(scores[target], 0.0)) if not math.isnan(scores[target]) else None
