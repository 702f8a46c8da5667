"""Multiple choice: options as lettered text, and the answer as the letter of one of them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from robust_eval.data.values import Cleaning, plain, text_of
from robust_eval.errors import DataError

LETTERS = "ABCDEFGHIJ"  # at most ten options
_MARK = re.compile(r"\s*[(\[]?([A-Ja-j1-9])[)\].:]\s*")
_SPACE = re.compile(r"\s+")


def options_of(where: str, value: Any, cleaning: Cleaning) -> tuple[tuple[str, ...], str]:
    """The names that the source gives its options, and the options as `A) 21 B) 22`, on one line.

    Reads a list ("A)21" or "21"), a list in a CSV cell, and the Hub's {"text": [...], "label": [...]}.
    Raises: DataError for fewer than 2 or more than 10 options.
    """
    if isinstance(value, str) and value.lstrip().startswith(("[", "{")):
        with suppress(ValueError, RecursionError):
            value = json.loads(value)
    names: list[str] | None = None
    if isinstance(value, Mapping):
        names = [plain(name) or "" for name in value.get("label") or ()] or None
        value = value.get("text")
    if not isinstance(value, list | tuple) or not 2 <= len(value) <= len(LETTERS):
        raise DataError(
            f"{where}: options must be a list of 2 to {len(LETTERS)}, not {value!r:.80}"
        )
    texts = [_SPACE.sub(" ", text_of(where, "options", item, cleaning)).strip() for item in value]
    marks = [found[1] if (found := _MARK.match(text)) else "" for text in texts]
    own = [mark.upper() for mark in marks]
    if own == list(LETTERS[: len(texts)]) or own == [str(i + 1) for i in range(len(texts))]:
        texts = [text[_end_of_mark(text) :] for text in texts]
        names = names or marks
    if any(not text for text in texts):
        raise DataError(f"{where}: an option is empty; fill it in or remove the row")
    if names is not None and len(names) != len(texts):
        raise DataError(f"{where}: {len(names)} names for {len(texts)} options")
    lettered = " ".join(f"{letter}) {text}" for letter, text in zip(LETTERS, texts, strict=False))
    return tuple(names or LETTERS[: len(texts)]), lettered


def _end_of_mark(text: str) -> int:
    found = _MARK.match(text)
    return found.end() if found else 0


def letter_of(where: str, answer: str, names: tuple[str, ...]) -> str:
    """The letter that an answer means: the name of an option, or its number from 0.

    Raises: DataError when it is neither.
    """
    if answer in names:
        return LETTERS[names.index(answer)]
    if answer.upper() in LETTERS[: len(names)] and len(answer) == 1:
        return answer.upper()
    if answer.isdecimal() and int(answer) < len(names) and not any(n.isdecimal() for n in names):
        return LETTERS[int(answer)]
    raise DataError(
        f"{where}: the answer {answer[:40]!r} names none of the options {', '.join(names)}"
    )
