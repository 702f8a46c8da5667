"""Distractors: sentences added beside a text that say nothing about its answer.

They only add: no character that was there is touched, so labels, numbers and answer spans stay as they are. Severity
is how many are added, one to five. Which sentence stands in which place does not depend on the severity, so those
of a severity are there, alike, at the next.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import ClassVar

from robust_eval.perturb.draws import Edit, Rated, Rates, apply, pick
from robust_eval.perturb.tables import list_table
from robust_eval.records import Example

PLACES = 5  # at most so many sentences are added to a text
EACH_PLACE: Rates = (0.2, 0.4, 0.6, 0.8, 1.0)  # share of the places
WORD = re.compile(r"[^\W\d_]{3,}")
LAST_MARKS = re.compile(r"[.!]*[\"'”’)\]]*\s*\Z")
QUESTION_AT_END = re.compile(r"\?[\"'”’)\]]*\s*\Z")
SENTENCE_START = re.compile(r"(?<=[.!?])\s+(?=[\"'“(]?[A-Z])")
WHERE = ("both", "before", "after")
NLI_LABELS = frozenset(
    ("entailment", "neutral", "contradiction", "not_entailment", "non_entailment", "not-entailment")
)


def places_hit(rng: Random, rate: float) -> list[tuple[float, int]]:
    """(draw, place) of the places that get a sentence, smallest draw first: exactly that share of them."""
    draws = sorted((rng.random(), place) for place in range(PLACES))
    return draws[: round(rate * PLACES)]


@dataclass(frozen=True, slots=True)
class IrrelevantSentences(Rated):
    """Add sentences about something else before and after the text.

    They come from a list of our own without opinions, numbers and persons, and share no content word with the text.
    Of a pair, they stand at the premise (NLI), or the same ones on both sides (other pairs), which keeps
    the label; in extractive QA they stand at the context, not the question. `where` is both, before or after.

    Source: irrelevant context as in Jia & Liang (2017), arXiv:1707.07328, and Shi et al. (2023), arXiv:2302.00093;
    the sentences are our own.
    """

    name: ClassVar[str] = "irrelevant-sentences"
    group: ClassVar[str] = "distractors"
    unit: ClassVar[str] = "5 sentences"
    adds_only: ClassVar[bool] = True
    RATES: ClassVar[Rates] = EACH_PLACE
    CHOICES: ClassVar[Mapping[str, Sequence[str]]] = {"where": WHERE}

    where: str = "both"

    def perturb(self, text: str, rng: Random) -> str:
        return self._around(text, text, rng)

    def perturb_example(
        self, example: Example, fields: Sequence[str], rng: Random
    ) -> dict[str, str]:
        """The inputs with sentences at the field that can hold them without changing the answer."""
        inputs = dict(example.inputs)
        everything = " ".join(inputs.values())
        if "context" in inputs:
            chosen: tuple[str, ...] = ("context",)
        elif "premise" in inputs and example.target in NLI_LABELS:
            chosen = ("premise",)
        else:
            chosen = tuple(fields)
        state = rng.getstate()
        for field in chosen:
            rng.setstate(state)  # every side gets the same sentences
            inputs[field] = self._around(inputs[field], everything, rng)
        return inputs

    def _around(self, text: str, everything: str, rng: Random) -> str:
        hit = places_hit(rng, self.rate)
        if not text.strip():
            return text
        known = {word.lower() for word in WORD.findall(everything)}
        sentences = irrelevant()
        used: set[int] = set()
        edits = []
        for draw, place in hit:
            index = pick(draw, range(len(sentences)))
            for step in range(len(sentences)):
                candidate = (index + step) % len(sentences)
                if candidate not in used and not known & sentences[candidate][1]:
                    break
            used.add(candidate)
            before = self.where == "before" or (self.where == "both" and place % 2 == 1)
            edits.append(_added(text, draw, sentences[candidate][0], before=before))
        return apply(text, _in_order(edits))


@cache
def irrelevant() -> tuple[tuple[str, frozenset[str]], ...]:
    """(sentence, its content words) of the list."""
    common = {"the", "was", "are", "had", "and", "has", "for", "with", "its", "not", "there"}
    return tuple(
        (line, frozenset(word.lower() for word in WORD.findall(line)) - common)
        for line in list_table("irrelevant")
    )


@dataclass(frozen=True, slots=True)
class Tautologies(Rated):
    """Add what is always true at the end: `and true is true`, `and false is not true`.

    A statement gets it before its full stop, a question as a sentence behind it. `kind` is any, true or
    negation. Where labels are the words true and false, a prompted model may read them as labels.

    Source: Naik et al. (2018), arXiv:1806.00692, whose word overlap, negation and length tests add these phrases.
    """

    name: ClassVar[str] = "tautologies"
    group: ClassVar[str] = "distractors"
    unit: ClassVar[str] = "5 phrases"
    adds_only: ClassVar[bool] = True
    RATES: ClassVar[Rates] = EACH_PLACE
    KINDS: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "any": ("true is true", "false is not true"),
        "true": ("true is true",),
        "negation": ("false is not true",),
    }
    CHOICES: ClassVar[Mapping[str, Sequence[str]]] = {"kind": tuple(KINDS)}

    kind: str = "any"

    def perturb(self, text: str, rng: Random) -> str:
        hit = places_hit(rng, self.rate)
        if not text.strip():
            return text
        question = QUESTION_AT_END.search(text)
        end = len(text.rstrip()) if question else _end_of_statement(text)
        edits = []
        for draw, _ in hit:
            phrase = pick(draw, self.KINDS[self.kind])
            added = f" {phrase.capitalize()}." if question else f" and {phrase}"
            edits.append(Edit(draw, end, end, added))
        return apply(text, edits)


def _end_of_statement(text: str) -> int:
    """Where the last sentence's closing marks begin."""
    tail = text[-40:]
    match = LAST_MARKS.search(tail)
    return len(text) - len(tail) + (match.start() if match else len(tail))


@dataclass(frozen=True, slots=True)
class NumericDistractors(Rated):
    """Add sentences with numbers that a problem does not need: `Her uncle is 41 years old`.

    They stand before the last sentence, which asks the question, or in front of a text of one sentence, and are about
    persons whom the text does not name. Numbers are of the size of those in the text.

    Source: GSM-IC, Shi et al. (2023), arXiv:2302.00093; templates and names are our own.
    """

    name: ClassVar[str] = "numeric-distractors"
    group: ClassVar[str] = "distractors"
    unit: ClassVar[str] = "5 sentences"
    adds_only: ClassVar[bool] = True
    RATES: ClassVar[Rates] = EACH_PLACE
    NAMES: ClassVar[tuple[str, ...]] = (
        "Nora", "Felix", "Ines", "Tariq", "Greta", "Hugo", "Amara", "Pavel", "Yuki", "Omar", "Lena", "Mateo",
        "Priya", "Soren", "Zola",
    )  # fmt: skip
    RELATIVES: ClassVar[tuple[str, ...]] = ("uncle", "neighbor", "cousin", "teacher", "dentist")
    TEMPLATES: ClassVar[tuple[str, ...]] = (
        "{who}'s {relative} is {n} years old.",
        "The house number of {who}'s {relative} is {n}.",
        "{who}'s {relative} walked {n} steps yesterday.",
        "There are {n} pages in the phone book of {who}'s {relative}.",
        "{who}'s {relative} once waited {n} minutes for a train.",
        "The locker of {who}'s {relative} has the number {n}.",
        "{who}'s {relative} lives {n} kilometers from the sea.",
        "The bus that {who}'s {relative} takes is number {n}.",
    )

    def perturb(self, text: str, rng: Random) -> str:
        hit = places_hit(rng, self.rate)
        if not text.strip():
            return text
        largest = max((int(n) for n in re.findall(r"\d{1,6}", text, re.ASCII)), default=50)
        known = {word.lower() for word in WORD.findall(text)}
        start = _last_sentence(text)
        edits = []
        used: set[str] = set()
        for draw, place in hit:
            who = _first_free(draw, self.NAMES, lambda name: name.lower() in known or name in used)
            used.add(who)
            step = int(draw * 2**40)
            sentence = self.TEMPLATES[(step + place) % len(self.TEMPLATES)].format(
                who=who,
                relative=self.RELATIVES[step // 8 % len(self.RELATIVES)],
                n=2 + step // 64 % max(8, min(largest, 100_000)),
            )
            edits.append(Edit(draw, start, start, sentence + " "))
        return apply(text, _in_order(edits))


def _last_sentence(text: str) -> int:
    """Where the last sentence begins; the text's start when there is one only."""
    starts = [match.end() for match in SENTENCE_START.finditer(text)]
    return starts[-1] if starts else len(text) - len(text.lstrip())


def _first_free(draw: float, options: Sequence[str], taken: Callable[[str], bool]) -> str:
    """The drawn option, or the next one that is not taken; the drawn one when all are."""
    first = pick(draw, range(len(options)))
    for step in range(len(options)):
        if not taken(option := options[(first + step) % len(options)]):
            return option
    return options[first]


def _added(text: str, draw: float, sentence: str, *, before: bool) -> Edit:
    """A sentence before or after the text, with the space that this takes."""
    if before:
        start = len(text) - len(text.lstrip())
        return Edit(draw, start, start, sentence + " ")
    end = len(text.rstrip())
    return Edit(draw, end, end, f" {sentence}")


def _in_order(edits: Sequence[Edit]) -> list[Edit]:
    """By position; at one position the smallest draw comes first, at every severity alike."""
    return sorted(edits, key=lambda edit: (edit.start, edit.draw))
