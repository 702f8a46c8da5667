"""JSON back into frozen records, checked against their type hints: a run folder is not trusted."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from robust_eval.errors import DataError

T = TypeVar("T")


def decode(kind: type[T], value: Any, where: str = "record") -> T:
    """`value` as `kind`. Raises DataError that names the first place which does not fit."""
    return typing.cast(T, _decode(kind, value, where))


def _decode(kind: Any, value: Any, where: str) -> Any:
    origin = get_origin(kind)
    if kind is Any:
        return value
    if dataclasses.is_dataclass(kind):
        return _decode_record(kind, value, where)
    if origin in (Union, types.UnionType):
        return _decode_union(get_args(kind), value, where)
    if origin is Literal:
        return _checked(value, value in get_args(kind), where, f"one of {get_args(kind)}")
    if origin is tuple:
        items = _checked(value, isinstance(value, list | tuple), where, "a list")
        inner = get_args(kind)
        if len(inner) == 2 and inner[1] is Ellipsis:
            return tuple(_decode(inner[0], item, f"{where}[{i}]") for i, item in enumerate(items))
        _checked(value, len(items) == len(inner), where, f"a list of {len(inner)}")
        return tuple(
            _decode(k, item, f"{where}[{i}]")
            for i, (k, item) in enumerate(zip(inner, items, strict=True))
        )
    if origin in (Mapping, dict):
        _checked(value, isinstance(value, dict), where, "an object")
        inner_kind = get_args(kind)[1]
        return {str(k): _decode(inner_kind, item, f"{where}.{k}") for k, item in value.items()}
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        known = [member.value for member in kind]
        return kind(_checked(value, value in known, where, f"one of {known}"))
    if kind is float:
        right = isinstance(value, int | float) and not isinstance(value, bool)
        return float(_checked(value, right, where, "a number"))
    if kind is int:
        right = isinstance(value, int) and not isinstance(value, bool)
        return _checked(value, right, where, "a whole number")
    return _checked(value, isinstance(value, kind), where, kind.__name__)


def _decode_record(kind: Any, value: Any, where: str) -> Any:
    _checked(value, isinstance(value, dict), where, "an object")
    hints = _hints(kind)
    fields = {f.name: f for f in dataclasses.fields(kind)}
    if unknown := sorted(set(value) - set(fields)):
        raise DataError(f"{where} has an unknown key {unknown[0]!r}")
    for name, f in fields.items():
        required = f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
        if required and name not in value:
            raise DataError(f"{where} lacks {name!r}")
    return kind(
        **{name: _decode(hints[name], item, f"{where}.{name}") for name, item in value.items()}
    )


def _decode_union(kinds: tuple[Any, ...], value: Any, where: str) -> Any:
    if value is None and type(None) in kinds:
        return None
    problems = []
    for kind in kinds:
        if kind is type(None):
            continue
        try:
            return _decode(kind, value, where)
        except DataError as problem:
            problems.append(problem)
    raise problems[-1]


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _checked(value: Any, right: bool, where: str, wanted: str) -> Any:
    if not right:
        raise DataError(f"{where} should be {wanted}, not {str(value)[:60]!r}")
    return value
