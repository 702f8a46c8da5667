"""Errors of people who learn English: prepositions, articles, agreement, endings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import ClassVar

from robust_eval.perturb.draws import Rated, Rates, apply
from robust_eval.perturb.rules import phrases, rewritten, rule

# Pairs that learners confuse; `without`, `against`, `off` and others that would turn the sense are left out.
PREPOSITIONS: Mapping[str, tuple[str, ...]] = {
    "in": ("on", "at"), "on": ("in", "at"), "at": ("in", "on"), "for": ("to", "of"), "of": ("from", "for"),
    "to": ("for", "at"), "by": ("from", "with"), "with": ("by", "for"), "from": ("of", "since"), "about": ("of", "on"),
    "during": ("in", "while"), "since": ("from",), "into": ("in", "to"), "through": ("by", "along"),
}  # fmt: skip
# "to" before a verb is no preposition, so only those before a determiner, pronoun or name count.
AFTER_IT = r"(?=\s+(?:the|a|an|this|that|these|those|my|your|his|her|its|our|their|[A-Z][a-z]|\d))"
PREPOSITION_RULES = tuple(
    rule(rf"(?<![\w'’-]){word}\b{AFTER_IT}", *options) for word, options in PREPOSITIONS.items()
)


@dataclass(frozen=True, slots=True)
class PrepositionErrors(Rated):
    """Take another preposition before a noun phrase: `in the weekend`.

    Prepositions that would turn the sense (`without`, `against`) neither come nor go.

    Source: error type Prep of CoNLL-2014, Ng et al. (2014), W14-1701; the confusions are our own list.
    """

    name: ClassVar[str] = "preposition-errors"
    group: ClassVar[str] = "words"
    unit: ClassVar[str] = "prepositions before a noun phrase"
    RATES: ClassVar[Rates] = (0.10, 0.25, 0.45, 0.70, 1.00)

    def perturb(self, text: str, rng: Random) -> str:
        return apply(text, rewritten(text, rng, self.rate, PREPOSITION_RULES))


ARTICLE_RULES = (
    rule(r"(?<![\w'’-])the(?=\s+[b-df-hj-np-tv-z])", "a", ""),
    rule(r"(?<![\w'’-])the(?=\s+[aeiou])", "an", "a"),
    rule(r"(?<![\w'’-])an?(?=\s+[a-z])", "the", "the"),
)


@dataclass(frozen=True, slots=True)
class ArticleErrors(Rated):
    """Take the other article, or none for `the`: `a sun`, `the nice day`. Capitalised ones stay.

    Source: error type ArtOrDet of CoNLL-2014, Ng et al. (2014), W14-1701.
    """

    name: ClassVar[str] = "article-errors"
    group: ClassVar[str] = "words"
    unit: ClassVar[str] = "articles"
    RATES: ClassVar[Rates] = (0.10, 0.25, 0.45, 0.70, 1.00)

    def perturb(self, text: str, rng: Random) -> str:
        return apply(text, rewritten(text, rng, self.rate, ARTICLE_RULES))


AGREEMENT = phrases(
    {
        r"(he|she|it|this|that|nobody|everyone|everybody) is": r"\1 are",
        r"(he|she|it|this|that|everyone|everybody) was": r"\1 were",
        r"(he|she|it|everyone|everybody) has": r"\1 have",
        r"(he|she|it|everyone|everybody) does": r"\1 do",
        r"(we|they|you|these|those) are": r"\1 is",
        r"(we|they|you|these|those) were": r"\1 was",
        r"(i|we|they|you) have": r"\1 has",
        r"(i|we|they|you) do": r"\1 does",
        r"i am": "I is",
        r"(he|she|it) (say|seem|look|make|take|give|know|think|want|need|work|feel|show|mean|start|come|get)s": r"\1 \2",
        r"(i|we|they|you) (say|seem|look|make|take|give|know|think|want|need|work|feel|show|mean|start|come|get)": r"\1 \2s",
        r"(people|films|movies|characters|actors) are": r"\1 is",
        r"(film|movie|story|plot|music|acting) is": r"\1 are",
    }
)


@dataclass(frozen=True, slots=True)
class AgreementErrors(Rated):
    """Break the agreement of subject and verb: `they was`, `she want`. Contracted and negated verbs stay.

    Source: error type SVA of CoNLL-2014, Ng et al. (2014), W14-1701; the rules are our own.
    """

    name: ClassVar[str] = "agreement-errors"
    group: ClassVar[str] = "words"
    unit: ClassVar[str] = "subjects with a verb that a rule knows"
    RATES: ClassVar[Rates] = (0.20, 0.40, 0.60, 0.80, 1.00)

    def perturb(self, text: str, rng: Random) -> str:
        return apply(text, rewritten(text, rng, self.rate, AGREEMENT))


# Endings that come off without leaving another word: -ed and -ing after a doubled consonant are left alone.
ENDINGS = (
    rule(r"\b([a-z]{3,}[b-df-hj-np-rt-vx-z])s\b", r"\1"),
    rule(r"\b([a-z]{2,}(?:ll|ss|ck|nt|st|lk|rk|lp|nd|ch|sh|w|y))ed\b", r"\1", r"\1ing"),
    rule(r"\b([a-z]{2,}(?:ll|ss|ck|nt|st|lk|rk|lp|nd|ch|sh|w|y))ing\b", r"\1", r"\1ed"),
)


@dataclass(frozen=True, slots=True)
class InflectionErrors(Rated):
    """Leave off or confuse regular endings: `two film`, `I am look`. Capitalised words stay.

    Source: error types Nn and Vform of CoNLL-2014, Ng et al. (2014), W14-1701; the rules are our own.
    """

    name: ClassVar[str] = "inflection-errors"
    group: ClassVar[str] = "words"
    unit: ClassVar[str] = "words with a regular ending"
    RATES: ClassVar[Rates] = (0.05, 0.15, 0.30, 0.55, 0.90)

    def perturb(self, text: str, rng: Random) -> str:
        return apply(text, rewritten(text, rng, self.rate, ENDINGS))
