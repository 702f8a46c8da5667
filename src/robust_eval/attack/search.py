"""How an attack looks for its goal. A search is a generator: it yields what it wants to know and is sent the answer.

`Expand` asks for the drafts that may follow from one, `Ask` for the victim's answers. The engine runs many searches
at once and answers them together, counts queries, ends a search whose budget is spent, and keeps the best draft; so a
search holds nothing but its own strategy. Its choices depend on scores through `best` and `better` alone.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import ClassVar, Protocol

from robust_eval.attack.draft import Draft
from robust_eval.attack.goal import Judged, best, better
from robust_eval.errors import RecipeError, did_you_mean
from robust_eval.rng import choice, shuffled


@dataclass(frozen=True, slots=True)
class Expand:
    """The drafts that may follow from this one, a list for each position. Answer: list[list[Draft]]."""

    draft: Draft
    positions: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Ask:
    """The victim's answers to these drafts. Answer: list[Judged], those without an answer left out.

    `probe` drafts are no candidates (a word masked, to see what it weighs): reaching the goal with one is no success.
    """

    drafts: tuple[Draft, ...]
    probe: bool = False


@dataclass(frozen=True, slots=True)
class Open:
    """The positions of a draft that may change now. Answer: tuple[int, ...]."""

    draft: Draft


@dataclass(frozen=True, slots=True)
class Filter:
    """Which of these drafts every constraint accepts. Answer: list[Draft], in order."""

    drafts: tuple[Draft, ...]


Wish = Expand | Ask | Open | Filter
# What is sent in depends on what was yielded, which Python's types cannot say.
Steps = Generator[Wish, object, None]


class Search(Protocol):
    """`run` ends when nothing is left to try or the goal is reached; `start` is the clean text's answer.

    `scored` says whether answers carry scores; without them a search sees only whether the goal is reached.
    """

    name: ClassVar[str]

    def run(self, start: Judged, rng: Random, scored: bool) -> Steps: ...


# --- what searches ask, typed ----------------------------------------------------------------------


def ask(drafts: Sequence[Draft], probe: bool = False) -> Generator[Wish, object, list[Judged]]:
    if not drafts:
        return []
    answered = yield Ask(tuple(drafts), probe)
    assert isinstance(answered, list)
    return answered


def expand(draft: Draft, positions: Sequence[int]) -> Generator[Wish, object, list[list[Draft]]]:
    if not positions:
        return []
    found = yield Expand(draft, tuple(positions))
    assert isinstance(found, list)
    return found


def open_positions(draft: Draft) -> Generator[Wish, object, tuple[int, ...]]:
    found = yield Open(draft)
    assert isinstance(found, tuple)
    return found


def kept(drafts: Sequence[Draft]) -> Generator[Wish, object, list[Draft]]:
    found = yield Filter(tuple(drafts))
    assert isinstance(found, list)
    return found


# --- greedy ----------------------------------------------------------------------------------------

RANKINGS = ("unknown", "delete", "saliency", "random")
UNKNOWN = "[UNK]"


@dataclass(frozen=True, slots=True)
class Greedy:
    """Word by word in order of importance, the best replacement at each.

    Importance is what the score gains when the word is masked (`unknown`), left out (`delete`), masked and weighed
    with the best replacement's own gain (`saliency`, as PWWS does), or nothing at all (`random`). Without
    scores no ranking tells anything: the order is random and every allowed change is kept until the answer
    turns; then changes are taken back, one by one, as long as it stays turned.

    Source: Jin et al. (2020), arXiv:1907.11932; Ren et al. (2019), ACL P19-1103, for saliency; the way back
    follows Maheshwary et al. (2021), arXiv:2012.14956.
    """

    name: ClassVar[str] = "greedy"
    ranking: str = "unknown"

    def __post_init__(self) -> None:
        if self.ranking not in RANKINGS:
            raise RecipeError(
                f"unknown ranking {self.ranking!r}{did_you_mean(self.ranking, RANKINGS)}"
            )

    def run(self, start: Judged, rng: Random, scored: bool) -> Steps:
        positions = yield from open_positions(start.draft)
        if not scored or self.ranking == "random":
            order: Sequence[int] = shuffled(rng, positions)
        else:
            order = yield from self._ranked(start, positions)
        now = start
        for position in order:
            (drafts,) = yield from expand(now.draft, (position,))
            answers = yield from ask(drafts)
            if not answers:
                continue
            top = best(answers)
            if top.reached or better(top.score, now.score):
                now = top
            elif not scored:
                now = choice(rng, answers)
            if now.reached:
                break
        if now.reached and not scored:
            yield from _undo(now)

    def _ranked(
        self, start: Judged, positions: tuple[int, ...]
    ) -> Generator[Wish, object, Sequence[int]]:
        if len(positions) < 2:
            return positions
        delete = self.ranking == "delete"
        masked = [
            start.draft.without(i) if delete else start.draft.with_word(i, UNKNOWN)
            for i in positions
        ]
        answers = yield from ask(masked, probe=True)
        score = {answer.draft.words: answer.score for answer in answers}
        weight = {i: score.get(draft.words, -math.inf) for i, draft in zip(positions, masked, strict=True)}  # fmt: skip
        if self.ranking == "saliency":
            weight = yield from self._salient(start, weight)
        return sorted(positions, key=lambda i: (-round(weight[i], 3), i))

    def _salient(
        self, start: Judged, masked: Mapping[int, float]
    ) -> Generator[Wish, object, dict[int, float]]:
        """log(softmax of the masked words' gains, times the best replacement's gain), in probability."""
        lists = yield from expand(start.draft, tuple(masked))
        answers = yield from ask([draft for drafts in lists for draft in drafts])
        gained = {answer.draft.words: answer for answer in answers}
        before = _share(start.score)
        weight: dict[int, float] = {}
        for (position, score), drafts in zip(masked.items(), lists, strict=True):
            tried = [gained[d.words].score for d in drafts if d.words in gained]
            gain = _share(max(tried)) - before if tried else 0.0
            # softmax's denominator is the same for all words
            weight[position] = _share(score) + math.log(gain) if gain > 0 else -1e9
        return weight


def _undo(reached: Judged) -> Steps:
    """Takes changes back, first to last, as long as the goal stays reached."""
    now = reached
    for position in reached.draft.changed:
        if len(now.draft.changed) < 2:
            return
        answers = yield from ask([now.draft.restored(position)])
        if answers and answers[0].reached:
            now = answers[0]


def _share(score: float) -> float:
    """Log-odds as a probability."""
    if score == -math.inf:
        return 0.0
    return 1.0 / (1.0 + math.exp(-score)) if score >= 0 else math.exp(score) / (1 + math.exp(score))


# --- random ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RandomWalk:
    """The baseline: random allowed changes pile up, and the walk starts anew after `steps` of them.

    It never looks at a score, only at whether the goal is reached. It ends when `rounds` walks brought nothing, or
    with the budget.
    """

    name: ClassVar[str] = "random"
    steps: int = 8
    rounds: int = 1000

    def run(self, start: Judged, rng: Random, scored: bool) -> Steps:
        for _ in range(self.rounds):
            now = start.draft
            for _ in range(self.steps):
                positions = list((yield from open_positions(now)))
                drafts: list[Draft] = []
                while positions and not drafts:
                    position = positions.pop(int(rng.random() * len(positions)))
                    (drafts,) = yield from expand(now, (position,))
                if not drafts:
                    break
                now = choice(rng, drafts)
                answers = yield from ask([now])
                if answers and answers[0].reached:
                    return
            if now is start.draft:
                return  # nothing may change
