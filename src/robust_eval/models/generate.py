"""A written answer, and the parsers that find a label or a number in it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from robust_eval.records import Status

_NUMBER = re.compile(r"[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|[-+]?\.\d+")
_REFUSAL = re.compile(
    r"\b(?:i (?:cannot|can't|can not|won't|will not|am unable|am not able)|i'm (?:unable|not able)"
    r"|as an ai\b|i(?: a|')m sorry|i must decline)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Continuation:
    text: str  # up to the first text that ends an answer
    finished: bool  # such a text or end-of-text came before the limit


# --- reading answers -------------------------------------------------------------------------------


def parse_label(text: str, words: Sequence[tuple[str, str]]) -> str | None:
    """The label whose words the text gives: exactly, else at its start, else anywhere if only one.

    Case and surrounding punctuation do not matter. Where labels contain each other the longest one
    at a place wins: "not positive" is not "positive". Two different labels in a sentence are none.
    """
    folded = _fold(text)
    by_words = {_fold(word): label for label, word in words}
    if folded in by_words:
        return by_words[folded]
    alternatives = sorted((word for word in by_words if word), key=lambda w: (-len(w), w))
    if not alternatives:
        return None
    pattern = re.compile(
        r"(?<!\w)(?:" + "|".join(re.escape(word) for word in alternatives) + r")(?!\w)"
    )
    found = [match.group() for match in pattern.finditer(folded)]
    start = pattern.match(folded)
    if start is not None and len(set(found)) == 1:
        return by_words[start.group()]
    if len(set(found)) == 1 and not re.search(
        r"(?:(?<!\w)(?:not|never|no|neither|hardly)|n['’]t)(?!\w)[^.;]{0,20}?(?<!\w)"
        + re.escape(found[0]),
        folded,
    ):
        return by_words[found[0]]
    return None


def _fold(text: str) -> str:
    return " ".join(text.casefold().split()).strip(" .,:;!?\"'`*()[]{}<>")


def parse_number(text: str) -> str | None:
    """The last number of the text, without thousands separators and trailing zeros; else None."""
    marked = text.rsplit("####", 1)[-1]
    found = _NUMBER.findall(marked) or _NUMBER.findall(text)
    if not found:
        return None
    number = found[-1].replace(",", "").lstrip("+")
    if "." in number:
        number = number.rstrip("0").rstrip(".")
    return number if number not in ("", "-", "-0") else "0"


def is_refusal(text: str) -> bool:
    """Whether the text declines to answer, by its usual openings."""
    return bool(_REFUSAL.search(text[:200]))


def status_without_answer(text: str, *, finished: bool) -> Status:
    """Why no answer could be read."""
    if is_refusal(text):
        return Status.REFUSED
    return Status.UNPARSED if finished else Status.TRUNCATED
