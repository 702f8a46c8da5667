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
    goal_for,
)
from robust_eval.attack.recipe import Attack
from robust_eval.errors import DataError, InfrastructureError, RecipeError
from robust_eval.records import Dataset, Example, Prediction, Progress, Status, silent
from robust_eval.rng import hexdigest, stream

OUTWEIGHS = 10  # one turned answer against the probability of one

Ask = Callable[[Sequence[Draft]], list[list[Prediction]]]
"""The victim's answers to the development examples under each of these versions."""


@dataclass(frozen=True, slots=True)
class Found:
    """How a search ended: the best version, or the one it started from where none was better."""

    best: Judged
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
    return drawn(development, limit, seed, "development"), tuple(
        e for e in dataset.examples if e.source_id in tested
    )


def drawn(
    examples: Sequence[Example], limit: int | None, seed: int, purpose: str
) -> tuple[Example, ...]:
    """All of these examples, or `limit` of them drawn by purpose, seed and id, in their order."""
    if limit is None or limit >= len(examples):
        return tuple(examples)
    order = sorted(examples, key=lambda e: hexdigest(purpose, seed, e.id))
    kept = {e.id for e in order[:limit]}
    return tuple(e for e in examples if e.id in kept)


@dataclass(frozen=True, slots=True)
class Development:
    """The examples that a search looks at, and what it wants of them. `key` names the attack in errors."""

    examples: tuple[Example, ...]
    goal: Goal
    situation: Situation
    key: str

    def judged(self, draft: Draft, answers: Sequence[Prediction]) -> Judged:
        """The version by its share of wrong answers and, `OUTWEIGHS` times less, the mean probability of them.

        The share is what is reported; the probability lets a search see the steps between two turned answers. Raises
        InfrastructureError when no answer came.
        """
        pairs = self._answered(answers)
        if not pairs:
            raise InfrastructureError(
                f"none of the {len(answers)} requests of a round of the attack {self.key!r} was answered; "
                "what was answered before is kept, the same command resumes"
            )
        turned = [self._turned(answer, example) for answer, example in pairs]
        harm = [self._harm(answer, example) for answer, example in pairs]
        score = (OUTWEIGHS * sum(turned) + math.fsum(harm)) / len(pairs)
        return Judged(draft, None, score, all(turned))

    def score(self, answers: Sequence[Prediction]) -> float:
        """The mean score of the answers that came, by the task's metric."""
        values = [self._quality(answer, example) for answer, example in self._answered(answers)]
        return math.fsum(values) / len(values)

    def _answered(self, answers: Sequence[Prediction]) -> list[tuple[Prediction, Example]]:
        pairs = zip(answers, self.examples, strict=True)
        return [(answer, e) for answer, e in pairs if answer.status is not Status.FAILED]

    def _quality(self, answer: Prediction, example: Example) -> float:
        if self.situation.labels:
            return float(answer.label == example.target)
        return self.situation.quality(answer, example)

    def _harm(self, answer: Prediction, example: Example) -> float:
        """How wrong an answer is, in [0, 1]; one that names no label is wrong, as in the score."""
        labels = self.situation.labels
        if not labels:
            return 1.0 - self._quality(answer, example)
        if answer.scores is None:
            return float(self._turned(answer, example))
        if isinstance(self.goal, Targeted):
            return math.exp(answer.scores[labels.index(self.goal.label)])
        return 1.0 - math.exp(answer.scores[labels.index(str(example.target))])

    def _turned(self, answer: Prediction, example: Example) -> bool:
        if isinstance(self.goal, ScoreDrop):
            return self._quality(answer, example) <= self.goal.most
        if isinstance(self.goal, Targeted):
            return answer.label == self.goal.label
        return answer.label != example.target


def search_shared(
    attack: Attack,
    start: Draft,
    development: Development,
    ask: Ask,
    *,
    protect: frozenset[int] = frozenset(),
    seed: int,
    budget: int,
    progress: Progress = silent,
) -> Found:
    """The version of `start` under which the development examples fare worst, after at most `budget` versions.

    Raises InfrastructureError when a version got no answer at all.
    """
    rng = stream(seed, "shared attack", attack.name, start.example.id)
    one = Running(0, start, protect, budget, rng)
    scores: dict[str, float] = {}
    with progress(f"{development.key}: versions tried", budget) as advance:
        while True:
            drafts = open_drafts(one)
            for draft, answers in zip(drafts, ask(drafts) if drafts else (), strict=True):
                one.unanswered += sum(a.status is Status.FAILED for a in answers)
                one.told[draft.text] = development.judged(draft, answers)
                scores[draft.text] = development.score(answers)
            advance(len(drafts))
            if not proceed(one, attack, True, seed):
                break
    first, best = one.told[start.text], one.best
    assert first is not None
    assert best is not None
    if not best.reached and not better(best.score, first.score):
        best = first
    return Found(best, scores[start.text], scores[best.draft.text], len(one.told), one.unanswered)


def shared_goal(goal: Goal, situation: Situation) -> Goal:
    """The goal that fits the task, as for single texts; raises RecipeError for one that means nothing here."""
    if isinstance(goal, InputReduction):
        raise RecipeError(
            "the goal 'input-reduction' shortens single texts; an attack on all examples at once takes "
            "'untargeted' or 'targeted'"
        )
    return goal_for(goal, situation)


def aimed_at(goal: Goal, examples: Sequence[Example]) -> tuple[Example, ...]:
    """The examples that the goal can hurt: of a targeted one those of other labels."""
    return tuple(e for e in examples if not isinstance(goal, Targeted) or e.target != goal.label)
