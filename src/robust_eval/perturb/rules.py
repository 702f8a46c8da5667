"""Rewriting by rule: where a pattern fits, what the place becomes, and one draw for every such place.

A rule fires where its pattern fits and nowhere else; patterns name the words around a place when its own words would not
be safe. A capital at the start of a place is kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from robust_eval.perturb.draws import Edit, hits, pick, settle

NOT_INSIDE = r"(?<![\w'’-])"  # a phrase begins here, not in the middle of a word
NOT_LONGER = r"(?![\w'’-])"  # and ends here
LOOKS_AHEAD = re.compile(r"\(\?[=!](?:[^()]|\([^()]*\))*\)\Z")


@dataclass(frozen=True, slots=True)
class Rule:
    """Where `pattern` fits, what `becomes` makes of the match and its draw."""

    pattern: re.Pattern[str]
    becomes: Callable[[re.Match[str], float], str]


def rule(pattern: str, *options: str) -> Rule:
    """A rule of one pattern, whose places become one of the options, templates of `re.Match.expand`."""
    return Rule(re.compile(pattern), lambda match, draw: match.expand(pick(draw, options)))


def phrases(table: Mapping[str, str | tuple[str, ...]]) -> tuple[Rule, ...]:
    """One rule, as a tuple, for many phrases, between word boundaries and in any case: a phrase and what it becomes.

    Phrases are patterns: `said (?=that)` looks ahead, and one blank stands for any white space. Where several fit,
    the longest pattern wins. They are matched by one expression, which is several times as fast as one after the other.
    """
    rows = sorted(table.items(), key=lambda row: -len(row[0]))
    sources = [_bounded(phrase) for phrase, _ in rows]
    single = [re.compile(source, re.IGNORECASE) for source in sources]
    options = [(found,) if isinstance(found, str) else found for _, found in rows]
    named = "|".join(f"(?P<r{k}>{source})" for k, source in enumerate(sources))

    def becomes(match: re.Match[str], draw: float) -> str:
        k = int((match.lastgroup or "r0")[1:])  # the outermost group closes last
        again = single[k].match(match.string, match.start())
        assert again is not None  # the same expression, at the same place
        return again.expand(pick(draw, options[k]))

    return (Rule(re.compile(f"{NOT_INSIDE}(?:{named})", re.IGNORECASE), becomes),)


def _bounded(phrase: str) -> str:
    """The phrase with any white space for a blank, and a word boundary behind it unless it looks ahead itself.

    A look behind keeps its one blank, as its width must be fixed.
    """
    spaced = re.sub(
        r"\(\?<[=!][^)]*\)| ", lambda m: r"\s+" if m.group() == " " else m.group(), phrase
    )
    return f"(?:{spaced})" if LOOKS_AHEAD.search(phrase) else f"(?:{spaced}){NOT_LONGER}"


def rewritten(text: str, rng: Random, rate: float, rules: Sequence[Rule]) -> list[Edit]:
    """The edits of every place that is hit, overlaps settled, in order.

    The rate is a share of the places where some rule fits. Places are numbered rule by rule, so that the draws
    depend on the text alone.
    """
    places = [(each, match) for each in rules for match in each.pattern.finditer(text)]
    edits = []
    for draw, k in hits(rng, len(places), rate):
        each, match = places[k]
        made = each.becomes(match, draw)
        if match.group()[:1].isupper():
            made = made[:1].upper() + made[1:]
        edits.append(Edit(draw, match.start(), match.end(), made))
    return settle(sorted(edits, key=lambda edit: edit.start))
