"""What a universal trigger is made of: its place and length, and words that speak for no label."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import ClassVar, Final

from robust_eval.attack.draft import Draft
from robust_eval.attack.proposals import put
from robust_eval.errors import RecipeError, did_you_mean
from robust_eval.perturb.tables import list_table
from robust_eval.records import Example
from robust_eval.rng import shuffled

PLACES = ("prefix", "suffix")
MOST_WORDS = 20
LOPSIDED: Final = 2 / 3  # share of a word's texts that may have one label
_WORD = re.compile(r"[^\W\d_]{2,}")


@dataclass(frozen=True, slots=True)
class Trigger:
    """The same `words` words at one place of every text. `start` stands in each place before the search.

    `field` is the task's last changeable one unless it is named: the text, the hypothesis, the question.
    """

    place: str = "prefix"
    words: int = 3
    field: str = ""
    start: str = "the"  # as in Wallace et al.

    def __post_init__(self) -> None:
        if self.place not in PLACES:
            raise RecipeError(
                f"trigger: unknown place {self.place!r}{did_you_mean(self.place, PLACES)}"
            )
        if not 1 <= self.words <= MOST_WORDS:
            raise RecipeError(f"trigger: words must be from 1 to {MOST_WORDS}, not {self.words}")
        if not re.fullmatch(r"\w+", self.start):
            raise RecipeError(f"trigger: start must be one word, not {self.start!r}")

    @property
    def text(self) -> str:
        return " ".join([self.start] * self.words)

    def on(self, example: Example, text: str, field: str) -> Example:
        """The example with this trigger; as it was where the trigger is empty."""
        parts = (text, example.inputs[field]) if self.place == "prefix" else (example.inputs[field], text)  # fmt: skip
        inputs = {**example.inputs, field: " ".join(part for part in parts if part)}
        return Example(example.id, inputs, example.target, example.source_id, example.meta)


@dataclass(frozen=True, slots=True)
class VocabularyWord:
    """`most` words of the development texts that speak for no label, drawn by the stream. For triggers only."""

    name: ClassVar[str] = "vocabulary-word"
    whole: ClassVar[bool] = False
    most: int = 60

    def drafts(self, draft: Draft, position: int, rng: Random) -> Sequence[Draft]:
        words: Sequence[str] = draft.example.meta.get("vocabulary", ())
        return put(draft, position, shuffled(rng, words)[: self.most])


def neutral_words(examples: Sequence[Example], field: str) -> tuple[str, ...]:
    """Lower-case words of the field that stand in texts of several labels alike, sorted; negations are left out.

    A word that is found under one label alone, or in more than two thirds of its texts, may say what the label is;
    with it a trigger would change what a text says and not only how it is read. Of answers in words,
    every word counts that no answer holds.
    """
    labels: dict[str, Counter[str]] = defaultdict(Counter)
    answers: set[str] = set()
    for example in examples:
        target = example.target if isinstance(example.target, str) else ""
        if not isinstance(example.target, str):
            answers |= {w for answer in example.target for w in _words(answer)}
        for word in _words(example.inputs[field]):
            labels[word][target] += 1
    balanced = len({e.target for e in examples if isinstance(e.target, str)}) > 1
    left_out = answers | set(list_table("negations"))
    return tuple(
        sorted(
            word
            for word, by_label in labels.items()
            if word not in left_out
            and (not balanced or max(by_label.values()) <= LOPSIDED * sum(by_label.values()))
        )
    )


def _words(text: str) -> set[str]:
    return {word.lower() for word in _WORD.findall(text)}
