"""What a written answer says: the strict reading first, then the lenient one, and which of them it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from robust_eval.models.generate import (
    Continuation,
    is_refusal,
    parse_label,
    parse_number,
    status_without_answer,
)
from robust_eval.models.templates import Template
from robust_eval.records import Prediction, TaskKind

Words = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Reading:
    """An answer, or None; `strict` says which parser found it."""

    answer: str | None
    strict: bool = False


def read_answer(
    example_id: str,
    written: Continuation,
    kind: TaskKind,
    words: Words,
    *,
    cut: bool,
    template: Template | None = None,
) -> Prediction:
    """What a written answer says, as a label, a number or a text; its status when it says none.

    Strict: the whole answer, or what follows the answer's mark at the end of a chain of reasoning, is
    a label, a number or a text and nothing else. Lenient: a label, a number or a text found in it.
    """
    if template is not None and template.reasoning:
        found = _concluded(written, kind, words, template.answer_mark)
    else:
        found = _direct(written, kind, words)
    if found.answer is None:
        status = status_without_answer(written.text, finished=written.finished)
        return Prediction(example_id, raw=written.text, status=status, input_truncated=cut)
    return Prediction(
        example_id,
        label=found.answer if words else None,
        text=None if words else found.answer,
        raw=written.text,
        input_truncated=cut,
        strict=found.strict,
    )


def _direct(written: Continuation, kind: TaskKind, words: Words) -> Reading:
    """An answer alone."""
    text = written.text
    if words:
        exact = _exact_label(text, words)
        return Reading(exact, True) if exact else Reading(parse_label(text, words))
    if not written.finished:
        return Reading(None)  # the last number seen need not be the last one
    if kind is TaskKind.MATH:
        return Reading(parse_number(text), _is_number(text))
    return Reading(None if not text or is_refusal(text) else text, True)


def _concluded(written: Continuation, kind: TaskKind, words: Words, mark: str) -> Reading:
    """The answer after a chain: what follows the last mark on its line, else what the end says."""
    at = written.text.rfind(mark)
    tail = written.text[at + len(mark) :].strip() if at >= 0 else ""
    said, more, _ = tail.partition("\n")
    said = said.strip().lstrip(":").strip()
    # Cut off after the mark, half a number may stand there: "The answer is 1" of 18.
    if said and (written.finished or more or said.endswith(".")):
        if words:
            exact = _exact_label(said, words)
            found = exact or parse_label(said, words)
            if found:
                return Reading(found, exact is not None)
        elif kind is TaskKind.MATH:
            if (number := parse_number(said)) is not None:
                return Reading(number, _is_number(said))
        elif text := said.rstrip(" ."):
            return Reading(text, True)
    if not written.finished:
        return Reading(None)
    last = written.text.strip().rpartition("\n")[2]
    if words:
        return Reading(parse_label(last, words))
    if kind is TaskKind.MATH:
        return Reading(parse_number(written.text))
    return Reading(None if not last or is_refusal(written.text) else last)


def _exact_label(text: str, words: Words) -> str | None:
    """The label whose words the text is, case, white space and a full stop aside."""
    said = " ".join(text.split()).rstrip(".").casefold()
    return next((label for label, word in words if " ".join(word.split()).casefold() == said), None)


def _is_number(text: str) -> bool:
    """Whether the text is one number and nothing else, a currency or percent sign and a full stop aside."""
    bare = text.strip().rstrip(".").strip().lstrip("$€£").rstrip("%").strip()
    digits = bare.replace(",", "").replace(".", "", 1).lstrip("+-")
    return digits.isdecimal() and parse_number(bare) is not None
