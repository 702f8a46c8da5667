"""Noise that knows words: misspellings, homophones, contractions and other tables in `perturbations/tables`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import ClassVar

from robust_eval.perturb.draws import (
    Edit,
    Rated,
    Rates,
    apply,
    hits,
    matching_case,
    pick,
)
from robust_eval.perturb.tables import words_table
from robust_eval.records import Family

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")

Phrases = Mapping[str, tuple[str, ...]]


def replace_words(
    text: str, rng: Random, rate: float, table: Phrases, words: re.Pattern[str]
) -> str:
    """Each occurrence of the table's phrases that is hit becomes one of its replacements, in its case.

    The rate is a share of the occurrences that the table knows, not of all words.
    """
    known = []
    for match in words.finditer(text):
        if options := table.get(" ".join(match.group().lower().replace("’", "'").split())):
            known.append((match, options))
    edits = []
    for draw, k in hits(rng, len(known), rate):
        match, options = known[k]
        replacement = matching_case(match.group(), pick(draw, options))
        if replacement.endswith(".") and text.startswith(".", match.end()):
            replacement = replacement[
                :-1
            ]  # one full stop does for an abbreviation and its sentence
        edits.append(Edit(draw, match.start(), match.end(), replacement))
    return apply(text, edits)


@cache
def phrase_pattern(table_name: str) -> re.Pattern[str]:
    """One pattern for every phrase of two-way tables; longest first, so that none hides another."""
    phrases = sorted(_two_way(table_name), key=lambda phrase: (-len(phrase), phrase))
    listed = "|".join(re.escape(p).replace(r"\ ", r"\s").replace("'", "['’]") for p in phrases)
    return re.compile(rf"(?<![\w'’])(?:{listed})(?![\w'’])", re.IGNORECASE)


@cache
def phrases_or_words(table_name: str) -> re.Pattern[str]:
    """A pattern for the table's phrases of several words, or else for any word, which is far quicker than naming each."""
    phrases = sorted((p for p in words_table(table_name) if " " in p), key=lambda p: (-len(p), p))
    listed = "|".join(re.escape(phrase).replace(r"\ ", r"\s") for phrase in phrases)
    return re.compile(rf"(?<![\w'’])(?:{listed})(?![\w'’])|{WORD.pattern}", re.IGNORECASE)


@cache
def _two_way(name: str) -> Phrases:
    """The table read forwards and, where a replacement is no headword itself, backwards."""
    forward = words_table(name)
    backward: dict[str, tuple[str, ...]] = {}
    for word, options in forward.items():
        for option in options:
            # The first expansion listed is the usual one: `can't` is `can not` or `cannot`.
            backward.setdefault(option.lower(), (word,))
    return {**backward, **forward}


@cache
def _expansions() -> Phrases:
    """Contraction -> its written-out form. `'d` and `'s` have two readings and are left out."""
    forward = words_table("contractions")
    found: dict[str, tuple[str, ...]] = {}
    for written, (contraction, *_) in forward.items():
        if not contraction.endswith("'d") and contraction not in ("he's", "she's", "it's", "who's"):
            found[contraction.lower()] = (written,)
    return found


@dataclass(frozen=True, slots=True)
class Misspellings(Rated):
    """Misspell words as people do: `definately`, `thier`.

    Source: our own list of common misspellings, perturbations/tables/misspellings.tsv.
    """

    name: ClassVar[str] = "misspellings"
    group: ClassVar[str] = "words"
    unit: ClassVar[str] = "words that the table knows"
    RATES: ClassVar[Rates] = (0.10, 0.25, 0.45, 0.70, 1.00)

    def perturb(self, text: str, rng: Random) -> str:
        return replace_words(text, rng, self.rate, words_table("misspellings"), WORD)


@dataclass(frozen=True, slots=True)
class Homophones(Rated):
    """Write words that sound alike for one another: `there` for `their`. `no` and `not` never change.

    Source: our own list, perturbations/tables/homophones.tsv.
    """

    name: ClassVar[str] = "homophones"
    group: ClassVar[str] = "words"
    unit: ClassVar[str] = "words that the table knows"
    RATES: ClassVar[Rates] = (0.10, 0.25, 0.45, 0.70, 1.00)

    def perturb(self, text: str, rng: Random) -> str:
        return replace_words(text, rng, self.rate, words_table("homophones"), WORD)


@dataclass(frozen=True, slots=True)
class Contractions(Rated):
    """Contract what can be: `do not` becomes `don't`, `it is` becomes `it's`.

    Source: our own list, perturbations/tables/contractions.tsv.
    """

    name: ClassVar[str] = "contractions"
    group: ClassVar[str] = "words"
    unit: ClassVar[str] = "phrases that the table knows"
    RATES: ClassVar[Rates] = (0.20, 0.40, 0.60, 0.80, 1.00)

    def perturb(self, text: str, rng: Random) -> str:
        table = words_table("contractions")
        return replace_words(text, rng, self.rate, table, phrase_pattern("contractions"))


@dataclass(frozen=True, slots=True)
class Expansions(Rated):
    """Write contractions out: `don't` becomes `do not`.

    Contractions with two readings, `he's` and `I'd`, are left alone.

    Source: our own list, perturbations/tables/contractions.tsv.
    """

    name: ClassVar[str] = "expansions"
    group: ClassVar[str] = "words"
    unit: ClassVar[str] = "contractions that the table knows"
    RATES: ClassVar[Rates] = (0.20, 0.40, 0.60, 0.80, 1.00)

    def perturb(self, text: str, rng: Random) -> str:
        return replace_words(text, rng, self.rate, _expansions(), phrase_pattern("contractions"))


@dataclass(frozen=True, slots=True)
class Texting(Rated):
    """Write as in text messages: `gr8`, `u`, `ppl`.

    Source: our own list, perturbations/tables/texting.tsv.
    """

    name: ClassVar[str] = "texting"
    group: ClassVar[str] = "words"
    family: ClassVar[Family] = "domain"
    unit: ClassVar[str] = "words that the table knows"
    RATES: ClassVar[Rates] = (0.10, 0.25, 0.45, 0.70, 1.00)

    def perturb(self, text: str, rng: Random) -> str:
        return replace_words(text, rng, self.rate, words_table("texting"), WORD)


@dataclass(frozen=True, slots=True)
class Abbreviations(Rated):
    """Cut words and phrases short, as notes and headlines do: `approx.`, `info`, `w/`, `e.g.`.

    Source: our own list, perturbations/tables/abbreviations.tsv; negations are never cut.
    """

    name: ClassVar[str] = "abbreviations"
    group: ClassVar[str] = "words"
    unit: ClassVar[str] = "words and phrases that the table knows"
    RATES: ClassVar[Rates] = (0.10, 0.25, 0.45, 0.70, 1.00)

    def perturb(self, text: str, rng: Random) -> str:
        table = words_table("abbreviations")
        return replace_words(text, rng, self.rate, table, phrases_or_words("abbreviations"))


@dataclass(frozen=True, slots=True)
class SpellingVariants(Rated):
    """Swap American and British spellings: `color` and `colour`, in both directions.

    Source: our own list, perturbations/tables/british.tsv.
    """

    name: ClassVar[str] = "spelling-variants"
    group: ClassVar[str] = "words"
    family: ClassVar[Family] = "domain"
    unit: ClassVar[str] = "words that the table knows"
    RATES: ClassVar[Rates] = (0.20, 0.40, 0.60, 0.80, 1.00)

    def perturb(self, text: str, rng: Random) -> str:
        return replace_words(text, rng, self.rate, _two_way("british"), WORD)


DROPPED_G = re.compile(r"(?<=[^\W\d_]{2}[iI][nN])[gG](?![\w'’])")
# Nouns and adverbs whose -ing is no ending.
KEEPS_G = re.compile(
    r"(?:\b(?:bring|king|spring|string|thing|wing|ring|sing|swing|sting|cling|fling|sling|wring))$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class GDroppings(Rated):
    """Drop the g of -ing, as casual speech is written: `goin'`, `somethin'`."""

    name: ClassVar[str] = "g-droppings"
    group: ClassVar[str] = "words"
    family: ClassVar[Family] = "domain"
    unit: ClassVar[str] = "words that end in -ing"
    RATES: ClassVar[Rates] = (0.20, 0.40, 0.60, 0.80, 1.00)

    def perturb(self, text: str, rng: Random) -> str:
        endings = [
            match.start()
            for match in DROPPED_G.finditer(text)
            # The longest word of KEEPS_G has 6 letters; one more shows whether it stands alone.
            if not KEEPS_G.search(text[max(0, match.start() - 6) : match.end()])
        ]
        return apply(
            text,
            [
                Edit(draw, endings[k], endings[k] + 1, "'")
                for draw, k in hits(rng, len(endings), self.rate)
            ],
        )


ARTICLE = re.compile(r"(?<![\w'’-])(?:a|an|the)\s+(?=\w)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ArticleDrops(Rated):
    """Leave out `a`, `an` and `the`, as learners of English and headlines do."""

    name: ClassVar[str] = "article-drops"
    group: ClassVar[str] = "words"
    unit: ClassVar[str] = "articles"
    RATES: ClassVar[Rates] = (0.10, 0.25, 0.45, 0.70, 1.00)

    def perturb(self, text: str, rng: Random) -> str:
        articles = [match.span() for match in ARTICLE.finditer(text)]
        edits = []
        for draw, k in hits(rng, len(articles), self.rate):
            start, end = articles[k]
            edits.append(Edit(draw, start, end, ""))
        return apply(text, edits)
