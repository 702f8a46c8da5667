"""What every perturbation is made of: draws that nest, edits that never collide, picks that are fair.

The contract that makes severities nest: the number of draws depends on the text alone, a position is
hit when its draw is below the rate, and what happens to it depends on its draw and the text alone.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, repeat, starmap
from random import Random
from typing import ClassVar, NamedTuple, TypeVar

from robust_eval.errors import RecipeError, did_you_mean
from robust_eval.records import Family

T = TypeVar("T")

SEVERITIES = (1, 2, 3, 4, 5)
STEPS = (
    2.0**53
)  # random() is a whole number of these; a float, since an int would be converted at every draw

Rates = tuple[float, float, float, float, float]


class Edit(NamedTuple):
    """Replace text[start:end]; sorts by draw, so that the smallest draw comes first."""

    draw: float
    start: int
    end: int
    replacement: str


Plain = tuple[float, int, int, str]  # an Edit or a bare tuple like it, which is made twice as fast
E = TypeVar("E", bound=Plain)


def check_severity(severity: object) -> None:
    """Raises RecipeError unless 1 to 5: index 0 would silently mean the worst rate."""
    if type(severity) is not int or severity not in SEVERITIES:  # True and 2.0 are in it
        raise RecipeError(f"severity must be a whole number from 1 to 5, not {severity!r}")


@dataclass(frozen=True, slots=True)
class Rated:
    """What every native perturbation declares, and the one parameter that all of them take."""

    name: ClassVar[str]
    group: ClassVar[str]  # "characters", "words" or "surface"
    RATES: ClassVar[Rates]  # probability of a hit at severity 1 to 5
    unit: ClassVar[str]  # what a rate is a share of
    family: ClassVar[Family] = "noise"
    nests: ClassVar[bool] = True  # what is hit at a severity is hit alike at the next
    adds_only: ClassVar[bool] = False  # what was there stays: a text is not cut at protected spans
    needs: ClassVar[tuple[str, ...]] = ()  # fields an example must have; empty: any text will do
    CHOICES: ClassVar[Mapping[str, Sequence[str]]] = {}  # parameter -> the values it may have

    severity: int = 3

    def __post_init__(self) -> None:
        check_severity(self.severity)
        for parameter, known in self.CHOICES.items():
            if (value := getattr(self, parameter)) not in known:
                raise RecipeError(
                    f"{self.name}: unknown {parameter} {value!r}{did_you_mean(str(value), known)}"
                )

    @property
    def rate(self) -> float:
        return self.RATES[self.severity - 1]

    def perturb(self, text: str, rng: Random) -> str:
        """The text with what was hit changed; a pure function of the text and the stream."""
        raise NotImplementedError(type(self).__name__)


def draws(rng: Random, count: int) -> Iterator[float]:
    """One draw a position, hit or not: `random()` called without a step of Python for each."""
    return starmap(rng.random, repeat((), count))


def hits(rng: Random, count: int, rate: float) -> list[tuple[float, int]]:
    """(draw, position) of every position hit, in order of position.

    Strictly below: a rate of 0 hits nothing, even at a draw of 0.
    """
    return [(draw, i) for i, draw in enumerate(draws(rng, count)) if draw < rate]


def pick(draw: float, options: Sequence[T]) -> T:
    """One option, all equally likely, from the low bits of a draw.

    The high bits, being under the rate, would favour the first options.
    """
    return options[int(draw * STEPS) % len(options)]


def apply(text: str, edits: Sequence[Plain]) -> str:
    """The text after these edits, which must be disjoint and in order of start."""
    if not edits:
        return text
    pieces = []
    position = 0
    for _, start, end, replacement in edits:
        pieces.append(text[position:start])
        pieces.append(replacement)
        position = end
    pieces.append(text[position:])
    return "".join(pieces)


def settle(edits: Sequence[E]) -> list[E]:
    """The edits that remain when overlaps go to the smaller draw, in order of start.

    Smallest draw first, never left to right: an edit of severity s cannot be pushed out by one that
    only appears at s + 1.
    """
    for (_, _, end, _), (_, start, _, _) in pairwise(edits):
        if start < end:
            break
    else:
        return list(edits)  # disjoint and in order already, as most are
    taken: set[int] = set()
    kept = []
    for edit in sorted(edits):
        if taken.isdisjoint(span := range(edit[1], edit[2])):
            taken.update(span)
            kept.append(edit)
    kept.sort(key=_start)
    return kept


def _start(edit: Plain) -> int:
    return edit[1]


ZERO_WIDTH_JOINER = "\u200d"
# What continues the character before it: joiner, variation selectors, skin tones, keycap and tag marks.
_JOINERS = frozenset(
    [ZERO_WIDTH_JOINER, "\u200c", "\u20e3"]
    + [chr(code) for code in range(0xFE00, 0xFE10)]
    + [chr(code) for code in range(0x1F3FB, 0x1F400)]
    + [chr(code) for code in range(0xE0020, 0xE0080)]
)


def continues(char: str) -> bool:
    """Whether a code point belongs to the character before it, as a combining accent does."""
    return char >= "\u0300" and (unicodedata.category(char)[0] == "M" or char in _JOINERS)


def alone(text: str, position: int) -> bool:
    """Whether the code point here is a whole user-perceived character.

    False inside combining and emoji sequences, which an edit would tear apart.
    """
    if text[position - 1 if position else 0 : position + 2].isascii():
        return True  # nearly always, and far quicker
    following = text[position + 1 : position + 2]
    return not (
        continues(text[position])
        or (following and continues(following))
        or (position > 0 and text[position - 1] == ZERO_WIDTH_JOINER)
    )


def matching_case(original: str, replacement: str) -> str:
    """The replacement in the original's case: UPPER, Capitalised, or as it is."""
    if original.isupper() and len(original) > 1:
        return replacement.upper()
    if original[:1].isupper():
        return replacement[:1].upper() + replacement[1:]
    return replacement
