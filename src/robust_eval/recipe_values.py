"""The values that a recipe's tables may hold, each checked where it stands: `where` names the place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from robust_eval.errors import RecipeError, did_you_mean

MAX_SEEDS = 100
MAX_PROTECTED = 200


def scalars(parameters: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    for key, value in parameters.items():
        if key in ("severity", "name") or not isinstance(value, bool | int | float | str):
            raise RecipeError(f"{where}: parameter {key!r} cannot be {value!r}")
    return parameters


def severities(value: Any, where: str) -> tuple[int, ...]:
    if not isinstance(value, list) or not value:
        raise RecipeError(f"{where}: severities must be a list such as [1, 3, 5]")
    for severity in value:
        if type(severity) is not int or not 1 <= severity <= 5:
            raise RecipeError(f"{where}: severity {severity!r} is not one of 1, 2, 3, 4, 5")
    return tuple(dict.fromkeys(value))


def offsets(value: Any, where: str) -> tuple[int, ...]:
    if not isinstance(value, list) or not value or any(type(s) is not int or s < 0 for s in value):
        raise RecipeError(
            f"{where}: seeds must be a list of whole numbers from 0, such as [0, 1, 2]"
        )
    if len(value) > MAX_SEEDS or max(value) >= 2**31:
        raise RecipeError(f"{where}: at most {MAX_SEEDS} seeds, each below 2**31")
    return tuple(dict.fromkeys(value))


def words(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(w, str) and w.strip() for w in value):
        raise RecipeError(f"{where}: protect must be a list of words")
    if len(value) > MAX_PROTECTED or any(len(word) > 200 for word in value):
        raise RecipeError(f"{where}: at most {MAX_PROTECTED} protected words of 200 characters")
    return tuple(value)


def check_label(label: Any, where: str) -> None:
    # The label becomes part of a set's key, where '@' and '#' have a meaning.
    if not isinstance(label, str) or not 0 < len(label) <= 64 or set(label) & set("@#\n\r\t"):
        raise RecipeError(f"{where}: a label is short text without @ and #, not {label!r}")


def check_keys(table: Mapping[str, Any], known: Sequence[str], where: str) -> None:
    for key in table:
        if key not in known:
            raise RecipeError(f"{where}: unknown key {key!r}{did_you_mean(key, known)}")


def only(shift: Mapping[str, Any], allowed: Sequence[str], where: str) -> None:
    for key in shift:
        if key not in allowed:
            raise RecipeError(f"{where}: {key!r} does not go with {allowed[0]!r}")
