"""Texts that an embedded encoder read when it was made: kept as hashes, so that a test on them can be told."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from robust_eval.data.duplicates import normalised
from robust_eval.rng import hexdigest

FILE: Final = "read_texts.txt"


def mark(text: str) -> str:
    """16 hex digits of the text, its case, punctuation and white space aside."""
    return hexdigest("read before", normalised(text), size=8)


def write_marks(folder: Path, texts: Iterable[str]) -> None:
    """One mark a line, sorted: the file says which texts, and not in which order."""
    (folder / FILE).write_text("".join(f"{m}\n" for m in sorted(set(map(mark, texts)))), "ascii")


def read_marks(folder: Path) -> frozenset[str]:
    """The marks in a folder; none where nothing was written down."""
    file = folder / FILE
    return frozenset(file.read_text("ascii").split()) if file.is_file() else frozenset()
