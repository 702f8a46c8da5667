"""Whether a shifted example plausibly kept its label: cheap checks that flag suspects for a person to look at.

No check can prove that a label survived. These measure what usually goes with a lost one; the thresholds and how well they
separate edits that do change the label from our own perturbations are in docs/validity.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from robust_eval.models.embedding import SentenceEncoder
from robust_eval.perturb import dose, protections
from robust_eval.records import Example, Preservation, Progress, TaskKind, silent
from robust_eval.validity.words import WordChange, change, without_additions, words_of

CONTEXT: Final = 20  # words kept on each side of the part that differs
WHOLE: Final = 60  # texts of at most so many words are embedded whole
DIGITS: Final = 4


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From which value on an example is a suspect; `benchmarks/validity_auc.py` shows what they catch."""

    edit_rate: float = 0.50  # share of characters edited
    similarity: float = 0.30  # cosine below this
    content_change: float = 0.25  # share of content words that are others now
    readable: float = 0.40  # share of known words left, below this


THRESHOLDS: Final = Thresholds()


def preserved(
    kind: TaskKind,
    originals: Sequence[Example],
    shifted: Sequence[Example],
    known: frozenset[str],
    *,
    encoder: SentenceEncoder | None = None,
    thresholds: Thresholds = THRESHOLDS,
    progress: Progress = silent,
) -> tuple[Preservation, ...]:
    """One record an example, same order. `known` are the words that count as words, in lower case.

    Only fields that changed are looked at, and of these not the sentences that were added whole.
    """
    pairs = [_changed(a, b) for a, b in zip(originals, shifted, strict=True)]
    similarities: Sequence[float | None] = [None] * len(pairs)
    if encoder is not None:
        similarities = _similarities(pairs, encoder, progress)
    measured = [dose(list(zip(before, after, strict=True))) for before, after in pairs]
    return tuple(
        _record(
            [change(a, b, known) for a, b in zip(*pair, strict=True)],
            _readable(pair, known),
            _intact(kind, original, example),
            realised.edit_rate,
            similarity,
            thresholds,
        )
        for pair, original, example, realised, similarity in zip(
            pairs, originals, shifted, measured, similarities, strict=True
        )
    )


def _changed(original: Example, shifted: Example) -> tuple[list[str], list[str]]:
    fields = [f for f, text in original.inputs.items() if shifted.inputs[f] != text]
    return (
        [original.inputs[f] for f in fields],
        [without_additions(original.inputs[f], shifted.inputs[f]) for f in fields],
    )


def _record(
    changes: Sequence[WordChange],
    readable: float,
    intact: bool,
    edit_rate: float,
    similarity: float | None,
    limits: Thresholds,
) -> Preservation:
    content = max((c.share for c in changes), default=0.0)
    negation = any(c.negation for c in changes)
    ratios: Mapping[str, float] = {
        "heavily edited": edit_rate / limits.edit_rate,
        "little alike": 0.0 if similarity is None else (1 - similarity) / (1 - limits.similarity),
        "other words": content / limits.content_change,
        "negation changed": float(negation),
        "hardly readable": (1 - readable) / (1 - limits.readable),
        "protected span touched": float(not intact),
    }
    return Preservation(
        edit_rate=edit_rate,
        similarity=similarity,
        content_change=round(content, DIGITS),
        negation_changed=negation,
        intact=intact,
        readable=round(readable, DIGITS),
        suspicion=round(max(ratios.values()), DIGITS),
        reasons=tuple(reason for reason, ratio in ratios.items() if ratio >= 1),
    )


def _readable(pair: tuple[Sequence[str], Sequence[str]], known: frozenset[str]) -> float:
    """The share of known words after, over that before; 1 where nothing changed or nothing was known."""
    before, after = (_known_share(side, known) for side in pair)
    return min(1.0, after / before) if before else 1.0


def _known_share(texts: Sequence[str], known: frozenset[str]) -> float:
    words = [word for text in texts for word in words_of(text)]
    return sum(w in known or w[:1].isdigit() for w in words) / len(words) if words else 0.0


def _intact(kind: TaskKind, original: Example, shifted: Example) -> bool:
    """Whether what decides the answer (numbers in math, gold answers in QA) is still in its field."""
    patterns = [re.compile(p, re.IGNORECASE) for p in protections(kind, original)]
    return all(
        match.group() in shifted.inputs[name]
        for name, text in original.inputs.items()
        if shifted.inputs[name] != text
        for pattern in patterns
        for match in pattern.finditer(text)
    )


def _similarities(
    pairs: Sequence[tuple[Sequence[str], Sequence[str]]],
    encoder: SentenceEncoder,
    progress: Progress,
) -> list[float]:
    """The lowest cosine over an example's changed fields; 1 where none changed."""
    windows = [window(a, b) for before, after in pairs for a, b in zip(before, after, strict=True)]
    if not windows:
        return [1.0] * len(pairs)
    rows = encoder.embed([text for pair in windows for text in pair], progress)
    cosines = iter((rows[::2] * rows[1::2]).sum(axis=1).tolist())
    return [
        round(min((min(1.0, next(cosines)) for _ in before), default=1.0), DIGITS)
        for before, _ in pairs
    ]


def window(original: str, shifted: str) -> tuple[str, str]:
    """Both texts around what differs: the encoder reads 128 tokens, and an edit may lie behind them."""
    before, after = original.split(), shifted.split()
    if max(len(before), len(after)) <= WHOLE:
        return original, shifted
    shortest = min(len(before), len(after))
    head = 0
    while head < shortest and before[head] == after[head]:
        head += 1
    tail = 0
    while tail < shortest - head and before[-1 - tail] == after[-1 - tail]:
        tail += 1
    start, behind = max(0, head - CONTEXT), max(0, tail - CONTEXT)
    return (
        " ".join(before[start : len(before) - behind]),
        " ".join(after[start : len(after) - behind]),
    )
