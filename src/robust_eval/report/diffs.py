"""What a shift did to a text, as segments: by word first, by character inside words that changed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Literal

from robust_eval.report.text import char_name, code_point, is_shown

Kind = Literal["same", "removed", "added", "elided"]

WINDOW = (
    1_600  # characters of each text that are compared and shown, from just before the first edit
)
LEAD = 160  # unchanged characters kept before the first edit, when the text is longer than WINDOW
BLOCK = 240  # longest stretch, in characters, that is compared character by character
ELIDE = 360  # an unchanged stretch longer than this is cut in its middle
KEEP = 120  # characters kept at each end of a cut stretch
WORDS = re.compile(r"\S+\s*|\s+")  # white space goes with the word before it: fewer, rarer tokens


@dataclass(frozen=True, slots=True)
class Piece:
    """Text to show. A `mark` stands for a character that cannot be shown; `note` says which."""

    text: str
    mark: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class Segment:
    kind: Kind
    pieces: tuple[Piece, ...] = field(default=())
    note: str = ""  # code points of an edit that looks like what it replaced


def diff(clean: str, shifted: str) -> tuple[Segment, ...]:
    """Segments that show the shifted text with what was removed and what was added.

    Without elided stretches, "same" and "removed" spell the clean text, "same" and "added" the shifted one.
    """
    clean, shifted, before, after = _window(clean, shifted)
    edits = _merge(_edits(clean, shifted))
    segments: list[Segment] = []
    if before:
        segments.append(_elided(before))
    for kind, text in edits:
        if kind == "same" and len(text) > ELIDE:
            head, tail = _word_end(text[:KEEP]), _word_start(text[-KEEP:])
            segments += [
                Segment("same", pieces(head)),
                _elided(len(text) - len(head) - len(tail)),
                Segment("same", pieces(tail)),
            ]
        else:
            edited = kind != "same"
            segments.append(
                Segment(kind, pieces(text, edited=edited), _code_points(text) if edited else "")
            )
    if after:
        segments.append(_elided(after))
    return tuple(segments)


def plain(text: str) -> tuple[Segment, ...]:
    """A text by itself, cut to the same length as a compared one."""
    shown = Segment("same", pieces(text[:WINDOW]))
    return (shown, _elided(len(text) - WINDOW)) if len(text) > WINDOW else (shown,)


def pieces(text: str, *, edited: bool = False) -> tuple[Piece, ...]:
    """The text with hidden characters as marks; in an edit, odd spaces and line breaks too."""
    found: list[Piece] = []
    run: list[str] = []
    blank = edited and not text.strip()
    for at, char in enumerate(text):
        mark = _mark(text, at, edited=edited, blank=blank)
        if mark is None:
            run.append(char)
            continue
        if run:
            found.append(Piece("".join(run)))
            run = []
        found.append(mark)
    if run:
        found.append(Piece("".join(run)))
    return tuple(found)


def _mark(text: str, at: int, *, edited: bool, blank: bool) -> Piece | None:
    char = text[at]
    if not is_shown(text, at):
        return Piece(code_point(char), mark=True, note=char_name(char))
    if edited and char == "\n":
        return Piece("↵\n", mark=True, note="line break")
    if edited and char == "\t":
        return Piece("⇥", mark=True, note="tab")
    if blank and char == " ":
        return Piece("␣", mark=True, note="space")
    if edited and char.isspace() and char != " ":
        return Piece(code_point(char), mark=True, note=char_name(char))
    return None


def _window(clean: str, shifted: str) -> tuple[str, str, int, int]:
    """Both texts cut to what is shown, and how many shifted characters lie before and after it."""
    if max(len(clean), len(shifted)) <= WINDOW:
        return clean, shifted, 0, 0
    same = _shared(clean, shifted)
    start = max(0, same - LEAD)
    if same == len(clean) == len(shifted):
        start = 0
    end = start + WINDOW
    return clean[start:end], shifted[start:end], start, max(0, len(shifted) - end)


def _shared(a: Sequence[str], b: Sequence[str]) -> int:
    """How many characters, or words, two sequences share at their start."""
    return next(
        (i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b))
    )


def _edits(clean: str, shifted: str) -> Iterable[tuple[Kind, str]]:
    a, b = WORDS.findall(clean), WORDS.findall(shifted)
    # Shared ends first: where words repeat, the longest match alone would align them askew.
    head = _shared(a, b)
    tail = _shared(a[head:][::-1], b[head:][::-1])
    yield "same", "".join(a[:head])
    x, y = a[head : len(a) - tail], b[head : len(b) - tail]
    for op, i, j, k, m in SequenceMatcher(None, x, y, autojunk=False).get_opcodes():
        before, after = "".join(x[i:j]), "".join(y[k:m])
        if op == "equal":
            yield "same", before
        elif op == "replace" and j - i == m - k:
            for one, other in zip(x[i:j], y[k:m], strict=True):
                yield from _within(one, other)
        else:
            yield from _within(before, after)
    yield "same", "".join(a[len(a) - tail :])


def _within(before: str, after: str) -> Iterable[tuple[Kind, str]]:
    """A changed stretch by character, when that reads better than the whole of it replaced."""
    head = _shared(before, after)
    tail = _shared(before[head:][::-1], after[head:][::-1])
    x, y = before[head : len(before) - tail], after[head : len(after) - tail]
    yield "same", before[:head]
    matcher = SequenceMatcher(None, x, y, autojunk=False)
    if x and y and len(x) + len(y) <= 2 * BLOCK and matcher.ratio() >= 0.5:
        for op, i, j, k, m in matcher.get_opcodes():
            if op == "equal":
                yield "same", x[i:j]
            else:
                yield "removed", x[i:j]
                yield "added", y[k:m]
    else:
        yield "removed", x
        yield "added", y
    yield "same", before[len(before) - tail :]


def _merge(edits: Iterable[tuple[Kind, str]]) -> list[tuple[Kind, str]]:
    """Neighbours of one kind joined; between two unchanged stretches, all removed before all added."""
    merged: list[tuple[Kind, str]] = []
    removed, added = "", ""
    for kind, text in edits:
        if kind == "removed":
            removed += text
        elif kind == "added":
            added += text
        elif text:
            merged += _pending(removed, added)
            removed, added = "", ""
            if merged and merged[-1][0] == "same":
                merged[-1] = ("same", merged[-1][1] + text)
            else:
                merged.append(("same", text))
    return merged + _pending(removed, added)


def _pending(removed: str, added: str) -> list[tuple[Kind, str]]:
    found: list[tuple[Kind, str]] = []
    if removed:
        found.append(("removed", removed))
    if added:
        found.append(("added", added))
    return found


def _code_points(text: str) -> str:
    """The names of an edit's characters beyond ASCII: a homoglyph looks like what it replaced."""
    odd: Sequence[str] = [c for c in dict.fromkeys(text) if not c.isascii()]
    return ", ".join(char_name(c) for c in odd[:6]) + (", …" if len(odd) > 6 else "")


def _elided(length: int) -> Segment:
    return Segment("elided", (Piece(f"… {length:,} characters unchanged or not shown …"),))


def _word_end(text: str) -> str:
    cut = text.rfind(" ")
    return text[: cut + 1] if cut > 0 else text


def _word_start(text: str) -> str:
    cut = text.find(" ")
    return text[cut:] if cut >= 0 else text
