"""What an attack may put in a word's place: edits of its characters. Words for words stand in `substitutes`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import ClassVar, Protocol

from robust_eval.attack.draft import Draft
from robust_eval.perturb.keyboards import QWERTY_NEIGHBOURS
from robust_eval.rng import below, choice

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
# Look-alikes that common fonts draw alike. Source of the idea: Boucher et al. (2021), arXiv:2106.09898; pairs
# from the confusables of Unicode UTS #39, Cyrillic and Greek only.
HOMOGLYPHS: Mapping[str, str] = {
    "a": "а", "c": "с", "e": "е", "i": "і", "j": "ј", "o": "о", "p": "р", "s": "ѕ", "x": "х", "y": "у",
    "A": "А", "B": "В", "C": "С", "E": "Е", "H": "Н", "I": "І", "K": "К", "M": "М", "O": "О", "P": "Р",
    "S": "Ѕ", "T": "Т", "X": "Х", "Y": "Ү", "v": "ν", "h": "һ", "d": "ԁ", "q": "ԛ", "w": "ԝ",
}  # fmt: skip


class Proposal(Protocol):
    """Drafts with another word at a position, in a fixed order, by the stream alone.

    `position` is `draft.WHOLE` for proposals that rewrite the text (`whole`).
    """

    name: ClassVar[str]
    whole: ClassVar[bool]

    def drafts(self, draft: Draft, position: int, rng: Random) -> Sequence[Draft]: ...


def put(draft: Draft, position: int, words: Sequence[str]) -> list[Draft]:
    """A draft for each of these words that is not the one there already."""
    now = draft.words[position]
    return [draft.with_word(position, word) for word in dict.fromkeys(words) if word != now]


def _places(word: str, first: bool, last: bool, span: int = 1) -> range:
    """Starts of stretches of `span` characters in the word, without its first or last character."""
    return range(0 if first else 1, len(word) - span + (1 if last else 0))


def _some(places: Sequence[int], every: bool, rng: Random) -> Sequence[int]:
    if every or not places:
        return places
    return [choice(rng, places)]


def _edited(
    kind: SwapCharacters | SubstituteCharacter | DeleteCharacter | InsertCharacter,
    draft: Draft,
    position: int,
    rng: Random,
    edit: Callable[[str, int, Random], str],
    *,
    span: int = 1,
    least: int = 1,
) -> list[Draft]:
    """Drafts with the word edited at each chosen start of `span` characters; words under `least` characters stay."""
    word = draft.words[position]
    if len(word) < least:
        return []
    places = _some(_places(word, kind.first, kind.last, span), kind.every, rng)
    return put(draft, position, [edit(word, i, rng) for i in places])


def _swapped(word: str, i: int, rng: Random) -> str:
    return word[:i] + word[i + 1] + word[i] + word[i + 2 :]


def _substituted(word: str, i: int, rng: Random) -> str:
    return word[:i] + choice(rng, [c for c in _LETTERS if c != word[i]]) + word[i + 1 :]


def _deleted(word: str, i: int, rng: Random) -> str:
    return word[:i] + word[i + 1 :]


def _inserted(word: str, i: int, rng: Random) -> str:
    return word[:i] + choice(rng, _LETTERS) + word[i:]


@dataclass(frozen=True, slots=True)
class SwapCharacters:
    """Two neighbouring characters trade places: one pair at random, or `every` pair."""

    name: ClassVar[str] = "swap-characters"
    whole: ClassVar[bool] = False
    every: bool = False
    first: bool = True  # the first character may be touched
    last: bool = True

    def drafts(self, draft: Draft, position: int, rng: Random) -> Sequence[Draft]:
        return _edited(self, draft, position, rng, _swapped, span=2)


@dataclass(frozen=True, slots=True)
class SubstituteCharacter:
    """A character becomes a random letter: at one place, or at `every` place."""

    name: ClassVar[str] = "substitute-character"
    whole: ClassVar[bool] = False
    every: bool = False
    first: bool = True
    last: bool = True

    def drafts(self, draft: Draft, position: int, rng: Random) -> Sequence[Draft]:
        return _edited(self, draft, position, rng, _substituted, least=2)


@dataclass(frozen=True, slots=True)
class DeleteCharacter:
    """A character is left out: one at random, or each in turn with `every`."""

    name: ClassVar[str] = "delete-character"
    whole: ClassVar[bool] = False
    every: bool = False
    first: bool = True
    last: bool = True

    def drafts(self, draft: Draft, position: int, rng: Random) -> Sequence[Draft]:
        return _edited(self, draft, position, rng, _deleted, least=2)


@dataclass(frozen=True, slots=True)
class InsertCharacter:
    """A random letter is put before a character: at one place, or at `every` place."""

    name: ClassVar[str] = "insert-character"
    whole: ClassVar[bool] = False
    every: bool = False
    first: bool = True
    last: bool = True

    def drafts(self, draft: Draft, position: int, rng: Random) -> Sequence[Draft]:
        return _edited(self, draft, position, rng, _inserted)


@dataclass(frozen=True, slots=True)
class KeyboardCharacter:
    """A character becomes a neighbour on the keyboard: one at random, or with `every` each neighbour of each."""

    name: ClassVar[str] = "keyboard-character"
    whole: ClassVar[bool] = False
    every: bool = False
    first: bool = True
    last: bool = True

    def drafts(self, draft: Draft, position: int, rng: Random) -> Sequence[Draft]:
        word = draft.words[position]
        typed = [i for i in _places(word, self.first, self.last) if word[i] in QWERTY_NEIGHBOURS]
        made = []
        for i in _some(typed, self.every, rng):
            keys = QWERTY_NEIGHBOURS[word[i]]
            chosen = keys if self.every else [choice(rng, keys)]
            made += [word[:i] + key + word[i + 1 :] for key in chosen]
        return put(draft, position, made)


@dataclass(frozen=True, slots=True)
class Homoglyph:
    """A letter becomes a look-alike of another alphabet: one at random, or each in turn with `every`."""

    name: ClassVar[str] = "homoglyph"
    whole: ClassVar[bool] = False
    every: bool = False

    def drafts(self, draft: Draft, position: int, rng: Random) -> Sequence[Draft]:
        word = draft.words[position]
        places = [i for i, letter in enumerate(word) if letter in HOMOGLYPHS]
        places = list(_some(places, self.every, rng))
        return put(draft, position, [word[:i] + HOMOGLYPHS[word[i]] + word[i + 1 :] for i in places])  # fmt: skip


@dataclass(frozen=True, slots=True)
class InsertSpace:
    """A space is put inside the word, where a tokenizer sees two."""

    name: ClassVar[str] = "insert-space"
    whole: ClassVar[bool] = False

    def drafts(self, draft: Draft, position: int, rng: Random) -> Sequence[Draft]:
        word = draft.words[position]
        if len(word) < 2:
            return []
        at = 1 + below(rng, len(word) - 1)
        return put(draft, position, [f"{word[:at]} {word[at:]}"])


@dataclass(frozen=True, slots=True)
class DeleteWord:
    """The word is left out."""

    name: ClassVar[str] = "delete-word"
    whole: ClassVar[bool] = False

    def drafts(self, draft: Draft, position: int, rng: Random) -> Sequence[Draft]:
        return [draft.without(position)]


CHARACTER_PROPOSALS: tuple[type[Proposal], ...] = (
    SwapCharacters,
    SubstituteCharacter,
    DeleteCharacter,
    InsertCharacter,
    KeyboardCharacter,
    Homoglyph,
    InsertSpace,
    DeleteWord,
)
