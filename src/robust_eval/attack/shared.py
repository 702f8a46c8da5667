"""One change for many examples at once: searched for on a development half, tested on the other.

The parts of an attack do the same here as on one text: what is under attack is a text of its own (an instruction, a
trigger), and a version of it is judged by what the victim makes of all development examples under it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from robust_eval.attack.draft import Draft
from robust_eval.attack.engine import Running, open_drafts, proceed
from robust_eval.attack.goal import (
    Goal,
    InputReduction,
    Judged,
    ScoreDrop,
    Situation,
    Targeted,
    better,
)
from robust_eval.attack.recipe import Attack
from robust_eval.errors import DataError, InfrastructureError, RecipeError
from robust_eval.records import Dataset, Example, Prediction, Progress, Status, silent
from robust_eval.rng import hexdigest, stream

Ask = Callable[[Sequence[Draft]], list[list[Prediction]]]
"""The victim's answers to the development examples under each of these versions."""


@dataclass(frozen=True, slots=True)
class Found:
    """How a search ended: the best version, or the one it started from where none was better."""

    draft: Draft
    start: float  # score on the development examples, by the task's metric, under the first version
    score: float  # the same under this one
    queries: int  # versions tried
    unanswered: int


def halves(
    dataset: Dataset, limit: int | None, seed: int
) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
    """(development, test) of the clean set: every other source item of each label, drawn by seed.

    At most `limit` examples stand in the development half. Raises DataError where there are fewer than two items.
    """
    order = sorted(
        {e.source_id: e for e in reversed(dataset.examples)}.items(),
        key=lambda item: (str(item[1].target), hexdigest("half", seed, item[0])),
    )
    sources = [source for source, _ in order]
    if len(sources) < 2:
        raise DataError(
            f"an attack on all examples at once needs two halves of the test set; {dataset.name!r} has "
            f"{len(sources)} item; raise --limit"
        )
    tested = set(sources[1::2])
    development = [e for e in dataset.examples if e.source_id not in tested]
    if limit is not None and limit < len(development):
        drawn = sorted(development, key=lambda e: hexdigest("development", seed, e.id))[:limit]
        kept = {e.id for e in drawn}
        development = [e for e in development if e.id in kept]
    return tuple(development), tuple(e for e in dataset.examples if e.source_id in tested)


def search_shared(
    attack: Attack,
    goal: Goal,
    start: Draft,
    development: Sequence[Example],
    ask: Ask,
    *,
    situation: Situation,
    protect: frozenset[int],
    key: str,
    seed: int,
    budget: int,
    progress: Progress = silent,
) -> Found:
    """The version of `start` under which the development examples fare worst, after at most `budget` versions.

    A version's score is the mean probability of wrong answers (the share of them, where the victim gives none), in
    which the search sees every small step; what is reported is the task's own metric. Raises
    InfrastructureError when a version got no answer at all.
    """
    one = Running(
        0, start, protect, budget, stream(seed, "shared attack", attack.name, start.example.id)
    )
    scores: dict[str, float] = {}
    with progress(f"{key}: versions tried", budget) as advance:
        while True:
            drafts = open_drafts(one)
            for draft, answers in zip(drafts, ask(drafts) if drafts else (), strict=True):
                one.unanswered += sum(a.status is Status.FAILED for a in answers)
                one.told[draft.text] = _judged(draft, answers, development, goal, situation, key)
                scores[draft.text] = score(answers, development, situation)
            advance(len(drafts))
            if not proceed(one, attack, True, seed):
                break
    first, best = one.told[start.text], one.best
    assert first is not None
    assert best is not None
    if not best.reached and not better(best.score, first.score):
        best = first
    before, after = scores[start.text], scores[best.draft.text]
    return Found(best.draft, before, after, len(one.told), one.unanswered)


def shared_goal(goal: Goal, situation: Situation) -> Goal:
    """The goal that fits the task, as for single texts; raises RecipeError for one that means nothing here."""
    if isinstance(goal, InputReduction):
        raise RecipeError(
            "the goal 'input-reduction' shortens single texts; an attack on all examples at once takes "
            "'untargeted' or 'targeted'"
        )
    return goal


def aimed_at(goal: Goal, examples: Sequence[Example]) -> tuple[Example, ...]:
    """The examples that the goal can hurt: of a targeted one those of other labels."""
    return tuple(e for e in examples if not isinstance(goal, Targeted) or e.target != goal.label)


def score(
    answers: Sequence[Prediction], examples: Sequence[Example], situation: Situation
) -> float:
    """The mean score of the answers that came, by the task's metric. At least one must have come."""
    pairs = zip(answers, examples, strict=True)
    values = [
        float(a.label == e.target) if situation.labels else situation.quality(a, e)
        for a, e in pairs
        if a.status is not Status.FAILED
    ]
    return math.fsum(values) / len(values)


def _judged(
    draft: Draft,
    answers: Sequence[Prediction],
    examples: Sequence[Example],
    goal: Goal,
    situation: Situation,
    key: str,
) -> Judged:
    pairs = [
        (a, e) for a, e in zip(answers, examples, strict=True) if a.status is not Status.FAILED
    ]
    if not pairs:
        raise InfrastructureError(
            f"none of the {len(answers)} requests of a round of the attack {key!r} was answered; what was "
            "answered before is kept, the same command resumes"
        )
    harm = [_harm(answer, example, goal, situation) for answer, example in pairs]
    reached = all(_wrong(answer, example, goal, situation) for answer, example in pairs)
    return Judged(draft, None, math.fsum(harm) / len(harm), reached)


def _harm(answer: Prediction, example: Example, goal: Goal, situation: Situation) -> float:
    """How wrong an answer is, in [0, 1]; one that names no label is wrong, as in the score."""
    if not situation.labels:
        return 1.0 - situation.quality(answer, example)
    if answer.scores is None:
        return float(_wrong(answer, example, goal, situation))
    if isinstance(goal, Targeted):
        return math.exp(answer.scores[situation.labels.index(goal.label)])
    return 1.0 - math.exp(answer.scores[situation.labels.index(str(example.target))])


def _wrong(answer: Prediction, example: Example, goal: Goal, situation: Situation) -> bool:
    if isinstance(goal, ScoreDrop):
        return situation.quality(answer, example) <= goal.most
    if isinstance(goal, Targeted):
        return answer.label == goal.label
    return answer.label != example.target
