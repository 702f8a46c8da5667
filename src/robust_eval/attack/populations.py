"""Searches that follow several drafts at once: a beam, and a population that mates."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import ClassVar

from robust_eval.attack.draft import Draft
from robust_eval.attack.goal import Judged
from robust_eval.attack.search import Steps, ask, expand, kept, open_positions
from robust_eval.rng import choice


@dataclass(frozen=True, slots=True)
class Beam:
    """The `width` best drafts of each step, every position and replacement tried; `width` 1 is plain greedy search.

    It ends after `steps` changes, or when nothing more may change. Without scores the first drafts stay.
    """

    name: ClassVar[str] = "beam"
    width: int = 2
    steps: int = 8

    def run(self, start: Judged, rng: Random, scored: bool) -> Steps:
        beam = [start]
        for _ in range(self.steps):
            drafts: list[Draft] = []
            for member in beam:
                positions = yield from open_positions(member.draft)
                lists = yield from expand(member.draft, positions)
                drafts += [draft for found in lists for draft in found]
            distinct = {draft.text: draft for draft in reversed(drafts)}
            answers = yield from ask(list(distinct.values())[::-1])
            if not answers or any(answer.reached for answer in answers):
                return
            beam = _top(answers, max(1, self.width))


@dataclass(frozen=True, slots=True)
class Population:
    """Drafts that mutate and mate: fitter ones are parents more often, and the best one lives on.

    A child takes each word from either parent, then a random position gets a random replacement.

    Source: Alzantot et al. (2018), arXiv:1804.07998. There a mutation tries all replacements and keeps the best; here it
    takes one at random, which costs one query instead of many.
    """

    name: ClassVar[str] = "population"
    size: int = 12
    generations: int = 12

    def run(self, start: Judged, rng: Random, scored: bool) -> Steps:
        now: list[Judged] = [start]
        for _ in range(self.generations):
            children: list[Draft] = []
            while len(children) < max(2, self.size) - 1:
                one, other = _parent(now, rng), _parent(now, rng)
                child = _mated(one.draft, other.draft, rng)
                positions = yield from open_positions(child)
                if positions:
                    (found,) = yield from expand(child, (choice(rng, positions),))
                    child = choice(rng, found) if found else child
                children.append(child)
            fine = yield from kept([c for c in children if c.changed or c.rewritten])
            answers = yield from ask(fine)
            if not answers or any(answer.reached for answer in answers):
                return
            now = [*_top([*now, *answers], 1), *answers]


def _top(answers: list[Judged], count: int) -> list[Judged]:
    """The highest scores, rounded to the tolerance; equal ones stay in order."""
    order = sorted(range(len(answers)), key=lambda i: (-round(answers[i].score, 3), i))
    return [answers[i] for i in order[:count]]


def _parent(now: list[Judged], rng: Random) -> Judged:
    """The fitter of two at random."""
    one, other = choice(rng, now), choice(rng, now)
    return other if round(other.score, 3) > round(one.score, 3) else one


def _mated(one: Draft, other: Draft, rng: Random) -> Draft:
    """Each word from either parent. Rewritten texts have positions of their own: the first parent alone then."""
    if one.rewritten or other.rewritten:
        return one
    child = one
    for position, word in enumerate(other.words):
        if rng.random() < 0.5 and word != child.words[position]:
            child = child.with_word(position, word)
    return child
