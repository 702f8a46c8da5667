"""Noise on whole words: left out, repeated, swapped, stretched, filled in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import ClassVar

from robust_eval.perturb.draws import (
    Edit,
    Rated,
    Rates,
    alone,
    apply,
    hits,
    pick,
    settle,
)
from robust_eval.perturb.tables import list_table

TOKEN = re.compile(r"\S+")
WORD = re.compile(r"[^\W\d_]+")
PLAIN_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
VOWELS = "aeiouAEIOU"


@cache
def negations() -> frozenset[str]:
    """Lower-case words that turn a sentence round, with straight apostrophes."""
    return frozenset(list_table("negations"))


def negates(token: str) -> bool:
    """Whether a token is a negation, whatever its case, quotes and punctuation."""
    core = token.strip(".,;:!?\"'()[]…“”‘").replace("’", "'").casefold()
    return core in negations() or core.endswith("n't")


@dataclass(frozen=True, slots=True)
class WordDrops(Rated):
    """Leave words out. Negations stay unless `keep_negations` is off, and one word always stays.

    The word kept is the one with the largest draw.

    Source: random deletion of Wei & Zou (2019), arXiv:1901.11196; keeping negations is our departure.
    """

    name: ClassVar[str] = "word-drops"
    group: ClassVar[str] = "words"
    unit: ClassVar[str] = "words"
    RATES: ClassVar[Rates] = (0.03, 0.07, 0.12, 0.20, 0.35)  # share of words

    keep_negations: bool = True

    def perturb(self, text: str, rng: Random) -> str:
        tokens = [match.span() for match in TOKEN.finditer(text)]
        draws = hits(rng, len(tokens), 1.0)
        last = max(draws)[1] if draws else -1
        edits = []
        for draw, k in draws:
            start, end = tokens[k]
            if draw >= self.rate or k == last:
                continue
            if self.keep_negations and negates(text[start:end]):
                continue
            # The gap after a word goes with it; the last word takes the gap before.
            if k + 1 < len(tokens):
                edits.append(Edit(draw, start, tokens[k + 1][0], ""))
            else:
                edits.append(Edit(draw, start, end, ""))
        return apply(text, edits)


@dataclass(frozen=True, slots=True)
class WordRepeats(Rated):
    """Write words twice, as stutters and careless editing do. Negations are repeated only when asked."""

    name: ClassVar[str] = "word-repeats"
    group: ClassVar[str] = "words"
    unit: ClassVar[str] = "words"
    RATES: ClassVar[Rates] = (0.02, 0.05, 0.10, 0.20, 0.35)  # share of words

    keep_negations: bool = True

    def perturb(self, text: str, rng: Random) -> str:
        words = [match.span() for match in PLAIN_WORD.finditer(text)]
        edits = []
        for draw, k in hits(rng, len(words), self.rate):
            start, end = words[k]
            word = text[start:end]
            if not (self.keep_negations and negates(word)) and alone(text, end - 1):
                edits.append(Edit(draw, end, end, f" {word}"))
        return apply(text, edits)


@dataclass(frozen=True, slots=True)
class WordSwaps(Rated):
    """Swap neighbouring words; pairs with a negation stay as they are unless asked for.

    Where swaps overlap, the smaller draw wins.

    Source: random swap of Wei & Zou (2019), arXiv:1901.11196; neighbours only, which keeps the sense nearer.
    """

    name: ClassVar[str] = "word-swaps"
    group: ClassVar[str] = "words"
    unit: ClassVar[str] = "words"
    RATES: ClassVar[Rates] = (0.03, 0.06, 0.12, 0.20, 0.35)  # share of words that start a swap

    keep_negations: bool = True

    def perturb(self, text: str, rng: Random) -> str:
        words = [match.span() for match in PLAIN_WORD.finditer(text)]
        edits = []
        for draw, k in hits(rng, len(words) - 1, self.rate):
            (start, middle), (after, end) = words[k], words[k + 1]
            first, gap, second = text[start:middle], text[middle:after], text[after:end]
            # Words apart by more than a gap belong to different phrases: no swap over a comma.
            if not gap.isspace() or not alone(text, end - 1):
                continue
            if not (self.keep_negations and (negates(first) or negates(second))):
                edits.append(Edit(draw, start, end, f"{second}{gap}{first}"))
        return apply(text, settle(edits))


@dataclass(frozen=True, slots=True)
class Fillers(Rated):
    """Put fillers of speech before words: `um`, `you know`, `I mean`."""

    name: ClassVar[str] = "fillers"
    group: ClassVar[str] = "words"
    unit: ClassVar[str] = "words"
    RATES: ClassVar[Rates] = (0.03, 0.06, 0.12, 0.20, 0.35)  # share of words

    def perturb(self, text: str, rng: Random) -> str:
        fillers = list_table("fillers")
        starts = [match.start() for match in TOKEN.finditer(text)]
        return apply(
            text,
            [
                Edit(draw, starts[k], starts[k], f"{pick(draw, fillers)} ")
                for draw, k in hits(rng, len(starts), self.rate)
            ],
        )


@dataclass(frozen=True, slots=True)
class Stutters(Rated):
    """Repeat the first letter of words: `g-good`."""

    name: ClassVar[str] = "stutters"
    group: ClassVar[str] = "words"
    unit: ClassVar[str] = "words"
    RATES: ClassVar[Rates] = (0.03, 0.06, 0.12, 0.25, 0.40)  # share of words

    def perturb(self, text: str, rng: Random) -> str:
        starts = [match.start() for match in PLAIN_WORD.finditer(text)]
        return apply(
            text,
            [
                Edit(draw, starts[k], starts[k], f"{text[starts[k]]}-")
                for draw, k in hits(rng, len(starts), self.rate)
                if alone(text, starts[k])
            ],
        )


@dataclass(frozen=True, slots=True)
class Elongations(Rated):
    """Stretch a vowel of words, as emphasis does: `sooo goood`."""

    name: ClassVar[str] = "elongations"
    group: ClassVar[str] = "words"
    unit: ClassVar[str] = "words"
    RATES: ClassVar[Rates] = (0.03, 0.07, 0.15, 0.30, 0.50)  # share of words with a vowel
    TIMES: ClassVar[tuple[int, ...]] = (2, 3, 4)  # how many letters are added

    def perturb(self, text: str, rng: Random) -> str:
        words = [match.span() for match in PLAIN_WORD.finditer(text)]
        edits = []
        for draw, k in hits(rng, len(words), self.rate):
            vowels = [i for i in range(*words[k]) if text[i] in VOWELS and alone(text, i)]
            if vowels:
                i = vowels[-1] if len(vowels) < 2 or text[vowels[-1]] not in "eE" else vowels[-2]
                edits.append(Edit(draw, i, i, text[i] * pick(draw, self.TIMES)))
        return apply(text, edits)


@dataclass(frozen=True, slots=True)
class VowelDrops(Rated):
    """Leave out the vowels inside words of four letters or more: `prfct`."""

    name: ClassVar[str] = "vowel-drops"
    group: ClassVar[str] = "words"
    unit: ClassVar[str] = "words"
    RATES: ClassVar[Rates] = (0.03, 0.06, 0.12, 0.25, 0.40)  # share of words

    def perturb(self, text: str, rng: Random) -> str:
        words = [match.span() for match in PLAIN_WORD.finditer(text)]
        edits = []
        for draw, k in hits(rng, len(words), self.rate):
            start, end = words[k]
            word = text[start:end]
            if len(word) >= 4 and word.isascii() and alone(text, end - 1):
                inner = "".join(char for char in word[1:-1] if char not in VOWELS)
                edits.append(Edit(draw, start, end, word[0] + inner + word[-1]))
        return apply(text, edits)


@dataclass(frozen=True, slots=True)
class InnerShuffles(Rated):
    """Shuffle the letters of words between the first and the last: `sfhlufe`.

    Words of four letters or more; accented letters written as two code points keep a word whole.

    Source: the middle-random noise of Belinkov & Bisk (2018), arXiv:1711.02173.
    """

    name: ClassVar[str] = "inner-shuffles"
    group: ClassVar[str] = "words"
    unit: ClassVar[str] = "words"
    RATES: ClassVar[Rates] = (0.03, 0.06, 0.12, 0.25, 0.50)  # share of words

    def perturb(self, text: str, rng: Random) -> str:
        # Runs of letters only, so that an apostrophe stays where it is.
        words = [match.span() for match in WORD.finditer(text)]
        edits = []
        for draw, k in hits(rng, len(words), self.rate):
            start, end = words[k]
            if end - start >= 4 and alone(text, end - 1):
                # A generator of its own, seeded by the draw: draws from `rng` would end the nesting.
                inner = _shuffled(text[start + 1 : end - 1], Random(int(draw * 2**53)))
                edits.append(Edit(draw, start, end, text[start] + inner + text[end - 1]))
        return apply(text, edits)


def _shuffled(letters: str, rng: Random) -> str:
    """The letters in another order where there is one."""
    order = list(letters)
    for i in range(len(order) - 1, 0, -1):
        j = int(rng.random() * (i + 1))
        order[i], order[j] = order[j], order[i]
    moved = "".join(order)
    return moved if moved != letters else letters[1:] + letters[:1]


@dataclass(frozen=True, slots=True)
class Hashtags(Rated):
    """Mark words as hashtags: `#great`."""

    name: ClassVar[str] = "hashtags"
    group: ClassVar[str] = "words"
    unit: ClassVar[str] = "words"
    RATES: ClassVar[Rates] = (
        0.03,
        0.07,
        0.15,
        0.30,
        0.50,
    )  # share of words of three letters or more

    def perturb(self, text: str, rng: Random) -> str:
        words = [match.start() for match in PLAIN_WORD.finditer(text) if len(match.group()) > 2]
        return apply(
            text,
            [Edit(draw, words[k], words[k], "#") for draw, k in hits(rng, len(words), self.rate)],
        )
