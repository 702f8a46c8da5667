"""What an attack wants: how near an answer is to it, and whether it is there."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from robust_eval.attack.draft import Draft
from robust_eval.errors import RecipeError, did_you_mean
from robust_eval.records import Example, Prediction, Status, TaskKind

TOLERANCE = 1e-3  # scores closer than this are one score: another machine may order them otherwise
_FARTHEST = 50.0  # log-odds beyond which nothing more is told

Quality = Callable[[Prediction, Example], float]
"""How right a text answer is, in [0, 1], by the task's finest metric (F1 for QA)."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One answered draft. `score` is higher the nearer the goal; it means nothing between examples.

    `prediction` is None where the draft was judged on many examples at once.
    """

    draft: Draft
    prediction: Prediction | None
    score: float
    reached: bool


@dataclass(frozen=True, slots=True)
class Situation:
    """What a goal may know beside the answer: the task's labels and how text answers are scored."""

    kind: TaskKind
    labels: tuple[str, ...]
    quality: Quality


class Goal(Protocol):
    """`skip` looks at the clean answer, `judge` at a changed text's."""

    name: ClassVar[str]
    keeps_best: ClassVar[bool]  # the best draft is the result, also where the goal was not reached

    def check(self, situation: Situation) -> None: ...

    def skip(self, clean: Prediction, draft: Draft, situation: Situation) -> bool: ...

    def judge(
        self, answer: Prediction, clean: Prediction, draft: Draft, situation: Situation
    ) -> Judged: ...


@dataclass(frozen=True, slots=True)
class Untargeted:
    """Any other label than the right one. Only a label counts: an answer that names none is no success."""

    name: ClassVar[str] = "untargeted"
    keeps_best: ClassVar[bool] = False

    def check(self, situation: Situation) -> None:
        _need_labels(self.name, situation)

    def skip(self, clean: Prediction, draft: Draft, situation: Situation) -> bool:
        return clean.label != draft.example.target

    def judge(
        self, answer: Prediction, clean: Prediction, draft: Draft, situation: Situation
    ) -> Judged:
        target = str(draft.example.target)
        reached = answer.label is not None and answer.label != target
        if answer.scores is None:
            return Judged(draft, answer, float(reached), reached)
        others = [s for s, name in zip(answer.scores, situation.labels, strict=True) if name != target]  # fmt: skip
        right = answer.scores[situation.labels.index(target)]
        return Judged(draft, answer, _odds(others, right), reached)


@dataclass(frozen=True, slots=True)
class Targeted:
    """One given label. Examples whose right label it is are skipped."""

    name: ClassVar[str] = "targeted"
    keeps_best: ClassVar[bool] = False
    label: str = ""

    def check(self, situation: Situation) -> None:
        _need_labels(self.name, situation)
        if self.label not in situation.labels:
            raise RecipeError(
                f"the goal 'targeted' wants the label {self.label!r}, which the data set does not have"
                f"{did_you_mean(self.label, situation.labels)}"
            )

    def skip(self, clean: Prediction, draft: Draft, situation: Situation) -> bool:
        return clean.label != draft.example.target or draft.example.target == self.label

    def judge(
        self, answer: Prediction, clean: Prediction, draft: Draft, situation: Situation
    ) -> Judged:
        reached = answer.label == self.label
        if answer.scores is None:
            return Judged(draft, answer, float(reached), reached)
        wanted = answer.scores[situation.labels.index(self.label)]
        others = [s for s, name in zip(answer.scores, situation.labels, strict=True) if name != self.label]  # fmt: skip
        return Judged(draft, answer, -_odds(others, wanted), reached)


@dataclass(frozen=True, slots=True)
class InputReduction:
    """As few words as possible while the answer stays: what is left should no longer carry it.

    The score is the share of words that are gone, 0 once the answer is another one. The goal is reached at `words`
    words, which a search rarely is; the best draft counts.

    Source: Feng et al. (2018), arXiv:1804.07781.
    """

    name: ClassVar[str] = "input-reduction"
    keeps_best: ClassVar[bool] = True
    words: int = 1

    def check(self, situation: Situation) -> None:
        _need_labels(self.name, situation)

    def skip(self, clean: Prediction, draft: Draft, situation: Situation) -> bool:
        return clean.label != draft.example.target or len(draft.words) <= self.words

    def judge(
        self, answer: Prediction, clean: Prediction, draft: Draft, situation: Situation
    ) -> Judged:
        left = sum(bool(word) for word in draft.words)
        kept = answer.label == clean.label
        score = 1.0 - left / max(1, len(draft.was)) if kept else -1.0
        return Judged(draft, answer, score, kept and left <= self.words)


@dataclass(frozen=True, slots=True)
class ScoreDrop:
    """For answers in words (QA, math): the answer's quality falls to `most` or below."""

    name: ClassVar[str] = "score-drop"
    keeps_best: ClassVar[bool] = False
    most: float = 0.0

    def check(self, situation: Situation) -> None:
        if situation.labels:
            raise RecipeError(
                "the goal 'score-drop' is for answers in words; a task with labels takes 'untargeted'"
            )

    def skip(self, clean: Prediction, draft: Draft, situation: Situation) -> bool:
        return (
            clean.status is not Status.OK
            or situation.quality(clean, draft.example) <= self.most
        )  # fmt: skip

    def judge(
        self, answer: Prediction, clean: Prediction, draft: Draft, situation: Situation
    ) -> Judged:
        quality = situation.quality(answer, draft.example)
        reached = answer.status is Status.OK and quality <= self.most
        return Judged(draft, answer, 1.0 - quality, reached)


GOALS: Mapping[str, type[Goal]] = {
    goal.name: goal for goal in (Untargeted, Targeted, InputReduction, ScoreDrop)
}


def goal_for(goal: Goal, situation: Situation) -> Goal:
    """The goal, or for a task without labels what `untargeted` means there. Raises RecipeError if neither fits."""
    fitting: Goal = (
        ScoreDrop() if isinstance(goal, Untargeted) and not situation.labels else goal
    )  # fmt: skip
    fitting.check(situation)
    return fitting


def better(one: float, other: float) -> bool:
    """Whether a score is higher by more than the tolerance."""
    return one > other + TOLERANCE


def best(judged: Sequence[Judged]) -> Judged:
    """The first in order among those within the tolerance of the highest score; reached ones come first."""
    pool = [j for j in judged if j.reached] or list(judged)
    highest = max(j.score for j in pool)
    return next(j for j in pool if not better(highest, j.score))


def _odds(others: Sequence[float], right: float) -> float:
    """log(sum of the others' probabilities) - log(the right one's): grows where 1 - p has long been 1."""
    top = max(others, default=-math.inf)
    if top == -math.inf:
        return -_FARTHEST
    rest = top + math.log(math.fsum(math.exp(s - top) for s in others))
    return max(-_FARTHEST, min(_FARTHEST, rest - right))


def _need_labels(name: str, situation: Situation) -> None:
    if not situation.labels:
        raise RecipeError(
            f"the goal {name!r} needs a task with labels, not {situation.kind.value}; use 'score-drop'"
        )
