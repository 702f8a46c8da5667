"""Names, places, dates, units and times, replaced by others of their kind or written as another locale writes them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import ClassVar

from robust_eval.perturb.draws import Rated, Rates, apply, pick
from robust_eval.perturb.rules import Rule, phrases, rewritten, rule
from robust_eval.records import Family

BY_SHARE: Rates = (0.20, 0.40, 0.60, 0.80, 1.00)

# Given names from several parts of the world, our own lists; those that are common English words are left out.
WOMEN = ["Mary", "Emma", "Olivia", "Anna", "Sarah", "Laura", "Julia", "Alice", "Helen", "Maria", "Sofia", "Elena", "Nadia", "Fatima", "Aisha", "Leila", "Priya", "Ananya", "Meera", "Yuki", "Sakura", "Mei", "Ling", "Chloe", "Camille", "Ingrid", "Astrid", "Zofia", "Katarina", "Amara", "Ngozi", "Adaeze", "Lucia", "Carmen", "Isabel", "Jane", "Karen", "Susan", "Linda", "Nancy"]  # fmt: skip
MEN = ["John", "James", "David", "Michael", "Robert", "William", "Thomas", "Peter", "Paul", "George", "Kevin", "Brian", "Steven", "Daniel", "Matthew", "Andrew", "Omar", "Ahmed", "Yusuf", "Karim", "Raj", "Arjun", "Vikram", "Hiroshi", "Kenji", "Wei", "Jun", "Pierre", "Louis", "Lars", "Sven", "Piotr", "Ivan", "Kofi", "Chidi", "Emeka", "Carlos", "Diego", "Miguel", "Pedro", "Tom", "Jim"]  # fmt: skip
CITIES = ["London", "Paris", "Berlin", "Madrid", "Rome", "Vienna", "Dublin", "Lisbon", "Oslo", "Warsaw", "Prague", "Cairo", "Lagos", "Nairobi", "Mumbai", "Delhi", "Tokyo", "Seoul", "Beijing", "Sydney", "Toronto", "Chicago", "Boston", "Seattle", "Houston", "Denver", "Dallas", "Lima", "Bogota", "Jakarta", "Manila"]  # fmt: skip
COUNTRIES = ["France", "Germany", "Spain", "Italy", "Poland", "Sweden", "Norway", "Ireland", "Portugal", "Egypt", "Nigeria", "Kenya", "India", "Japan", "Korea", "China", "Australia", "Canada", "Mexico", "Brazil", "Argentina", "Chile", "Peru", "Indonesia", "Vietnam", "Thailand", "Morocco", "Ghana"]  # fmt: skip


def swaps(kinds: Sequence[Sequence[str]]) -> tuple[Rule, ...]:
    """A rule for every kind: any of its words, alone and capitalised, becomes another of the same kind."""

    def swap(kind: Sequence[str]) -> Rule:
        listed = "|".join(map(re.escape, sorted(kind, key=len, reverse=True)))
        return Rule(
            re.compile(rf"(?<![\w'’-])(?:{listed})(?![\w-])"),
            lambda match, draw: pick(draw, [other for other in kind if other != match.group()]),
        )

    return tuple(swap(kind) for kind in kinds)


@dataclass(frozen=True, slots=True)
class PersonNames(Rated):
    """Replace given names by others of the same gender, from several cultures.

    Only names of our own lists, alone and capitalised; a name that stands twice may become two people.

    Source: name changes as in CheckList, Ribeiro et al. (2020), arXiv:2005.04118; the lists are our own.
    """

    name: ClassVar[str] = "person-names"
    group: ClassVar[str] = "entities"
    family: ClassVar[Family] = "domain"
    unit: ClassVar[str] = "given names that the list knows"
    RATES: ClassVar[Rates] = BY_SHARE
    RULES: ClassVar[tuple[Rule, ...]] = swaps((WOMEN, MEN))

    def perturb(self, text: str, rng: Random) -> str:
        return apply(text, rewritten(text, rng, self.rate, self.RULES))


@dataclass(frozen=True, slots=True)
class PlaceNames(Rated):
    """Replace cities by cities and countries by countries.

    Source: location changes as in CheckList, Ribeiro et al. (2020), arXiv:2005.04118; the lists are our own.
    """

    name: ClassVar[str] = "place-names"
    group: ClassVar[str] = "entities"
    family: ClassVar[Family] = "domain"
    unit: ClassVar[str] = "places that the list knows"
    RATES: ClassVar[Rates] = BY_SHARE
    RULES: ClassVar[tuple[Rule, ...]] = swaps((CITIES, COUNTRIES))

    def perturb(self, text: str, rng: Random) -> str:
        return apply(text, rewritten(text, rng, self.rate, self.RULES))


MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
MONTH = "|".join(MONTHS)
AFTERNOON = re.compile(r"\b(1?\d):(\d\d) ?p\.?m\b\.?", re.IGNORECASE)
DATES = (
    rule(rf"\b({MONTH}) (\d{{1,2}}), (\d{{4}})\b", r"\2 \1 \3", r"\2. \1 \3"),
    rule(rf"\b(\d{{1,2}}) ({MONTH}) (\d{{4}})\b", r"\2 \1, \3"),
    rule(r"\b(\d{4})-(\d\d)-(\d\d)\b", r"\3/\2/\1", r"\3.\2.\1"),
    Rule(AFTERNOON, lambda match, draw: f"{int(match[1]) % 12 + 12}:{match[2]}"),
    rule(r"(?<![\w.,])(\d{1,3}),(\d{3})(?![\w,])", r"\1.\2", r"\1 \2"),
    rule(r"\$(\d+(?:\.\d\d)?)\b", r"\1 dollars", r"US$ \1", r"\1 USD"),
    rule(r"(?<![\w.,])(\d+)\.(\d+)(?![\w.])", r"\1,\2"),
    rule(r"(?<![\w.,$])(\d+) ?%", r"\1 percent", r"\1 per cent", r"\1 %"),
    rule(r"\b(\d{1,2})(?:st|nd|rd|th)\b", r"\1."),
)


@dataclass(frozen=True, slots=True)
class LocaleFormats(Rated):
    """Write dates, times, amounts and decimals as another locale does: `5 May 2020`, `1.000`, `20 dollars`. Values stay."""

    name: ClassVar[str] = "locale-formats"
    group: ClassVar[str] = "entities"
    family: ClassVar[Family] = "domain"
    unit: ClassVar[str] = "dates, times, amounts and decimals"
    RATES: ClassVar[Rates] = BY_SHARE

    def perturb(self, text: str, rng: Random) -> str:
        return apply(text, rewritten(text, rng, self.rate, DATES))


# Unit, the other system's, and how many of it make one: exact by the international agreement of 1959.
UNITS = (
    ("miles?", "kilometers", 1.609344), ("kilometers?|km", "miles", 1 / 1.609344), ("feet|foot", "meters", 0.3048),
    ("meters?", "feet", 1 / 0.3048), ("inch(?:es)?", "centimeters", 2.54), ("pounds?|lbs?", "kilograms", 0.45359237),
    ("kilograms?|kg", "pounds", 1 / 0.45359237), ("gallons?", "liters", 3.785411784), ("minutes?", "seconds", 60.0), ("hours?", "minutes", 60.0),
)  # fmt: skip


def conversion(known: str, unit: str, factor: float) -> Rule:
    """A rule that gives an amount in another unit, to three significant digits."""

    def becomes(match: re.Match[str], draw: float) -> str:
        return f"{float(f'{float(match[1]) * factor:.3g}'):g} {unit}"

    return Rule(
        re.compile(rf"(?<![\w.,$])(\d{{1,5}}(?:\.\d+)?)[ -]?(?:{known})\b", re.ASCII), becomes
    )


@dataclass(frozen=True, slots=True)
class UnitConversions(Rated):
    """Give amounts in another unit: `5 miles` becomes `8.05 kilometers`, `2 hours` `120 minutes`.

    To three significant digits. Not for texts whose answer is a number: there numbers are protected.
    """

    name: ClassVar[str] = "unit-conversions"
    group: ClassVar[str] = "entities"
    family: ClassVar[Family] = "domain"
    unit: ClassVar[str] = "amounts with a unit"
    RATES: ClassVar[Rates] = BY_SHARE
    RULES: ClassVar[tuple[Rule, ...]] = tuple(conversion(*row) for row in UNITS)

    def perturb(self, text: str, rng: Random) -> str:
        return apply(text, rewritten(text, rng, self.rate, self.RULES))


@dataclass(frozen=True, slots=True)
class TemporalRewordings(Rated):
    """Say times in other words: `tonight` becomes `this evening`, `yesterday` `the day before today`."""

    name: ClassVar[str] = "temporal-rewordings"
    group: ClassVar[str] = "entities"
    family: ClassVar[Family] = "domain"
    unit: ClassVar[str] = "time phrases that a rule knows"
    RATES: ClassVar[Rates] = BY_SHARE
    RULES: ClassVar[tuple[Rule, ...]] = phrases(
        {
            "tonight": "this evening", "today": "on this day", "yesterday": "the day before today", "tomorrow": "the day after today",
            "last year": "the year before this one", "next year": "the coming year", "last week": "the week before this one",
            "next week": "the coming week", "last month": "the month before this one", "these days": "at the present time", "nowadays": "in our time",
            "recently": "not long ago", "soon": "before long", "sometimes": "from time to time", "often": "many times", "again": "once more",
            "always": "at all times", "twice": "two times", "years ago": "years before now", "at first": "in the beginning",
            "finally": "in the end", "suddenly": "all at once", "immediately": "at once", "meanwhile": "at the same time",
            "next time": "on the next occasion", "maybe next year": "maybe in the coming year", "every day": "each day", "weekly": "every week",
            "daily": "every day", "this year": "in the current year", "decades": "tens of years", "a decade": "ten years",
        }
    )  # fmt: skip

    def perturb(self, text: str, rng: Random) -> str:
        return apply(text, rewritten(text, rng, self.rate, self.RULES))
