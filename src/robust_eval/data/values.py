"""What a cell says: labels, answers and texts as strings, whatever type the file gave them."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from robust_eval.data.source import MAX_TEXT
from robust_eval.errors import DataError

MAX_NAME = 500  # characters of a label or an id: more is a text in the wrong column
WHOLE_FLOAT = re.compile(r"[+-]?\d+\.0+")
UNSAFE = re.compile("[\0\ud800-\udfff]")  # no tokenizer, XML or UTF-8 file takes these


@dataclass
class Cleaning:
    """Counts what was changed on the way in, for the data set's notes."""

    counts: Counter[str] = field(default_factory=Counter)

    def notes(self) -> tuple[str, ...]:
        return tuple(f"{what}: {count:,}" for what, count in sorted(self.counts.items()))


def plain(value: Any) -> str | None:
    """A scalar as a string, None when it is missing.

    1, 1.0, "1.0" and True do not depend on the file's kind: "1", "1", "1" and "true".
    Raises: TypeError for anything but a scalar.
    """
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        if math.isnan(value):
            return None
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, str):
        stripped = value.strip()
        if not stripped or stripped.lower() == "nan":
            return None
        return stripped.partition(".")[0] if WHOLE_FLOAT.fullmatch(stripped) else stripped
    raise TypeError(type(value).__name__)


def label_of(
    where: str, value: Any, names: tuple[str, ...] | None, cleaning: Cleaning
) -> str | None:
    """A label as a string; None when the row has none (missing, NaN, or the -1 of hidden labels)."""
    if names is not None and isinstance(value, int) and not isinstance(value, bool):
        if value == -1:
            return None
        if not 0 <= value < len(names):
            raise DataError(f"{where}: label {value} is not one of the {len(names)} class names")
        return names[value]
    try:
        label = plain(value)
    except TypeError as error:
        raise DataError(f"{where}: the label is a {error}, not a word or a number") from None
    if label is None:
        return None
    label = replace_unsafe(label, cleaning)
    if len(label) > MAX_NAME:
        raise DataError(f"{where}: a label of {len(label):,} characters; is that the label column?")
    if isinstance(value, str) and label != value:
        what = "white space around labels removed"
        if WHOLE_FLOAT.fullmatch(value.strip()):
            what = "labels such as '1.0' read as '1'"
        cleaning.counts[what] += 1
    return label


def text_of(where: str, name: str, value: Any, cleaning: Cleaning) -> str:
    """A text as it is, but for characters that are not text: those become U+FFFD and are counted."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = plain(value)
    if value is None:
        raise DataError(f"{where}: '{name}' is missing (null); fill it in or remove the row")
    if not isinstance(value, str):
        raise DataError(f"{where}: '{name}' is a {type(value).__name__}, not a text")
    if len(value) > MAX_TEXT:
        raise DataError(
            f"{where}: a text of {len(value):,} characters; at most {MAX_TEXT:,} are allowed"
        )
    return value if value.isascii() and "\0" not in value else replace_unsafe(value, cleaning)


def answers_of(where: str, value: Any, cleaning: Cleaning) -> tuple[str, ...]:
    """Every acceptable answer once, in order: from a string, a number, a list, or SQuAD's object."""
    if isinstance(value, Mapping):  # {"text": [...], "answer_start": [...]}
        value = value.get("text")
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:  # a list in a CSV cell
            parsed = json.loads(value)
        except (ValueError, RecursionError):
            parsed = None
        value = parsed if isinstance(parsed, list) else value
    found = []
    for item in value if isinstance(value, (list, tuple)) else (value,):
        try:
            # A string is kept as written but for its ends: only numbers of JSON are rewritten.
            answer = item.strip() if isinstance(item, str) else plain(item)
        except TypeError as error:
            raise DataError(f"{where}: an answer is a {error}, not a text or a number") from None
        if answer:
            found.append(text_of(where, "answers", answer, cleaning))
    if not found:
        raise DataError(f"{where}: no answer; fill it in or remove the row")
    return tuple(dict.fromkeys(found))


def final_answer(answer: str) -> tuple[str, str]:
    """A math answer and its rationale: what follows the last `####`, as GSM8K writes it, and what precedes."""
    rationale, mark, final = answer.rpartition("####")
    return (final.strip(), rationale.strip()) if mark and final.strip() else (answer, "")


def replace_unsafe(text: str, cleaning: Cleaning) -> str:
    """The text with lone surrogates and NUL characters replaced by U+FFFD."""
    replaced, count = UNSAFE.subn("\ufffd", text)
    if count:
        cleaning.counts["lone surrogates and NUL characters replaced by U+FFFD"] += count
    return replaced
