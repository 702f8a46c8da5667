"""Noise on single characters, as keyboards, hurried fingers and scanners make it.

A draw for every character is most of the work, so what is done to a hit is kept short here: edits are bare tuples, and
`alone` is not asked about texts in ASCII, where every character is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import ClassVar

from robust_eval.perturb.draws import Rated, Rates, alone, apply, draws, pick, settle
from robust_eval.perturb.keyboards import LAYOUTS, NEIGHBOURS, both_cases

LETTERS = "etaoinshrdlucmfwypvbgkjqxz"


@dataclass(frozen=True, slots=True)
class KeyboardTypos(Rated):
    """Replace letters by a neighbouring key, as hurried typing does.

    Each letter that the layout has is hit independently. Case is kept; digits, spaces and punctuation are never
    touched, so length and word count stay the same.

    Source: keyboard noise of Belinkov & Bisk (2018), arXiv:1711.02173; the key maps are our own.
    """

    name: ClassVar[str] = "keyboard-typos"
    group: ClassVar[str] = "characters"
    unit: ClassVar[str] = "letters"
    RATES: ClassVar[Rates] = (0.01, 0.03, 0.06, 0.12, 0.20)  # share of letters
    CHOICES: ClassVar[Mapping[str, Sequence[str]]] = {"layout": tuple(LAYOUTS)}

    layout: str = "qwerty"

    def perturb(self, text: str, rng: Random) -> str:
        return replace_letters(text, rng, self.rate, NEIGHBOURS[self.layout])


@dataclass(frozen=True, slots=True)
class CharSwaps(Rated):
    """Swap two neighbouring letters of a word, as fast typing does: `form` for `from`.

    Equal neighbours are left alone; where swaps overlap, the smaller draw wins.

    Source: swap noise of Belinkov & Bisk (2018), arXiv:1711.02173; here first and last letters may move.
    """

    name: ClassVar[str] = "char-swaps"
    group: ClassVar[str] = "characters"
    unit: ClassVar[str] = "letters"
    RATES: ClassVar[Rates] = (0.01, 0.02, 0.04, 0.08, 0.15)  # share of letters that start a swap

    def perturb(self, text: str, rng: Random) -> str:
        edits = []
        plain, rate = text.isascii(), self.rate
        for i, draw in enumerate(draws(rng, len(text) - 1)):
            if draw >= rate:
                continue
            first, second = text[i], text[i + 1]
            if first.isalpha() and second.isalpha() and first != second:
                if not (plain or (alone(text, i) and alone(text, i + 1))):
                    continue
                # A capital stays in front: fingers swap keys, not the shift.
                if first.isupper() and second.islower():
                    pair = second.upper() + first.lower()
                    swapped = pair if len(pair) == 2 else second + first
                else:
                    swapped = second + first
                if swapped != first + second:
                    edits.append((draw, i, i + 2, swapped))
        return apply(text, settle(edits))


@dataclass(frozen=True, slots=True)
class CharDrops(Rated):
    """Leave letters out, as a key not pressed hard enough does.

    The first letter of a word stays, so no word ever vanishes.
    """

    name: ClassVar[str] = "char-drops"
    group: ClassVar[str] = "characters"
    unit: ClassVar[str] = "letters"
    RATES: ClassVar[Rates] = (0.01, 0.03, 0.06, 0.12, 0.20)  # share of letters after the first

    def perturb(self, text: str, rng: Random) -> str:
        plain, rate = text.isascii(), self.rate
        return apply(
            text,
            [
                (draw, i, i + 1, "")
                for i, draw in enumerate(draws(rng, len(text)))
                if draw < rate
                if i and text[i].isalpha() and text[i - 1].isalpha() and (plain or alone(text, i))
            ],
        )


@dataclass(frozen=True, slots=True)
class CharInsertions(Rated):
    """Add a stray letter after a letter, in its case."""

    name: ClassVar[str] = "char-insertions"
    group: ClassVar[str] = "characters"
    unit: ClassVar[str] = "letters"
    RATES: ClassVar[Rates] = (0.01, 0.03, 0.06, 0.12, 0.20)  # share of letters

    def perturb(self, text: str, rng: Random) -> str:
        edits = []
        plain, rate = text.isascii(), self.rate
        for i, draw in enumerate(draws(rng, len(text))):
            if draw < rate and (char := text[i]).isalpha() and (plain or alone(text, i)):
                letter = pick(draw, LETTERS)
                edits.append((draw, i + 1, i + 1, letter.upper() if char.isupper() else letter))
        return apply(text, edits)


@dataclass(frozen=True, slots=True)
class CharRepeats(Rated):
    """Type letters twice, as a bouncing key does."""

    name: ClassVar[str] = "char-repeats"
    group: ClassVar[str] = "characters"
    unit: ClassVar[str] = "letters"
    RATES: ClassVar[Rates] = (0.01, 0.03, 0.06, 0.12, 0.20)  # share of letters

    def perturb(self, text: str, rng: Random) -> str:
        plain, rate = text.isascii(), self.rate
        return apply(
            text,
            [
                (draw, i + 1, i + 1, text[i])
                for i, draw in enumerate(draws(rng, len(text)))
                if draw < rate and text[i].isalpha() and (plain or alone(text, i))
            ],
        )


# Shapes that scanners take for one another; pairs first, since they can only start at their first letter.
OCR_PAIRS: Mapping[str, tuple[str, ...]] = {
    "rn": ("m",), "nn": ("m",), "cl": ("d",), "vv": ("w",), "ri": ("n",), "li": ("h",), "tt": ("H",),
    "fi": ("ﬁ",), "fl": ("ﬂ",), "ii": ("u",), "VV": ("W",), "lo": ("b",), "ci": ("a",),
}  # fmt: skip
OCR_SINGLES: Mapping[str, tuple[str, ...]] = {
    "0": ("O", "o"), "1": ("l", "I"), "2": ("Z",), "5": ("S",), "6": ("b", "G"), "8": ("B",), "9": ("g",),
    "O": ("0", "Q"), "D": ("0", "O"), "Q": ("O",), "I": ("l", "1"), "l": ("1", "I"), "i": ("l", "j", "1"),
    "S": ("5",), "s": ("5",), "Z": ("2",), "z": ("2",), "B": ("8",), "G": ("6", "C"), "g": ("q", "9"),
    "q": ("g", "9"), "b": ("h", "6"), "h": ("b", "li"), "e": ("c", "o"), "c": ("e", "o"), "o": ("0", "c"),
    "a": ("o", "e"), "u": ("v", "ii"), "v": ("u", "y"), "n": ("ri", "u"), "m": ("rn", "nn"), "w": ("vv",),
    "d": ("cl",), "t": ("f", "l"), "f": ("t",), "r": ("n",), "y": ("v",), "k": ("lc",), "j": ("i",),
    "E": ("F",), "F": ("P",), "P": ("F",), "R": ("B",), "U": ("V",), "V": ("U",), "M": ("N",), "N": ("M",),
    "C": ("G", "("), "T": ("I", "7"), "H": ("N",), "W": ("VV",), ",": (".",), ".": (",",), "'": ("`",),
}  # fmt: skip


# Character -> what it is taken for, and what it is taken for together with each character that may follow.
OCR_SHAPES = {
    first: (shapes, {pair[1]: merged for pair, merged in OCR_PAIRS.items() if pair[0] == first})
    for first, shapes in OCR_SINGLES.items()
}


@dataclass(frozen=True, slots=True)
class OcrConfusions(Rated):
    """Mistake shapes for one another, as optical character recognition does: `rn` for `m`, `1` for `l`.

    Pairs of letters count as one shape where they are hit; where shapes overlap, the smaller draw wins.
    The table is our own.
    """

    name: ClassVar[str] = "ocr-confusions"
    group: ClassVar[str] = "characters"
    unit: ClassVar[str] = "characters"
    RATES: ClassVar[Rates] = (0.01, 0.03, 0.06, 0.12, 0.20)  # share of characters

    def perturb(self, text: str, rng: Random) -> str:
        edits = []
        overlapping = False
        plain, rate = text.isascii(), self.rate
        for i, draw in enumerate(draws(rng, len(text))):
            if draw < rate and (known := OCR_SHAPES.get(text[i])) and (plain or alone(text, i)):
                shapes, pairs = known
                end = i + 1
                if (
                    pairs
                    and (of_pair := pairs.get(text[end : i + 2]))
                    and (plain or alone(text, end))
                ):
                    shapes, end, overlapping = of_pair, i + 2, True
                edits.append((draw, i, end, pick(draw, shapes)))
        return apply(text, settle(edits) if overlapping else edits)


# Latin letters and their Cyrillic and Greek doubles, chosen by eye from Unicode's code charts.
HOMOGLYPHS: Mapping[str, str] = {
    "a": "а", "c": "сϲ", "d": "ԁ", "e": "е", "g": "ɡ", "h": "һ", "i": "і", "j": "јϳ", "l": "ӏ", "o": "оο",
    "p": "рρ", "q": "ԛ", "s": "ѕ", "u": "υ", "v": "ν", "w": "ԝ", "x": "х", "y": "у", "A": "АΑ", "B": "ВΒ",
    "C": "СϹ", "E": "ЕΕ", "H": "НΗ", "I": "ІΙ", "J": "Ј", "K": "КΚ", "M": "МΜ", "N": "Ν", "O": "ОΟ",
    "P": "РΡ", "S": "Ѕ", "T": "ТΤ", "X": "ХΧ", "Y": "ҮΥ", "Z": "Ζ",
}  # fmt: skip
LEET: Mapping[str, str] = both_cases(
    {"a": "4@", "b": "8", "e": "3", "g": "9", "i": "1!", "l": "1", "o": "0", "s": "5$", "t": "7", "z": "2"}
)  # fmt: skip
ACCENTED: Mapping[str, str] = both_cases(
    {
        "a": "áàâäãå", "c": "çćč", "e": "éèêë", "g": "ğ", "i": "íìîï", "l": "ł", "n": "ñń", "o": "óòôöõø",
        "r": "ř", "s": "šş", "t": "ť", "u": "úùûü", "y": "ýÿ", "z": "žż",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Homoglyphs(Rated):
    """Replace Latin letters by Cyrillic or Greek ones that look the same.

    A reader sees no change; a tokenizer sees other characters.
    """

    name: ClassVar[str] = "homoglyphs"
    group: ClassVar[str] = "characters"
    unit: ClassVar[str] = "letters"
    RATES: ClassVar[Rates] = (0.01, 0.03, 0.08, 0.15, 0.30)  # share of letters

    def perturb(self, text: str, rng: Random) -> str:
        return replace_letters(text, rng, self.rate, HOMOGLYPHS)


@dataclass(frozen=True, slots=True)
class Leetspeak(Rated):
    """Write letters as the digits and signs that resemble them: `gr8`, `l33t`."""

    name: ClassVar[str] = "leetspeak"
    group: ClassVar[str] = "characters"
    unit: ClassVar[str] = "letters"
    RATES: ClassVar[Rates] = (0.02, 0.05, 0.10, 0.20, 0.40)  # share of letters

    def perturb(self, text: str, rng: Random) -> str:
        return replace_letters(text, rng, self.rate, LEET)


@dataclass(frozen=True, slots=True)
class Diacritics(Rated):
    """Put accents on plain Latin letters: `très` style typing where none belongs."""

    name: ClassVar[str] = "diacritics"
    group: ClassVar[str] = "characters"
    unit: ClassVar[str] = "letters"
    RATES: ClassVar[Rates] = (0.01, 0.03, 0.08, 0.15, 0.30)  # share of letters

    def perturb(self, text: str, rng: Random) -> str:
        return replace_letters(text, rng, self.rate, ACCENTED)


def replace_letters(text: str, rng: Random, rate: float, table: Mapping[str, str]) -> str:
    """Each character of the table that is hit becomes one of its own replacements."""
    plain = text.isascii()
    return apply(
        text,
        [
            (draw, i, i + 1, pick(draw, options))
            for i, draw in enumerate(draws(rng, len(text)))
            if draw < rate and (options := table.get(text[i])) and (plain or alone(text, i))
        ],
    )
