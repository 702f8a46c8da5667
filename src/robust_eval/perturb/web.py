"""Debris of the web: mentions, links, emoji, Markdown, curled quotes and wrapped lines."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import ClassVar

from robust_eval.perturb.draws import Edit, Rated, Rates, alone, apply, hits, pick

WORD = re.compile(r"[^\W\d_]+")
TOKEN = re.compile(r"\S+")
SENTENCE_END = re.compile(r"[.!?]+(?=\s|\Z)")


@dataclass(frozen=True, slots=True)
class Emoji(Rated):
    """Put emoji without an attitude behind words: objects, animals and food, no faces, hearts or thumbs.

    Source: the choice is our own, from Unicode's emoji charts; symbols that people read as praise or blame are left out.
    """

    name: ClassVar[str] = "emoji"
    group: ClassVar[str] = "surface"
    unit: ClassVar[str] = "words"
    RATES: ClassVar[Rates] = (0.02, 0.05, 0.10, 0.20, 0.35)
    SHOWN: ClassVar[tuple[str, ...]] = (
        "🎬", "🎥", "🍿", "📺", "📽", "🎞", "📱", "💻", "📚", "📎", "✏", "🚗", "🚲", "🚌", "🏠", "🏙", "🌍", "🌧", "🌱", "🌵", "🐢", "🐦", "🐟", "🍎",
        "🍞", "☕", "🧦", "👟", "⌚", "🗓",
    )  # fmt: skip

    def perturb(self, text: str, rng: Random) -> str:
        ends = [match.end() for match in TOKEN.finditer(text)]
        return apply(
            text,
            [
                Edit(draw, ends[k], ends[k], f" {pick(draw, self.SHOWN)}")
                for draw, k in hits(rng, len(ends), self.rate)
            ],
        )


@dataclass(frozen=True, slots=True)
class Mentions(Rated):
    """Put mentions of made-up users before words: `@user_381`.

    Source: `@user`, what TweetEval (Barbieri et al. 2020, arXiv:2010.12421) makes of every mention; numbered here.
    """

    name: ClassVar[str] = "mentions"
    group: ClassVar[str] = "surface"
    unit: ClassVar[str] = "words"
    RATES: ClassVar[Rates] = (0.02, 0.04, 0.08, 0.15, 0.25)

    def perturb(self, text: str, rng: Random) -> str:
        starts = [match.start() for match in TOKEN.finditer(text)]
        return apply(
            text,
            [
                Edit(draw, starts[k], starts[k], f"@user_{int(draw * 2**53) % 1000} ")
                for draw, k in hits(rng, len(starts), self.rate)
            ],
        )


@dataclass(frozen=True, slots=True)
class Links(Rated):
    """Put links behind words: `https://example.org/p/7f3a`, on domains that are reserved for examples.

    Source: CheckList's random links, Ribeiro et al. (2020), arXiv:2005.04118; domains of RFC 2606.
    """

    name: ClassVar[str] = "links"
    group: ClassVar[str] = "surface"
    unit: ClassVar[str] = "words"
    RATES: ClassVar[Rates] = (0.02, 0.04, 0.08, 0.15, 0.25)
    HOSTS: ClassVar[tuple[str, ...]] = (
        "example.org",
        "www.example.com",
        "example.net",
        "m.example.org",
    )
    PATHS: ClassVar[tuple[str, ...]] = ("p", "watch", "status", "a", "item")

    def perturb(self, text: str, rng: Random) -> str:
        ends = [match.end() for match in TOKEN.finditer(text)]
        edits = []
        for draw, k in hits(rng, len(ends), self.rate):
            bits = int(draw * 2**53)
            path = self.PATHS[bits // 7 % len(self.PATHS)]
            link = f" https://{pick(draw, self.HOSTS)}/{path}/{bits % 65_536:04x}"
            edits.append(Edit(draw, ends[k], ends[k], link))
        return apply(text, edits)


@dataclass(frozen=True, slots=True)
class MarkdownResidue(Rated):
    """Leave marks of Markdown around words: `**bold**`, `_this_`, `` `that` ``, `[word](#)`."""

    name: ClassVar[str] = "markdown-residue"
    group: ClassVar[str] = "surface"
    unit: ClassVar[str] = "words"
    RATES: ClassVar[Rates] = (0.03, 0.07, 0.15, 0.30, 0.50)
    MARKS: ClassVar[tuple[tuple[str, str], ...]] = (
        ("**", "**"), ("_", "_"), ("`", "`"), ("~~", "~~"), ("[", "](#)"), ("\\", ""), ("> ", ""), ("*", "*"),
    )  # fmt: skip

    def perturb(self, text: str, rng: Random) -> str:
        words = [match.span() for match in WORD.finditer(text)]
        edits = []
        for draw, k in hits(rng, len(words), self.rate):
            start, end = words[k]
            if alone(text, end - 1):
                before, after = pick(draw, self.MARKS)
                edits.append(Edit(draw, start, end, f"{before}{text[start:end]}{after}"))
        return apply(text, edits)


CURLS: Mapping[str, tuple[str, ...]] = {
    "'": ("’", "‘", "`", "´"), "’": ("'",), "‘": ("'",), '"': ("“", "”", "«", "''"), "“": ('"',), "”": ('"',),
    "-": ("–", "‐", "−"), "–": ("-",), "—": ("--", "-"), "…": ("...",),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class QuoteStyles(Rated):
    """Change the style of quotes, apostrophes and dashes: straight, curled, French, typewriter."""

    name: ClassVar[str] = "quote-styles"
    group: ClassVar[str] = "surface"
    unit: ClassVar[str] = "quotes, apostrophes and dashes"
    RATES: ClassVar[Rates] = (0.20, 0.40, 0.60, 0.80, 1.00)

    def perturb(self, text: str, rng: Random) -> str:
        places = [i for i, char in enumerate(text) if char in CURLS and alone(text, i)]
        return apply(
            text,
            [
                Edit(draw, places[k], places[k] + 1, pick(draw, CURLS[text[places[k]]]))
                for draw, k in hits(rng, len(places), self.rate)
            ],
        )


@dataclass(frozen=True, slots=True)
class LineBreaks(Rated):
    """Break lines between words, as mail programs and PDF extraction do: with `>`, a hyphen or nothing."""

    name: ClassVar[str] = "line-breaks"
    group: ClassVar[str] = "surface"
    unit: ClassVar[str] = "gaps"
    RATES: ClassVar[Rates] = (0.03, 0.07, 0.15, 0.30, 0.50)  # share of single spaces
    BREAKS: ClassVar[tuple[str, ...]] = ("\n", "\n", "\n> ", "\r\n", " \n\n", "\n    ")

    def perturb(self, text: str, rng: Random) -> str:
        gaps = [m.start() for m in re.finditer(r"(?<=\S) (?=\S)", text)]
        return apply(
            text,
            [
                Edit(draw, gaps[k], gaps[k] + 1, pick(draw, self.BREAKS))
                for draw, k in hits(rng, len(gaps), self.rate)
            ],
        )


@dataclass(frozen=True, slots=True)
class HyphenatedBreaks(Rated):
    """Break words at line ends with a hyphen, as text taken from printed pages has it: `charac-` and `ter` below it."""

    name: ClassVar[str] = "hyphenated-breaks"
    group: ClassVar[str] = "surface"
    unit: ClassVar[str] = "words of six letters or more"
    RATES: ClassVar[Rates] = (0.05, 0.10, 0.20, 0.40, 0.70)

    def perturb(self, text: str, rng: Random) -> str:
        words = [match.span() for match in WORD.finditer(text) if match.end() - match.start() >= 6]
        edits = []
        for draw, k in hits(rng, len(words), self.rate):
            start, end = words[k]
            middle = start + pick(draw, range(3, end - start - 2))
            if alone(text, middle) and alone(text, middle - 1):
                edits.append(Edit(draw, middle, middle, "-\n"))
        return apply(text, edits)
