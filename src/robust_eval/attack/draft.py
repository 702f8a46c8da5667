"""A text under attack: its words, each of which may be replaced, and all that stands between them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from robust_eval.records import Example

WHOLE = -1  # the position that stands for all words at once: a paraphrase, a sentence put in front
# Apostrophes and hyphens inside a word belong to it, as in TextAttack: "don't" and "well-made" are one word.
_WORD = re.compile(r"\w+(?:['’*@-]\w+)*")


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a word stands: its field, and the text between it and the word before."""

    field: str
    before: str


@dataclass(frozen=True, slots=True)
class Draft:
    """One version of an example. Positions stay those of the original, whatever words become.

    A word may become several words or none. After a rewrite (`rewritten`) positions are those of the
    new text.
    """

    example: Example  # the original: what an attack started from
    slots: tuple[Slot, ...]
    ends: tuple[tuple[str, str], ...]  # (field, text after its last word), in field order
    words: tuple[str, ...]
    was: tuple[str, ...]  # the words before any was replaced
    rewritten: bool = False

    @classmethod
    def of(cls, example: Example, fields: Sequence[str]) -> Draft:
        """The unchanged example, with the words of these fields open to change."""
        return _segmented(example, {field: example.inputs[field] for field in fields}, False)

    @property
    def changed(self) -> tuple[int, ...]:
        """Positions whose word is another one now."""
        pairs = zip(self.words, self.was, strict=True)
        return tuple(i for i, (now, before) in enumerate(pairs) if now != before)

    @property
    def inputs(self) -> dict[str, str]:
        """Every field's text, those that are not open to change too."""
        pieces: dict[str, list[str]] = {field: [] for field, _ in self.ends}
        for slot, word in zip(self.slots, self.words, strict=True):
            text = pieces[slot.field]
            # A word that is gone takes the space before it along, or behind it where it was the first.
            loose = slot.before.isspace() and (not word or (bool(text) and not any(text)))
            text += ("" if loose else slot.before, word)
        ends = dict(self.ends)
        made = {field: "".join(parts) + ends[field] for field, parts in pieces.items()}
        return {**self.example.inputs, **made}

    @property
    def text(self) -> str:
        """The changeable fields in order, one a line: what text-level constraints compare."""
        inputs = self.inputs
        return "\n".join(inputs[field] for field, _ in self.ends)

    def as_example(self) -> Example:
        """The example with these texts; id, target and source stay."""
        e = self.example
        return Example(e.id, self.inputs, e.target, e.source_id, e.meta)

    def with_word(self, position: int, word: str) -> Draft:
        """The draft with another word at this position."""
        words = (*self.words[:position], word, *self.words[position + 1 :])
        return replace(self, words=words)

    def without(self, position: int) -> Draft:
        """The draft with this position's word deleted."""
        return self.with_word(position, "")

    def restored(self, position: int) -> Draft:
        """The draft with the original's word at this position."""
        return self.with_word(position, self.was[position])

    def rewrite(self, texts: Mapping[str, str]) -> Draft:
        """A draft of other texts for some fields; its positions are new ones."""
        inputs = self.inputs
        fields = {field: texts.get(field, inputs[field]) for field, _ in self.ends}
        return _segmented(self.example, fields, True)


def _segmented(example: Example, texts: Mapping[str, str], rewritten: bool) -> Draft:
    slots: list[Slot] = []
    words: list[str] = []
    ends: list[tuple[str, str]] = []
    for field, text in texts.items():
        at = 0
        for match in _WORD.finditer(text):
            slots.append(Slot(field, text[at : match.start()]))
            words.append(match.group())
            at = match.end()
        ends.append((field, text[at:]))
    return Draft(example, tuple(slots), tuple(ends), tuple(words), tuple(words), rewritten)


def spans(draft: Draft) -> list[tuple[str, int, int]]:
    """(field, start, end) of every original word in its field's original text."""
    found: list[tuple[str, int, int]] = []
    at: dict[str, int] = {}
    for slot, word in zip(draft.slots, draft.was, strict=True):
        start = at.get(slot.field, 0) + len(slot.before)
        at[slot.field] = start + len(word)
        found.append((slot.field, start, start + len(word)))
    return found
