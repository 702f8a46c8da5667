"""Perturbing an example: keyed streams, protected spans, realised dose."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from random import Random
from typing import cast

from rapidfuzz.distance import Levenshtein

from robust_eval.perturb.tables import list_table
from robust_eval.records import Dose, Example, Perturbation, TaskKind, WholePerturbation
from robust_eval.rng import stream

EXACT_CHARACTERS = 20_000  # up to here the edit distance is exact
BLOCK_CHARACTERS = 10_000
ANCHOR = 24  # characters that must agree where long texts are cut
ANCHOR_TRIES = 32
WINDOW = 2_000  # how far the texts may have drifted apart within a block
SENTENCE_END = re.compile(r"[.!?…](?:\s|$)")
PRIVATE_USE = range(0xE000, 0xF900)  # characters without a meaning of their own
LISTED_ANSWERS = 64  # more gold answers than that are not worth a pattern


def perturb_example(
    chain: Sequence[Perturbation],
    example: Example,
    *,
    seed: int,
    fields: Sequence[str],
    protect: Sequence[str] = (),
) -> tuple[Example, Dose]:
    """The example after the chain, and how much of it really changed.

    `id`, `source_id` and `target` stay as they are, and the fields not named too, unless a perturbation of whole examples
    adds to them. What matches one of the `protect` patterns (regular expressions, case ignored) is never touched. The answer depends on the
    seed, the example's id and texts, and the chain alone.
    """
    guard = _guard(tuple(protect)) if protect else None
    inputs = dict(example.inputs)
    for position, perturbation in enumerate(chain):
        if hasattr(perturbation, "perturb_example"):  # isinstance would cost more than the noise
            rng = stream(seed, perturbation.name, position, "", example.id)
            so_far = replace(example, inputs=inputs)
            inputs = dict(
                cast(WholePerturbation, perturbation).perturb_example(so_far, fields, rng)
            )
            continue
        for field in fields:
            rng = stream(seed, perturbation.name, position, field, example.id)
            text = inputs[field]
            if guard is None:
                inputs[field] = perturbation.perturb(text, rng)
            elif getattr(perturbation, "adds_only", False):
                inputs[field] = _beside(guard, perturbation, text, rng)
            else:
                inputs[field] = _around(guard, perturbation, text, rng)
    touched = [f for f, text in example.inputs.items() if f in fields or inputs[f] != text]
    shifted = Example(example.id, inputs, example.target, example.source_id, example.meta)
    return shifted, dose([(example.inputs[field], inputs[field]) for field in touched])


def _around(guard: re.Pattern[str], perturbation: Perturbation, text: str, rng: Random) -> str:
    """The text with the perturbation applied between protected spans, by one stream left to right."""
    pieces = []
    position = 0
    for match in guard.finditer(text):
        start, end = match.span()
        if start == end:
            continue
        pieces.append(perturbation.perturb(text[position:start], rng))
        pieces.append(text[start:end])
        position = end
    pieces.append(perturbation.perturb(text[position:], rng))
    return "".join(pieces)


def _beside(guard: re.Pattern[str], perturbation: Perturbation, text: str, rng: Random) -> str:
    """The whole text with something added. Spans that hold a sentence's end are hidden meanwhile, each behind one character.

    Added sentences stand where a sentence ends, and none ends within `St. Louis`.
    """
    split = [
        span for span in {m.group() for m in guard.finditer(text)} if SENTENCE_END.search(span)
    ]
    if not split:
        return perturbation.perturb(text, rng)
    used = set(text)
    free = (char for code in PRIVATE_USE if (char := chr(code)) not in used)
    stands_for = dict(zip(sorted(split), free, strict=False))
    hidden = guard.sub(lambda m: stands_for.get(m.group(), m.group()), text)
    shown = {ord(char): span for span, char in stands_for.items()}
    return perturbation.perturb(hidden, rng).translate(shown)


@lru_cache(maxsize=4096)
def _guard(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.IGNORECASE)


def literal(words: str) -> str:
    """A pattern for exactly these words, not inside longer ones."""
    escaped = re.escape(words)
    left = r"(?<!\w)" if words[:1].isalnum() else ""
    right = r"(?!\w)" if words[-1:].isalnum() else ""
    return f"{left}{escaped}{right}"


@lru_cache(maxsize=1)
def number_pattern() -> str:
    """Digits with their signs, separators and units, and numbers written as words."""
    words = "|".join(sorted(list_table("numbers"), key=lambda word: (-len(word), word)))
    # A comma or point counts only between digits: the full stop after "12" is no part of it.
    figure = r"[$€£]?\d+(?:[.,:/]\d+)*(?:\s?%|[a-z]{1,3}\b)?"
    return rf"{figure}|\b(?:{words})\b"


def protections(kind: TaskKind, example: Example) -> tuple[str, ...]:
    """Patterns of what decides this task's answer: numbers in math and in choices, gold answers in extractive QA."""
    if kind in (TaskKind.MATH, TaskKind.MULTIPLE_CHOICE):
        return (number_pattern(),)
    if kind is TaskKind.EXTRACTIVE_QA:
        answers = (example.target,) if isinstance(example.target, str) else example.target
        longest_first = sorted({a for a in answers if a.strip()}, key=lambda a: (-len(a), a))
        return tuple(literal(answer) for answer in longest_first[:LISTED_ANSWERS])
    return ()


def dose(pairs: Sequence[tuple[str, str]]) -> Dose:
    """How far the second texts are from the first, over all fields together."""
    distance = longest = words = 0
    changed = False
    for original, shifted in pairs:
        longest += max(len(original), len(shifted))
        if original != shifted:
            changed = True
            distance += edits(original, shifted)
            words += len(shifted.split()) - len(original.split())
    return Dose(
        edit_rate=distance / longest if longest else 0.0, words_added=words, changed=changed
    )


def edits(original: str, shifted: str) -> int:
    """Levenshtein distance; exact while both texts have at most 20,000 characters.

    The exact cost is quadratic (a 5 MB text would take an hour), so longer texts are cut where both
    agree, about every 10,000 characters, and the parts' distances added: never too small, and exact
    when the best alignment goes through the cuts.
    """
    total = left = right = 0
    stretch = len(shifted) / max(1, len(original))
    while max(len(original) - left, len(shifted) - right) > EXACT_CHARACTERS:
        cut = min(left + BLOCK_CHARACTERS, len(original))
        other = _same_place(original, cut, shifted, right + int((cut - left) * stretch))
        total += Levenshtein.distance(original[left:cut], shifted[right:other])
        if cut == left and other == right:
            break
        left, right = cut, other
    return total + int(Levenshtein.distance(original[left:], shifted[right:]))


def _same_place(original: str, cut: int, shifted: str, expected: int) -> int:
    """Where the cut of the original lies in the shifted text: at a snippet that both share, if any."""
    low = max(0, expected - WINDOW)
    for step in range(ANCHOR_TRIES):
        start = cut - ANCHOR * (step + 1)
        if start < 0:
            break
        snippet = original[start : start + ANCHOR]
        found = shifted.find(snippet, low, expected + WINDOW)
        if found >= 0 and shifted.find(snippet, found + 1, expected + WINDOW) < 0:
            return min(found + (cut - start), len(shifted))
    return min(expected, len(shifted))
