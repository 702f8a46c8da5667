"""Where two records differ, place by place, in words."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

CLOSE = 1e-9  # two figures nearer than this differ by rounding only
NAMES = ("model", "baseline", "shift", "set_key", "kind", "metric", "name", "key")


def differences(stored: Any, found: Any, where: str) -> Iterator[tuple[str, str]]:
    """(place, `0.1 stored, 0.2 computed`) for every value that is not the same, in order."""
    if dataclasses.is_dataclass(stored) and type(stored) is type(found):
        for f in dataclasses.fields(stored):
            yield from differences(
                getattr(stored, f.name), getattr(found, f.name), f"{where}, {f.name}"
            )
    elif isinstance(stored, Mapping) and isinstance(found, Mapping):
        for key in sorted({*stored, *found}, key=str):
            place = f"{where}, {_said(key)}"
            if key not in stored or key not in found:
                yield place, "missing" if key not in stored else "not to be had from the records"
            else:
                yield from differences(stored[key], found[key], place)
    elif _listed(stored) and _listed(found):
        if len(stored) != len(found):
            yield where, f"{len(stored)} stored, {len(found)} computed"
            return
        for i, (one, other) in enumerate(zip(stored, found, strict=True)):
            yield from differences(one, other, f"{where} {_label(one, i)}")
    elif not _same(stored, found):
        yield where, f"{_said(stored)} stored, {_said(found)} computed"


def _same(stored: Any, found: Any) -> bool:
    if isinstance(stored, float) and isinstance(found, float):
        return stored == found or math.isclose(stored, found, rel_tol=CLOSE, abs_tol=CLOSE)
    return bool(stored == found)


def _listed(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _label(item: Any, i: int) -> str:
    """The names in a record tell more than its place in a list."""
    names = [getattr(item, n, None) for n in NAMES] if dataclasses.is_dataclass(item) else []
    known = [str(name) for name in names if name is not None]
    return "/".join(known)[:200] or f"[{i}]"


def _said(value: Any) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 80 else text[:79] + "…"
