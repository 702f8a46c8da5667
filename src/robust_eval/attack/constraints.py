"""What an attack may not do: which words it must leave alone, and which drafts it must throw away."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, Protocol

from robust_eval.attack.draft import Draft, spans
from robust_eval.perturb.apply import edits
from robust_eval.perturb.tables import list_table


class WordConstraint(Protocol):
    """Decides before anything is proposed whether a position may change at all."""

    name: ClassVar[str]

    def allows(self, draft: Draft, position: int) -> bool: ...


class DraftConstraint(Protocol):
    """Decides on whole drafts, many at a time: one claim for each, in order."""

    name: ClassVar[str]

    def accepts(self, drafts: Sequence[Draft]) -> Sequence[bool]: ...


# --- words ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NoRepeat:
    """A word that was changed is not changed again."""

    name: ClassVar[str] = "no-repeat"

    def allows(self, draft: Draft, position: int) -> bool:
        return draft.words[position] == draft.was[position]


@dataclass(frozen=True, slots=True)
class NoStopwords:
    """Function words stay: they carry grammar, negation among it. The list is `tables/stopwords.txt`."""

    name: ClassVar[str] = "no-stopwords"

    def allows(self, draft: Draft, position: int) -> bool:
        return draft.words[position].lower() not in stopwords()


@dataclass(frozen=True, slots=True)
class MinWordLength:
    """Words of fewer characters stay."""

    name: ClassVar[str] = "min-word-length"
    least: int = 4

    def allows(self, draft: Draft, position: int) -> bool:
        return len(draft.words[position]) >= self.least


@dataclass(frozen=True, slots=True)
class ProtectedWords:
    """These words stay wherever they stand, case ignored. Separate them by commas."""

    name: ClassVar[str] = "protected-words"
    words: str = ""

    def allows(self, draft: Draft, position: int) -> bool:
        return draft.words[position].lower() not in _listed(self.words)


@dataclass(frozen=True, slots=True)
class MaxWords:
    """At most this many words change."""

    name: ClassVar[str] = "max-words"
    most: int = 1

    def allows(self, draft: Draft, position: int) -> bool:
        changed = draft.changed
        return position in changed or len(changed) < self.most


@dataclass(frozen=True, slots=True)
class OnlyFields:
    """Only words of these fields change, such as the hypothesis of a pair. Separate them by commas."""

    name: ClassVar[str] = "only-fields"
    fields: str = ""

    def allows(self, draft: Draft, position: int) -> bool:
        return draft.slots[position].field in _listed(self.fields)


# --- drafts --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EditDistance:
    """At most this many characters differ from the original (Levenshtein)."""

    name: ClassVar[str] = "edit-distance"
    most: int = 30

    def accepts(self, drafts: Sequence[Draft]) -> Sequence[bool]:
        return [edits(original_text(d), d.text) <= self.most for d in drafts]


@dataclass(frozen=True, slots=True)
class EditRate:
    """At most this share of the longer text's characters differs from the original."""

    name: ClassVar[str] = "edit-rate"
    most: float = 0.2

    def accepts(self, drafts: Sequence[Draft]) -> Sequence[bool]:
        kept = []
        for draft in drafts:
            original, text = original_text(draft), draft.text
            longest = max(len(original), len(text), 1)
            kept.append(edits(original, text) / longest <= self.most)
        return kept


@dataclass(frozen=True, slots=True)
class WordsChanged:
    """At most this share of the words changes, and always one may."""

    name: ClassVar[str] = "words-changed"
    most: float = 0.25

    def accepts(self, drafts: Sequence[Draft]) -> Sequence[bool]:
        return [len(d.changed) <= max(1, int(self.most * len(d.was))) for d in drafts]


WORD_CONSTRAINTS: Mapping[str, type[WordConstraint]] = {
    kind.name: kind
    for kind in (NoRepeat, NoStopwords, MinWordLength, ProtectedWords, MaxWords, OnlyFields)
}
TEXT_CONSTRAINTS: tuple[type[DraftConstraint], ...] = (EditDistance, EditRate, WordsChanged)


@dataclass(frozen=True, slots=True)
class Limits:
    """All constraints of an attack, and what a task protects whatever the attack says."""

    words: tuple[WordConstraint, ...] = ()
    drafts: tuple[DraftConstraint, ...] = ()

    def positions(self, draft: Draft, protect: frozenset[int]) -> tuple[int, ...]:
        """The positions that may change now. `protect` holds positions of the original."""
        return tuple(
            i
            for i, word in enumerate(draft.words)
            if word
            and (draft.rewritten or i not in protect)
            and all(constraint.allows(draft, i) for constraint in self.words)
        )

    def kept(self, drafts: Sequence[Draft]) -> list[Draft]:
        """Those that every constraint accepts; cheap constraints come first in a recipe."""
        left = list(drafts)
        for constraint in self.drafts:
            if not left:
                break
            claims = constraint.accepts(left)
            left = [draft for draft, fine in zip(left, claims, strict=True) if fine]
        return left


def protected_positions(draft: Draft, patterns: Sequence[str]) -> frozenset[int]:
    """Positions of words that overlap what the task protects: numbers in math, gold answers in QA."""
    if not patterns:
        return frozenset()
    guard = re.compile("|".join(f"(?:{p})" for p in patterns), re.IGNORECASE)
    taken = [
        (field, m.start(), m.end())
        for field, _ in draft.ends
        for m in guard.finditer(draft.example.inputs[field])
    ]
    return frozenset(
        i
        for i, (field, start, end) in enumerate(spans(draft))
        if any(f == field and start < high and low < end for f, low, high in taken)
    )


def original_text(draft: Draft) -> str:
    """The original of what `Draft.text` gives."""
    return "\n".join(draft.example.inputs[field] for field, _ in draft.ends)


@lru_cache(maxsize=1)
def stopwords() -> frozenset[str]:
    """English function words, lower case."""
    return frozenset(list_table("stopwords"))


@lru_cache(maxsize=256)
def _listed(words: str) -> frozenset[str]:
    return frozenset(word.strip().lower() for word in words.split(",") if word.strip())
