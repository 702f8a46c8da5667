"""Noise of speech: false starts, self-corrections, spelling by ear, and numbers said or written."""

from __future__ import annotations

import re
from dataclasses import dataclass
from random import Random
from typing import ClassVar

from robust_eval.perturb.draws import Edit, Rated, Rates, alone, apply, hits, pick
from robust_eval.perturb.entities import MONTH
from robust_eval.perturb.lexical import WORD as LEXICAL_WORD
from robust_eval.perturb.lexical import replace_words
from robust_eval.perturb.rules import Rule, rewritten, rule
from robust_eval.perturb.tables import words_table
from robust_eval.perturb.words import PLAIN_WORD, TOKEN, negates


@dataclass(frozen=True, slots=True)
class FalseStarts(Rated):
    """Begin words, break off and begin again: `the beau- beautiful film`.

    Words of five letters or more; negations are never broken.

    Source: fragments, a class of disfluency in Shriberg (1994), Preliminaries to a Theory of Speech Disfluencies.
    """

    name: ClassVar[str] = "false-starts"
    group: ClassVar[str] = "speech"
    unit: ClassVar[str] = "words of five letters or more"
    RATES: ClassVar[Rates] = (0.03, 0.07, 0.15, 0.30, 0.50)
    LENGTHS: ClassVar[tuple[int, ...]] = (1, 2, 3)  # letters said before the break

    def perturb(self, text: str, rng: Random) -> str:
        words = [m for m in PLAIN_WORD.finditer(text) if len(m.group()) >= 5]
        edits = []
        for draw, k in hits(rng, len(words), self.rate):
            start, word = words[k].start(), words[k].group()
            length = pick(draw, self.LENGTHS)
            if not negates(word) and alone(text, start + length - 1):
                edits.append(Edit(draw, start, start, f"{word[:length]}- "))
        return apply(text, edits)


@dataclass(frozen=True, slots=True)
class SelfCorrections(Rated):
    """Say two words again after an editing phrase: `the film, I mean, the film`.

    Both words stand side by side in the text and are repeated as they are, so nothing is taken back.

    Source: repetitions with an interregnum, Shriberg (1994), Preliminaries to a Theory of Speech Disfluencies.
    """

    name: ClassVar[str] = "self-corrections"
    group: ClassVar[str] = "speech"
    unit: ClassVar[str] = "words"
    RATES: ClassVar[Rates] = (
        0.01,
        0.03,
        0.06,
        0.12,
        0.20,
    )  # share of words that end a repeated pair
    PHRASES: ClassVar[tuple[str, ...]] = ("I mean", "sorry", "uh", "let me see", "well")

    def perturb(self, text: str, rng: Random) -> str:
        tokens = list(TOKEN.finditer(text))
        edits = []
        for draw, k in hits(rng, len(tokens) - 1, self.rate):
            first, second = tokens[k], tokens[k + 1]
            said = f"{first.group()} {second.group()}"
            # Only inside a phrase: nothing is repeated across a mark, and no negation is said twice.
            if (
                not said.replace(" ", "").isalpha()
                or negates(first.group())
                or negates(second.group())
            ):
                continue
            edits.append(
                Edit(
                    draw,
                    second.end(),
                    second.end(),
                    f", {pick(draw, self.PHRASES)}, {said}",
                )
            )
        return apply(text, edits)


# Letters and how they sound, in the middle or at the end of English words; our own list.
BY_EAR: tuple[tuple[str, str], ...] = (
    (r"(?<=[a-z])tion(?=s?\b)", "shun"), (r"(?<=[a-z])sion(?=s?\b)", "zhun"), (r"ph(?=[aeiory])", "f"),
    (r"(?<=[aeiou])ck", "k"), (r"igh(?=t?\b)", "i"), (r"(?<=[a-z])que\b", "k"), (r"\bwh(?=[aeiy])", "w"), (r"\bkn(?=[aeiou])", "n"),
    (r"\bwr(?=[aeiou])", "r"), (r"(?<=[a-z])ough\b", "uff"), (r"qu(?=[aeio])", "kw"), (r"(?<=[a-z])mb\b", "m"),
    (r"(?<=[a-z])x(?=[a-z])", "ks"), (r"c(?=[eiy])", "s"), (r"(?<=[a-z])ious\b", "yus"), (r"(?<=[a-z])ture\b", "cher"),
    (r"ea(?=[dklmnt])", "ee"), (r"oo(?=[dlmnt])", "u"), (r"(?<=[b-df-hj-np-tv-z])le\b", "ul"), (r"(?<=[a-z][b-df-hj-np-tv-z])ed\b", "d"),
)  # fmt: skip
SOUNDS = tuple(rule(pattern, sound) for pattern, sound in BY_EAR)


@dataclass(frozen=True, slots=True)
class PhoneticSpellings(Rated):
    """Spell by ear: `fotografs`, `nite`, `definishun`. Lower-case letters only, so names keep their first letter.

    Source: phonologically plausible errors, as in Toutanova & Moore (2002), P02-1019; the rules are our own.
    """

    name: ClassVar[str] = "phonetic-spellings"
    group: ClassVar[str] = "speech"
    unit: ClassVar[str] = "letter groups that a rule knows"
    RATES: ClassVar[Rates] = (0.05, 0.15, 0.30, 0.55, 0.90)

    def perturb(self, text: str, rng: Random) -> str:
        return apply(text, rewritten(text, rng, self.rate, SOUNDS))


@dataclass(frozen=True, slots=True)
class SoundAlikes(Rated):
    """Write another word of the very same pronunciation, as a speech recogniser may: `site` for `sight`, `maid` for `made`.

    Both are ordinary words by a pronouncing dictionary; negations, possessives and spelling variants stay out.

    Source: the CMU Pronouncing Dictionary, http://www.speech.cs.cmu.edu/cgi-bin/cmudict; perturbations/tables/sound-alikes.tsv.
    """

    name: ClassVar[str] = "sound-alikes"
    group: ClassVar[str] = "speech"
    unit: ClassVar[str] = "words that the table knows"
    RATES: ClassVar[Rates] = (0.10, 0.25, 0.45, 0.70, 1.00)

    def perturb(self, text: str, rng: Random) -> str:
        return replace_words(text, rng, self.rate, words_table("sound-alikes"), LEXICAL_WORD)


@dataclass(frozen=True, slots=True)
class PhoneticMisspellings(Rated):
    """Misspell words as they are pronounced: `definate`, `embarassing`, `nesessary`.

    One sound of a word is written in another way that a pronouncing dictionary has for it, which reads as that sound
    there; no other word comes out, and the first letter stays. For 6,600 words; negations stay.

    Source: the CMU Pronouncing Dictionary, perturbations/tables/by-ear.tsv; phonologically plausible errors as in
    Toutanova & Moore (2002), P02-1019.
    """

    name: ClassVar[str] = "phonetic-misspellings"
    group: ClassVar[str] = "speech"
    unit: ClassVar[str] = "words that the table knows"
    RATES: ClassVar[Rates] = (0.05, 0.15, 0.30, 0.55, 0.90)

    def perturb(self, text: str, rng: Random) -> str:
        return replace_words(text, rng, self.rate, words_table("by-ear"), LEXICAL_WORD)


UNITS = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
NUMERAL = re.compile(
    rf"(?<![\w.,:/$€£%-])[0-9]{{1,2}}(?![\w%:/-]|[.,][0-9]|,\s[0-9]{{4}}|\s(?:{MONTH})\b)"
)
# `one` is left out: it is a pronoun as often as a number.
SAID = {word: value for value, word in enumerate(UNITS) if word != "one"} | {
    word: 20 + 10 * k for k, word in enumerate(TENS)
}
NUMBER_WORD = re.compile(
    rf"(?<![\w'’-])(?:({'|'.join(TENS)})-({'|'.join(UNITS[1:10])})|({'|'.join(sorted(SAID, key=len, reverse=True))}))(?![\w'’-])",
    re.IGNORECASE,
)


def number_word(value: int) -> str:
    """`forty-two` for 42; 0 to 99."""
    if value < 20:
        return UNITS[value]
    tens, ones = divmod(value, 10)
    return TENS[tens - 2] + (f"-{UNITS[ones]}" if ones else "")


def _digits(match: re.Match[str], draw: float) -> str:
    tens, ones, single = match.groups()
    return str(SAID[tens.lower()] + UNITS.index(ones.lower()) if tens else SAID[single.lower()])


TO_WORDS = (Rule(NUMERAL, lambda match, draw: number_word(int(match.group()))),)
TO_DIGITS = (Rule(NUMBER_WORD, _digits),)


@dataclass(frozen=True, slots=True)
class NumberWords(Rated):
    """Write numerals up to 99 in words, as speech recognition does: `20` becomes `twenty`.

    Numerals in dates, times, prices, percentages and decimals stay; the value never changes.
    """

    name: ClassVar[str] = "number-words"
    group: ClassVar[str] = "speech"
    unit: ClassVar[str] = "numerals up to 99"
    RATES: ClassVar[Rates] = (0.20, 0.40, 0.60, 0.80, 1.00)

    def perturb(self, text: str, rng: Random) -> str:
        return apply(text, rewritten(text, rng, self.rate, TO_WORDS))


@dataclass(frozen=True, slots=True)
class DigitNumbers(Rated):
    """Write number words up to ninety-nine in digits: `twenty` becomes `20`. `one` stays, being a pronoun too."""

    name: ClassVar[str] = "digit-numbers"
    group: ClassVar[str] = "speech"
    unit: ClassVar[str] = "number words"
    RATES: ClassVar[Rates] = (0.20, 0.40, 0.60, 0.80, 1.00)

    def perturb(self, text: str, rng: Random) -> str:
        return apply(text, rewritten(text, rng, self.rate, TO_DIGITS))
