"""Class-balanced draws that depend on the examples' ids alone, never on the order of the rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from robust_eval import rng
from robust_eval.records import Example


def balanced_order(
    examples: Iterable[Example], *, labelled: bool, seed: int, purpose: str, reverse: bool = False
) -> list[Example]:
    """All examples, ordered so that any prefix is a class-balanced draw.

    Every example draws a key of its own from seed, purpose and id. Classes take turns, each giving its next
    smallest key, until it has none left; who goes first in a turn is drawn too. So the draw of n is the
    beginning of the draw of m > n. `reverse` begins at the other end of every class: two draws from
    opposite ends meet only when they have used the class up.
    """
    strata: dict[str, list[tuple[bytes, Example]]] = {}
    for example in examples:
        key = rng.digest(seed, "draw", purpose, example.id, size=8)
        label = str(example.target) if labelled else ""
        strata.setdefault(label, []).append((key, example))
    turns: list[tuple[int, bytes, str, Example]] = []
    for stratum in strata.values():
        stratum.sort(key=lambda drawn: (drawn[0], drawn[1].id), reverse=reverse)
        turns += [(turn, key, one.id, one) for turn, (key, one) in enumerate(stratum)]
    turns.sort(key=lambda entry: entry[:3])
    return [example for _, _, _, example in turns]


def label_counts(examples: Iterable[Example]) -> dict[str, int]:
    """Examples per label, by label; empty for tasks whose targets are answers."""
    counts = Counter(e.target for e in examples if isinstance(e.target, str))
    return dict(sorted(counts.items()))


def describe_counts(examples: Sequence[Example]) -> str:
    return ", ".join(f"{label} {count:,}" for label, count in label_counts(examples).items())
