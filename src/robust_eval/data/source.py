"""What every kind of source gives: named rows, before any is understood."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

MAX_TEXT = 10_000_000  # characters in one text; a book has about half a million
MAX_LINE = 8 * MAX_TEXT  # characters in one line: a few texts, with JSON's \uXXXX escapes
MAX_FILE = 8 * 2**30  # characters in one file once decompressed: stops a gzip bomb
MAX_ROWS = 5_000_000  # examples held in memory at once; `robust-eval perturb` streams without it


class Row(NamedTuple):
    place: str  # where the user finds it: "line 7", "row 7"
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Source:
    """A place that rows are read from, and what it knows about itself."""

    name: str
    spec: str  # what errors call it
    revision: Callable[[], str]  # names the version: a hash, a commit, a package version
    rows: Callable[[], Iterator[Row]]
    label_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # column -> names
    columns: Mapping[str, str] = field(default_factory=dict)  # our field -> its column
    label_map: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    population: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """How the user wants files read: `--column`, `--label-map` and `--encoding`."""

    columns: Mapping[str, str] = field(default_factory=dict)
    label_map: Mapping[str, str] = field(default_factory=dict)
    encoding: str = "utf-8"
