"""Noise on the surface: case, spaces, punctuation, invisible characters and broken encodings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import ClassVar

from robust_eval.perturb.draws import (
    Edit,
    Rated,
    Rates,
    alone,
    apply,
    continues,
    hits,
    pick,
    settle,
)

WORD = re.compile(r"[^\W\d_]+")  # runs of letters
GAP = re.compile(r"(?<=\S) (?=\S)")  # single spaces between words
SENTENCE_MARKS = ".,;:!?"
APOSTROPHES = "'’"
HYPHENS = "-\u2010\u2011"  # hyphen-minus, hyphen, non-breaking hyphen


@dataclass(frozen=True, slots=True)
class RandomCase(Rated):
    """Flip the case of single letters: `rAndom Case`.

    Letters without a one-letter counterpart, such as `ß`, are left alone.
    """

    name: ClassVar[str] = "random-case"
    group: ClassVar[str] = "surface"
    unit: ClassVar[str] = "letters"
    RATES: ClassVar[Rates] = (0.02, 0.05, 0.12, 0.25, 0.50)  # share of letters

    def perturb(self, text: str, rng: Random) -> str:
        edits = []
        for draw, i in hits(rng, len(text), self.rate):
            flipped = text[i].swapcase()
            if flipped != text[i] and len(flipped) == 1 and flipped.swapcase() == text[i]:
                edits.append(Edit(draw, i, i + 1, flipped))
        return apply(text, edits)


@dataclass(frozen=True, slots=True)
class UpperCase(Rated):
    """Write whole words in capitals, as shouting does; severity 5 is the whole text."""

    name: ClassVar[str] = "upper-case"
    group: ClassVar[str] = "surface"
    unit: ClassVar[str] = "words"
    RATES: ClassVar[Rates] = (0.05, 0.15, 0.30, 0.60, 1.00)  # share of words

    def perturb(self, text: str, rng: Random) -> str:
        words = [match.span() for match in WORD.finditer(text)]
        edits = []
        for draw, k in hits(rng, len(words), self.rate):
            start, end = words[k]
            edits.append(Edit(draw, start, end, text[start:end].upper()))
        return apply(text, edits)


@dataclass(frozen=True, slots=True)
class LowerCase(Rated):
    """Write words without their capitals, as on a phone; severity 5 is the whole text."""

    name: ClassVar[str] = "lower-case"
    group: ClassVar[str] = "surface"
    unit: ClassVar[str] = "words"
    RATES: ClassVar[Rates] = (0.10, 0.25, 0.50, 0.75, 1.00)  # share of words

    def perturb(self, text: str, rng: Random) -> str:
        words = [match.span() for match in WORD.finditer(text)]
        edits = []
        for draw, k in hits(rng, len(words), self.rate):
            start, end = words[k]
            edits.append(Edit(draw, start, end, text[start:end].lower()))
        return apply(text, edits)


@dataclass(frozen=True, slots=True)
class ExtraSpaces(Rated):
    """Widen gaps between words: a second space, a tab, a line break or a no-break space."""

    name: ClassVar[str] = "extra-spaces"
    group: ClassVar[str] = "surface"
    unit: ClassVar[str] = "gaps"
    RATES: ClassVar[Rates] = (0.05, 0.10, 0.20, 0.40, 0.70)  # share of single spaces
    WIDER: ClassVar[tuple[str, ...]] = ("  ", "  ", "   ", "\t", " \n", "\u00a0 ")

    def perturb(self, text: str, rng: Random) -> str:
        gaps = [match.start() for match in GAP.finditer(text)]
        return apply(
            text,
            [
                Edit(draw, gaps[k], gaps[k] + 1, pick(draw, self.WIDER))
                for draw, k in hits(rng, len(gaps), self.rate)
            ],
        )


@dataclass(frozen=True, slots=True)
class SpaceDrops(Rated):
    """Run words together by leaving out the space between them."""

    name: ClassVar[str] = "space-drops"
    group: ClassVar[str] = "surface"
    unit: ClassVar[str] = "gaps"
    RATES: ClassVar[Rates] = (0.02, 0.05, 0.10, 0.20, 0.40)  # share of single spaces

    def perturb(self, text: str, rng: Random) -> str:
        gaps = [match.start() for match in GAP.finditer(text)]
        return apply(
            text,
            [
                Edit(draw, gaps[k], gaps[k] + 1, "")
                for draw, k in hits(rng, len(gaps), self.rate)
                # A mark after the space would otherwise join the letter before it.
                if not continues(text[gaps[k] + 1])
            ],
        )


@dataclass(frozen=True, slots=True)
class WordSplits(Rated):
    """Break words in two with a stray space: `wo rd`."""

    name: ClassVar[str] = "word-splits"
    group: ClassVar[str] = "surface"
    unit: ClassVar[str] = "letters"
    RATES: ClassVar[Rates] = (0.01, 0.02, 0.05, 0.10, 0.18)  # share of boundaries inside words

    def perturb(self, text: str, rng: Random) -> str:
        return apply(
            text,
            [
                Edit(draw, i, i, " ")
                for draw, i in hits(rng, len(text), self.rate)
                if i and text[i].isalpha() and text[i - 1].isalpha()
            ],
        )


@dataclass(frozen=True, slots=True)
class PunctuationDrops(Rated):
    """Leave out punctuation marks; apostrophes and hyphens inside words stay.

    Currency, percent and arithmetic signs carry meaning and stay too.
    """

    name: ClassVar[str] = "punctuation-drops"
    group: ClassVar[str] = "surface"
    unit: ClassVar[str] = "marks"
    RATES: ClassVar[Rates] = (0.10, 0.25, 0.50, 0.75, 1.00)  # share of punctuation marks
    MARKS: ClassVar[frozenset[str]] = frozenset(".,;:!?\"'()[]{}…“”‘’«»-–—¡¿、。，！？；：「」『』")

    def perturb(self, text: str, rng: Random) -> str:
        marks = [
            i
            for i, char in enumerate(text)
            if char in self.MARKS and alone(text, i) and not _inside_word(text, i)
        ]
        return apply(
            text,
            [
                Edit(draw, marks[k], marks[k] + 1, "")
                for draw, k in hits(rng, len(marks), self.rate)
            ],
        )


def _inside_word(text: str, i: int) -> bool:
    """Whether letters or digits stand on both sides: `don't`, `well-made`, `3.5`, `10:30`."""
    return text[i - 1 : i].isalnum() and text[i + 1 : i + 2].isalnum()


@dataclass(frozen=True, slots=True)
class PunctuationNoise(Rated):
    """Add stray punctuation marks after words."""

    name: ClassVar[str] = "punctuation-noise"
    group: ClassVar[str] = "surface"
    unit: ClassVar[str] = "words"
    RATES: ClassVar[Rates] = (0.03, 0.07, 0.15, 0.30, 0.50)  # share of words
    MARKS: ClassVar[tuple[str, ...]] = (
        ",",
        ".",
        ";",
        ":",
        "!",
        "?",
        "-",
        "'",
        '"',
        "...",
        "*",
        "/",
    )

    def perturb(self, text: str, rng: Random) -> str:
        ends = [match.end() for match in WORD.finditer(text)]
        return apply(
            text,
            [
                Edit(draw, ends[k], ends[k], pick(draw, self.MARKS))
                for draw, k in hits(rng, len(ends), self.rate)
                if not continues(text[ends[k] : ends[k] + 1] or " ")
            ],
        )


@dataclass(frozen=True, slots=True)
class PunctuationRepeats(Rated):
    """Repeat closing marks, as excited writers do: `!!!`, `...`."""

    name: ClassVar[str] = "punctuation-repeats"
    group: ClassVar[str] = "surface"
    unit: ClassVar[str] = "marks"
    RATES: ClassVar[Rates] = (0.10, 0.25, 0.50, 0.75, 1.00)  # share of sentence marks
    TIMES: ClassVar[tuple[int, ...]] = (1, 2, 3, 4)  # how often a mark is added

    def perturb(self, text: str, rng: Random) -> str:
        marks = [
            i
            for i, char in enumerate(text)
            if char in SENTENCE_MARKS and alone(text, i) and not _inside_word(text, i)
        ]
        edits = []
        for draw, k in hits(rng, len(marks), self.rate):
            end = marks[k] + 1
            edits.append(Edit(draw, end, end, text[marks[k]] * pick(draw, self.TIMES)))
        return apply(text, edits)


@dataclass(frozen=True, slots=True)
class ApostropheDrops(Rated):
    """Leave out the apostrophes and hyphens inside words: `dont`, `wellmade`."""

    name: ClassVar[str] = "apostrophe-drops"
    group: ClassVar[str] = "surface"
    unit: ClassVar[str] = "marks"
    RATES: ClassVar[Rates] = (0.20, 0.40, 0.60, 0.80, 1.00)  # share of marks inside words

    def perturb(self, text: str, rng: Random) -> str:
        marks = [
            i
            for i, char in enumerate(text)
            if char in APOSTROPHES + HYPHENS
            and text[i - 1 : i].isalpha()
            and text[i + 1 : i + 2].isalpha()
        ]
        return apply(
            text,
            [
                Edit(draw, marks[k], marks[k] + 1, "")
                for draw, k in hits(rng, len(marks), self.rate)
            ],
        )


@dataclass(frozen=True, slots=True)
class InvisibleCharacters(Rated):
    """Put characters of no width between letters: invisible to readers, not to tokenizers.

    Source: the invisible-character class of Boucher et al. (2021), arXiv:2106.09898; drawn at random here.
    """

    name: ClassVar[str] = "invisible-characters"
    group: ClassVar[str] = "surface"
    unit: ClassVar[str] = "letters"
    RATES: ClassVar[Rates] = (0.01, 0.03, 0.06, 0.12, 0.25)  # share of boundaries inside words
    # zero-width space, word joiner, soft hyphen; joiners proper would change scripts that use them
    INVISIBLE: ClassVar[tuple[str, ...]] = ("\u200b", "\u2060", "\u00ad")

    def perturb(self, text: str, rng: Random) -> str:
        return apply(
            text,
            [
                Edit(draw, i, i, pick(draw, self.INVISIBLE))
                for draw, i in hits(rng, len(text), self.rate)
                if i and text[i].isalpha() and text[i - 1].isalpha()
            ],
        )


# What a careless program turns plain characters into before it reads UTF-8 as Windows-1252.
CURLED: Mapping[str, str] = {"'": "’", '"': "”", "-": "–", "...": "…"}


@dataclass(frozen=True, slots=True)
class Mojibake(Rated):
    """Show UTF-8 as Windows-1252 would: `é` becomes `Ã©`, and a quote, curled first, `â€™`.

    Straight quotes, hyphens and every character beyond ASCII can be hit; letters of plain English cannot.
    """

    name: ClassVar[str] = "mojibake"
    group: ClassVar[str] = "surface"
    unit: ClassVar[str] = "quotes, dashes and non-ASCII characters"
    RATES: ClassVar[Rates] = (0.10, 0.25, 0.50, 0.75, 1.00)

    def perturb(self, text: str, rng: Random) -> str:
        places = [i for i, char in enumerate(text) if char in CURLED or char >= "\u0080"]
        edits = []
        for draw, k in hits(rng, len(places), self.rate):
            i = places[k]
            # Bytes that Windows-1252 leaves undefined, and lone surrogates, show as U+FFFD.
            encoded = CURLED.get(text[i], text[i]).encode("utf-8", "surrogatepass")
            edits.append(Edit(draw, i, i + 1, encoded.decode("cp1252", "replace")))
        return apply(text, edits)


HTML_ENTITIES: Mapping[str, str] = {
    "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;", "\u00a0": "&nbsp;", " ": "&nbsp;",
    "–": "&ndash;", "—": "&mdash;", "…": "&hellip;", "’": "&rsquo;", "“": "&ldquo;", "”": "&rdquo;",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class HtmlResidue(Rated):
    """Leave what a poor web scraper leaves: entities for marks and spaces, and `<br />` between words."""

    name: ClassVar[str] = "html-residue"
    group: ClassVar[str] = "surface"
    unit: ClassVar[str] = "spaces and marks"
    RATES: ClassVar[Rates] = (0.02, 0.04, 0.08, 0.15, 0.25)  # share of spaces and marks

    def perturb(self, text: str, rng: Random) -> str:
        places = [i for i, char in enumerate(text) if char in HTML_ENTITIES]
        edits = []
        for draw, k in hits(rng, len(places), self.rate):
            i = places[k]
            entity = HTML_ENTITIES[text[i]]
            edits.append(
                Edit(draw, i, i + 1, pick(draw, (entity, "<br />")) if text[i] == " " else entity)
            )
        return apply(text, edits)


@dataclass(frozen=True, slots=True)
class LetterSpacing(Rated):
    """Space out the letters of whole words: `g o o d`."""

    name: ClassVar[str] = "letter-spacing"
    group: ClassVar[str] = "surface"
    unit: ClassVar[str] = "words"
    RATES: ClassVar[Rates] = (0.02, 0.05, 0.10, 0.20, 0.40)  # share of words of two letters or more

    def perturb(self, text: str, rng: Random) -> str:
        words = [match.span() for match in WORD.finditer(text) if match.end() - match.start() > 1]
        edits = []
        for draw, k in hits(rng, len(words), self.rate):
            start, end = words[k]
            edits.append(Edit(draw, start, end, " ".join(text[start:end])))
        return apply(text, settle(edits))
