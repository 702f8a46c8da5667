"""Randomness as an argument: one keyed stream per use, the same on every machine and version."""

from __future__ import annotations

from collections.abc import MutableSequence, Sequence
from hashlib import blake2b
from random import Random
from typing import TypeVar

T = TypeVar("T")


def digest(*parts: str | int, size: int = 32) -> bytes:
    """BLAKE2b over length-prefixed UTF-8 parts, so that ("1", "23") and ("12", "3") differ.

    Lone surrogates are hashed as they are (`surrogatepass`): hostile text is still text.
    """
    state = blake2b(digest_size=size)
    for part in parts:
        encoded = str(part).encode("utf-8", "surrogatepass")
        state.update(len(encoded).to_bytes(8, "big"))
        state.update(encoded)
    return state.digest()


def hexdigest(*parts: str | int, size: int = 16) -> str:
    """`digest` as text; 16 bytes (32 hex digits) name content, 32 bytes where forgery matters."""
    return digest(*parts, size=size).hex()


def stream(seed: int, *key: str | int) -> Random:
    """A generator that depends on the seed and the key alone.

    Only `random()` is to be drawn from it: it is the one draw whose values are stable across Python
    versions. `below`, `choice` and `shuffled` here are built on it.
    """
    return Random(int.from_bytes(digest(seed, *key), "big"))


def below(rng: Random, bound: int) -> int:
    """An integer in [0, bound); raises ValueError unless bound is positive."""
    if bound < 1:
        raise ValueError(f"bound must be at least 1, not {bound}")
    return int(rng.random() * bound)


def choice(rng: Random, items: Sequence[T]) -> T:
    """One of the items; raises ValueError when there is none."""
    return items[below(rng, len(items))]


def shuffle(rng: Random, items: MutableSequence[T]) -> None:
    """Fisher-Yates in place, by `random()` alone."""
    for i in range(len(items) - 1, 0, -1):
        j = below(rng, i + 1)
        items[i], items[j] = items[j], items[i]


def shuffled(rng: Random, items: Sequence[T]) -> list[T]:
    """A shuffled copy."""
    copy = list(items)
    shuffle(rng, copy)
    return copy
