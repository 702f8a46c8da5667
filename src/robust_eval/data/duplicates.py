"""Examples that say the same: what a test set must not share with training data, nor hold twice."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from robust_eval.records import Example, Task

Key = tuple[str, ...]


class _NoPunctuation(dict[int, int | None]):
    """A table for `str.translate` that drops punctuation; fills itself as characters turn up."""

    def __missing__(self, code: int) -> int | None:
        kept = None if unicodedata.category(chr(code)).startswith("P") else code
        self[code] = kept
        return kept


_NO_PUNCTUATION = _NoPunctuation()


def normalised(text: str) -> str:
    """The text under NFKC, casefolded, without punctuation, white space collapsed.

    A text of punctuation alone (":)" against ":(") keeps it: otherwise all of them would be the same.
    """
    if not text.isascii():  # ASCII is its own NFKC form
        text = unicodedata.normalize("NFKC", text)
    folded = text.casefold()
    bare = " ".join(folded.translate(_NO_PUNCTUATION).split())
    return bare or " ".join(folded.split())


def key_of(task: Task, example: Example) -> Key:
    """What makes two examples duplicates: every text field, normalised."""
    return tuple(normalised(example.inputs[field]) for field in task.fields)


@dataclass(frozen=True, slots=True)
class Collapsed:
    """Examples with duplicates taken out: one of each is kept, the same whatever the order."""

    examples: tuple[Example, ...]  # in the order given
    keys: dict[str, Key]  # id -> key, for every example kept
    removed: int
    conflicting: int  # texts whose copies carry different labels

    def note(self) -> tuple[str, ...]:
        if not self.removed:
            return ()
        labels = (
            f" ({self.conflicting:,} of them with different labels)" if self.conflicting else ""
        )
        return (f"duplicates left out: {self.removed:,}{labels}",)


def collapse(task: Task, examples: Sequence[Example]) -> Collapsed:
    """One example of every group of duplicates: that with the smallest id."""
    kept: dict[Key, Example] = {}
    targets: dict[Key, set[object]] = {}
    for example in examples:
        key = key_of(task, example)
        first = kept.get(key)
        if first is None or example.id < first.id:
            kept[key] = example
        if first is not None:
            targets.setdefault(key, {first.target}).add(example.target)
    keys = {example.id: key for key, example in kept.items()}
    return Collapsed(
        examples=tuple(example for example in examples if example.id in keys),
        keys=keys,
        removed=len(examples) - len(kept),
        conflicting=sum(len(found) > 1 for found in targets.values()),
    )


class Sources:
    """The source items of a set of examples, to keep a group on one side of a split.

    An example without a group of its own has its id as `source_id`. Row numbers of two unrelated files then look
    alike, so between two files an item counts as shared only where one of them really names a group.
    """

    def __init__(self, examples: Iterable[Example], *, same_file: bool) -> None:
        self.all: set[str] = set()
        self.named: set[str] = set()
        self.same_file = same_file
        self.add(examples)

    def add(self, examples: Iterable[Example]) -> None:
        for example in examples:
            self.all.add(example.source_id)
            if example.source_id != example.id:
                self.named.add(example.source_id)

    def share(self, example: Example) -> bool:
        if self.same_file or example.source_id != example.id:
            return example.source_id in self.all
        return example.source_id in self.named
