"""Adversarial sentences for extractive QA: they look like an answer, and answer another question."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import ClassVar

from robust_eval.perturb.distractors import EACH_PLACE, places_hit
from robust_eval.perturb.draws import STEPS, Edit, Rated, Rates, apply, pick
from robust_eval.records import Example, Family

PERSONS = (
    "Jeff Dean", "Maria Okafor", "Tomas Lindqvist", "Helen Park", "Ravi Menon", "Clara Dubois", "Owen Castle",
    "Ines Moreau", "Kenji Watanabe", "Ruth Abram",
)  # fmt: skip
PLACES = (
    "Chicago", "Bergen", "Valencia", "Osaka", "Nairobi", "Halifax", "Gdansk", "Adelaide", "Lyon", "Quito",
)  # fmt: skip
THINGS = (
    "the paper industry", "a copper bell", "the winter term", "a wooden bridge", "the dairy market", "a clay tablet",
    "the harbor office", "a linen banner", "the glass trade", "a brass compass",
)  # fmt: skip
NAMES = (
    "Northfield", "Caldera", "Belmont", "Stradbroke", "Ashgrove", "Marlow", "Verano", "Kestrel", "Dunmore", "Halden",
)  # fmt: skip
WH = r"who|whom|whose|what|which|when|where|why|how"
# A capitalised run that does not open the question; a wh-word is none.
ENTITY = re.compile(rf"\b(?!(?i:{WH})\b)[A-Z][\w-]*(?:\s+(?:of\s+|the\s+)?[A-Z][\w-]*)*")
NUMBER = re.compile(r"\b\d+(?=s?\b)")  # not the 3 of "3rd"
IS = r"(is|was|are|were|has|had|can|could|will|would)"
VERB_FIRST = re.compile(r"(?i)who\s+((?:(?!did\b|do\b|does\b)[a-z]+)\s+.+?)\s*\?*\s*\Z")
NOUN_IS = re.compile(rf"(?i)(?:what|which)\s+([a-z]+(?:\s[a-z]+)?)\s+{IS}\s+(.+?)\s*\?*\s*\Z")
WHAT_IS = re.compile(r"(?i)what\s+(is|was|are|were)\s+((?:the|a|an)\s+.+?)\s*\?*\s*\Z")
DID = re.compile(
    rf"(?i)(what|who|whom|when|where)\s+(did|does)\s+((?:the\s+)?(?:{'|'.join(NAMES)}))\s+(.+?)\s*\?*\s*\Z"
)


@dataclass(frozen=True, slots=True)
class AddsentDistractors(Rated):
    """Add a sentence to the context that answers a look-alike of the question, and not the question.

    The question's names and numbers are replaced, a false answer of the right one's type is put in, and both become a
    statement, behind the context or in front of it. The false answer is never a gold one. A question with neither a
    name nor a number gets none: its look-alike would be the question itself. Only for data with context and question.

    Source: ADDSENT of Jia & Liang (2017), arXiv:1707.07328; theirs is corrected by crowd workers and may choose the worst
    of several for a model, ours are by rule, fewer in form, and know no model.
    """

    name: ClassVar[str] = "addsent-distractors"
    group: ClassVar[str] = "distractors"
    unit: ClassVar[str] = "5 sentences"
    family: ClassVar[Family] = "adversarial"
    adds_only: ClassVar[bool] = True
    needs: ClassVar[tuple[str, ...]] = ("context", "question")
    RATES: ClassVar[Rates] = EACH_PLACE

    def perturb(self, text: str, rng: Random) -> str:
        """The text as it is: a distractor is made from a question and put into a context."""
        return text

    def perturb_example(
        self, example: Example, fields: Sequence[str], rng: Random
    ) -> dict[str, str]:
        """The inputs, the context with the sentences in it; the question stays."""
        inputs = dict(example.inputs)
        context, question = inputs["context"], inputs["question"]
        gold = (example.target,) if isinstance(example.target, str) else example.target
        forbidden = {plain(answer) for answer in gold}
        start, end = len(context) - len(context.lstrip()), len(context.rstrip())
        edits = []
        for draw, place in places_hit(rng, self.rate):
            sentence = look_alike(question, gold, draw, forbidden)
            if not context.strip() or sentence is None:
                continue
            if place % 2:
                edits.append(Edit(draw, start, start, f"{sentence} "))
            else:
                edits.append(Edit(draw, end, end, f" {sentence}"))
        edits.sort(key=lambda edit: (edit.start, edit.draw))
        inputs["context"] = apply(context, edits)
        return inputs


def look_alike(question: str, gold: Sequence[str], draw: float, forbidden: set[str]) -> str | None:
    """A statement that answers another question; None when there is none that keeps the answer out."""
    other = changed_question(question, draw)
    if other is None:
        return None
    answer = false_answer(gold[0] if gold else "", f"{question} {other}", draw, forbidden)
    if answer is None:
        return None
    said = statement(other, answer)
    asked, heard = f" {plain(question)} ", f" {plain(said)} "
    if any(a and f" {a} " in heard and f" {a} " not in asked for a in forbidden):
        return None  # the other number of a look-alike can be the answer itself
    return said[:1].upper() + said[1:]


def changed_question(question: str, draw: float) -> str | None:
    """The question about other names and numbers; None when it holds neither."""
    text = " ".join(question.split())
    seed = int(draw * STEPS)
    changed = False
    free = [name for name in NAMES if name not in question]

    def entity(match: re.Match[str]) -> str:
        nonlocal changed
        if match.start() == 0:
            return match.group()
        changed = True
        # Each name once: "the Verano of the Verano" would be no sentence.
        return free.pop(seed % len(free)) if free else match.group()

    def number(match: re.Match[str]) -> str:
        nonlocal changed
        changed = True
        return other_number(match.group(), seed)

    text = NUMBER.sub(number, ENTITY.sub(entity, text))
    return text if changed else None


def other_number(digits: str, seed: int) -> str:
    """Another number of as many digits, near it: the last digit changes, of a round one that before."""
    at = len(digits) - (2 if len(digits) > 1 and digits[-1] == "0" else 1)
    new = (int(digits[at]) + 1 + seed % 8) % 10
    return f"{digits[:at]}{new if at or new else 9}{digits[at + 1 :]}"


def false_answer(gold: str, question: str, draw: float, forbidden: set[str]) -> str | None:
    """An answer of the gold one's type that is none of the gold ones."""
    if NUMBER.search(gold):
        options: Sequence[str] = [
            NUMBER.sub(lambda match, k=k: other_number(match.group(), k), gold)  # type: ignore[misc]
            for k in range(8)
        ]
    elif not gold[:1].isupper():
        options = THINGS
    else:
        asked = question.lower()
        options = (
            PERSONS if "who" in asked else PLACES if "where" in asked or "city" in asked else NAMES
        )
    return _first(options, draw, lambda o: plain(o) not in forbidden and o not in question)


def _first(options: Sequence[str], draw: float, fits: Callable[[str], bool]) -> str | None:
    first = pick(draw, range(len(options)))
    turns = (options[(first + step) % len(options)] for step in range(len(options)))
    return next((option for option in turns if fits(option)), None)


def statement(question: str, answer: str) -> str:
    """The question turned into a statement that holds the answer, by the first rule that fits."""
    if match := VERB_FIRST.match(question):
        return f"{answer} {match[1]}."
    if match := WHAT_IS.match(question):
        return f"{answer} {match[1]} {match[2]}."
    if match := NOUN_IS.match(question):
        return f"the {match[1]} of {answer} {match[2]} {match[3]}."
    if match := DID.match(question):
        when = {"when": " in", "where": " in"}.get(match[1].lower(), "")
        return f"{match[3]} {match[2]} {match[4]}{when} {answer}."
    return f"if somebody asks “{question}”, the answer is {answer}."


def plain(text: str) -> str:
    """Lower case, white space and marks aside: what two answers are compared by."""
    return " ".join(re.findall(r"\w+", text.lower()))
