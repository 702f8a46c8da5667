"""Noise in the code points: what a reader hardly sees and a tokenizer does."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import ClassVar

from robust_eval.perturb.draws import Edit, Rated, Rates, alone, apply, continues, hits, pick
from robust_eval.perturb.keyboards import both_cases
from robust_eval.perturb.words import WORD

# Accents above and below, of those that every font stacks on Latin letters.
MARKS = tuple(chr(code) for code in (*range(0x300, 0x30D), *range(0x323, 0x332)))


@dataclass(frozen=True, slots=True)
class CombiningMarks(Rated):
    """Stack combining accents on letters, as `zalgo` text does: one to three a letter.

    Source: the diacritic attacks of Boucher et al. (2021), arXiv:2106.09898, class "combining"; drawn at random here.
    """

    name: ClassVar[str] = "combining-marks"
    group: ClassVar[str] = "characters"
    unit: ClassVar[str] = "letters"
    RATES: ClassVar[Rates] = (0.01, 0.03, 0.08, 0.15, 0.30)  # share of letters

    def perturb(self, text: str, rng: Random) -> str:
        edits = []
        for draw, i in hits(rng, len(text), self.rate):
            if text[i].isalpha() and alone(text, i):
                seed = int(draw * 2**53)
                marks = "".join(
                    MARKS[(seed >> 6 * k) % len(MARKS)] for k in range(1 + seed // 7 % 3)
                )
                edits.append(Edit(draw, i + 1, i + 1, marks))
        return apply(text, edits)


RIGHT_TO_LEFT, LEFT_TO_RIGHT, POP = "\u202e", "\u202d", "\u202c"


@dataclass(frozen=True, slots=True)
class BidiControls(Rated):
    """Write words backwards between override marks, so that a screen shows them forwards.

    The reader sees the word as it was; the code points stand in reverse order between U+202E and U+202C. Words of
    Latin letters only.

    Source: the reordering attack of Boucher et al. (2021), arXiv:2106.09898; whole words here.
    """

    name: ClassVar[str] = "bidi-controls"
    group: ClassVar[str] = "characters"
    unit: ClassVar[str] = "words"
    RATES: ClassVar[Rates] = (0.03, 0.07, 0.15, 0.30, 0.50)  # share of words of two letters or more

    def perturb(self, text: str, rng: Random) -> str:
        words = [match.span() for match in WORD.finditer(text) if match.end() - match.start() > 1]
        edits = []
        for draw, k in hits(rng, len(words), self.rate):
            start, end = words[k]
            word = text[start:end]
            if word.isascii() and alone(text, end - 1):
                edits.append(Edit(draw, start, end, f"{RIGHT_TO_LEFT}{word[::-1]}{POP}"))
        return apply(text, edits)


# First code points of "A" and "a" in Unicode blocks whose letters fold to plain ones under NFKC.
_STYLES = {
    "fullwidth": (0xFF21, 0xFF41),
    "bold": (0x1D400, 0x1D41A),
    "sans": (0x1D5A0, 0x1D5BA),
    "sans-bold": (0x1D5D4, 0x1D5EE),
    "monospace": (0x1D670, 0x1D68A),
    "bold-script": (0x1D4D0, 0x1D4EA),
}
ALPHABET = "abcdefghijklmnopqrstuvwxyz"


@cache
def styled(style: str) -> Mapping[int, str]:
    """A table for str.translate from ASCII letters to a style's."""
    capital, small = _STYLES[style]
    return {
        **{ord(c.upper()): chr(capital + k) for k, c in enumerate(ALPHABET)},
        **{ord(c): chr(small + k) for k, c in enumerate(ALPHABET)},
    }


@cache
def _compatible() -> Mapping[str, tuple[str, ...]]:
    """Character -> others that NFKC folds back to it."""
    letters = {
        c: tuple(styled(style)[ord(c)] for style in ("fullwidth", "sans", "monospace"))
        for c in (*ALPHABET, *ALPHABET.upper())
    }
    digits = {str(n): (chr(0xFF10 + n), chr(0x1D7E2 + n), chr(0x1D7F6 + n)) for n in range(10)}
    marks = {c: (chr(ord(c) + 0xFEE0),) for c in "!?,.;:()&%"}
    return {**letters, **digits, **marks}


@cache
def _canonical(char: str) -> str:
    """The character composed if it was decomposed, or the other way; itself where there is no other form."""
    for form in ("NFD", "NFC"):
        if (other := unicodedata.normalize(form, char)) != char:
            return other
    return char


@dataclass(frozen=True, slots=True)
class UnicodeForms(Rated):
    """Write characters in another normal form of Unicode: `ｆ` for `f`, or `e` and an accent for `é`.

    `form` says which: `compatible` characters (full width, sans-serif, monospace) fold back under NFKC; `canonical`
    ones are decomposed and fold back under NFC, so that nothing but accented letters changes.

    Source: Unicode Standard Annex 15, normalisation forms, https://unicode.org/reports/tr15/.
    """

    name: ClassVar[str] = "unicode-forms"
    group: ClassVar[str] = "characters"
    unit: ClassVar[str] = "letters, digits and marks"
    RATES: ClassVar[Rates] = (0.02, 0.05, 0.12, 0.25, 0.50)
    CHOICES: ClassVar[Mapping[str, Sequence[str]]] = {"form": ("compatible", "canonical")}

    form: str = "compatible"

    def perturb(self, text: str, rng: Random) -> str:
        if self.form == "compatible":
            table = _compatible()
            return apply(
                text,
                [
                    Edit(draw, i, i + 1, pick(draw, options))
                    for draw, i in hits(rng, len(text), self.rate)
                    if (options := table.get(text[i])) and alone(text, i)
                ],
            )
        return apply(
            text,
            [
                Edit(draw, i, i + 1, other)
                for draw, i in hits(rng, len(text), self.rate)
                if text[i] >= "\u0080" and (other := _canonical(text[i])) != text[i]
            ],
        )


@dataclass(frozen=True, slots=True)
class StyledWords(Rated):
    """Write whole words in Unicode's mathematical letters, as profiles and posts do: `𝐠𝐨𝐨𝐝`."""

    name: ClassVar[str] = "styled-words"
    group: ClassVar[str] = "surface"
    unit: ClassVar[str] = "words"
    RATES: ClassVar[Rates] = (0.03, 0.07, 0.15, 0.30, 0.50)  # share of words
    STYLES: ClassVar[tuple[str, ...]] = ("bold", "sans-bold", "bold-script", "monospace")

    def perturb(self, text: str, rng: Random) -> str:
        words = [match.span() for match in WORD.finditer(text)]
        edits = []
        for draw, k in hits(rng, len(words), self.rate):
            start, end = words[k]
            word = text[start:end]
            if word.isascii() and alone(text, end - 1):
                edits.append(
                    Edit(draw, start, end, word.translate(styled(pick(draw, self.STYLES))))
                )
        return apply(text, edits)


FOLDED: Mapping[str, str] = {
    "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "‘": "'", "’": "'", "‚": "'", "–": "-", "—": "--",
    "…": "...", "\u00a0": " ", "ß": "ss", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O",
    "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ð": "d", "þ": "th", "Þ": "Th", "£": "GBP ", "€": "EUR ",
}  # fmt: skip


@cache
def _folded(char: str) -> str:
    if char in FOLDED:
        return FOLDED[char]
    plain = unicodedata.normalize("NFKD", char)
    ascii_only = "".join(c for c in plain if c.isascii())
    return ascii_only if ascii_only else "?"


@dataclass(frozen=True, slots=True)
class AsciiFolding(Rated):
    """Force characters beyond ASCII into it, as old systems do: `café` becomes `cafe`, `“` becomes `"`.

    What has no ASCII form becomes a question mark. Plain English has little to fold.
    """

    name: ClassVar[str] = "ascii-folding"
    group: ClassVar[str] = "characters"
    unit: ClassVar[str] = "non-ASCII characters"
    RATES: ClassVar[Rates] = (0.20, 0.40, 0.60, 0.80, 1.00)

    def perturb(self, text: str, rng: Random) -> str:
        if text.isascii():
            return text
        places = [i for i, char in enumerate(text) if char >= "\u0080"]
        edits = []
        for draw, k in hits(rng, len(places), self.rate):
            i = places[k]
            # A mark goes with its letter: folded alone it would become a question mark.
            edits.append(Edit(draw, i, i + 1, "" if continues(text[i]) else _folded(text[i])))
        return apply(text, edits)


# What the same key gives without, or with, the shift key on a US keyboard.
SHIFTED: Mapping[str, str] = {
    "!": "1", "?": "/", ":": ";", '"': "'", "(": "9", ")": "0", "&": "7", "%": "5", "$": "4", "+": "=",
    ";": ":", "'": '"', ".": ">", ",": "<", "-": "_", "/": "?",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ShiftSlips(Rated):
    """Press or miss the shift key at punctuation: `1` for `!`, `<` for `,`.

    Marks between letters or digits stay, so that `3.5` and `don't` are left alone. US keyboard.
    """

    name: ClassVar[str] = "shift-slips"
    group: ClassVar[str] = "characters"
    unit: ClassVar[str] = "marks"
    RATES: ClassVar[Rates] = (0.05, 0.10, 0.25, 0.50, 0.80)  # share of punctuation marks

    def perturb(self, text: str, rng: Random) -> str:
        places = [
            i
            for i, char in enumerate(text)
            if char in SHIFTED
            and alone(text, i)
            and not (text[i - 1 : i].isalnum() and text[i + 1 : i + 2].isalnum())
        ]
        return apply(
            text,
            [
                Edit(draw, places[k], places[k] + 1, SHIFTED[text[places[k]]])
                for draw, k in hits(rng, len(places), self.rate)
            ],
        )


# Letters that English doubles often enough for writers to be unsure.
_DOUBLED = "bcdfglmnprstz"
DOUBLES = both_cases({c: c for c in _DOUBLED})


@dataclass(frozen=True, slots=True)
class DoubledLetters(Rated):
    """Write a double consonant once, or a single one twice: `comittee`, `untill`.

    Inside and at the end of words; never the first letter.

    Source: the doubling errors of Mitton (1987), Information Processing & Management 23(5), the commonest in
    handwritten essays after omissions.
    """

    name: ClassVar[str] = "doubled-letters"
    group: ClassVar[str] = "characters"
    unit: ClassVar[str] = "consonants"
    RATES: ClassVar[Rates] = (
        0.02,
        0.05,
        0.10,
        0.20,
        0.35,
    )  # share of consonants after the first letter

    def perturb(self, text: str, rng: Random) -> str:
        edits = []
        for draw, i in hits(rng, len(text), self.rate):
            char = text[i]
            if i == 0 or char not in DOUBLES or not text[i - 1].isalpha() or not alone(text, i):
                continue
            if text[i - 1] == char:
                edits.append(Edit(draw, i, i + 1, ""))
            elif text[i + 1 : i + 2] != char:
                edits.append(Edit(draw, i + 1, i + 1, char))
        return apply(text, edits)


__all__ = [
    "AsciiFolding", "BidiControls", "CombiningMarks", "DoubledLetters", "ShiftSlips", "StyledWords", "UnicodeForms",
]  # fmt: skip
