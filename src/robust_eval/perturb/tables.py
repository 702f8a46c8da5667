"""Lexical tables and recipes on disk: `perturbations/`, packaged copy first, checkout second."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from robust_eval.errors import InfrastructureError, RecipeError

PACKAGED = "_perturbations"
MAX_TABLE_BYTES = 4 * 2**20


@cache
def perturbations_folder() -> Path:
    """Where recipes and tables are: inside the wheel, or beside `src` in a checkout."""
    package = Path(__file__).resolve().parent.parent
    for folder in (package / PACKAGED, package.parent.parent / "perturbations"):
        if (folder / "tables").is_dir():
            return folder
    raise InfrastructureError(
        "the folder 'perturbations' is missing from this installation; install robust-eval again"
    )


@cache
def words_table(name: str) -> Mapping[str, tuple[str, ...]]:
    """A two-column table as word -> its replacements, in the file's order.

    Lines are `word TAB replacement, replacement, ...`; `#` starts a comment line.
    Raises RecipeError for a line that does not fit.
    """
    path = perturbations_folder() / "tables" / f"{name}.tsv"
    if path.stat().st_size > MAX_TABLE_BYTES:
        raise RecipeError(f"{path.name} is over {MAX_TABLE_BYTES:,} bytes")
    table: dict[str, tuple[str, ...]] = {}
    for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        word, tab, listed = line.partition("\t")
        options = tuple(option.strip() for option in listed.split(",") if option.strip())
        if not (tab and word and options):
            raise RecipeError(f"{path.name}, line {number}: not `word TAB replacement`: {line!r}")
        if word in table:
            raise RecipeError(f"{path.name}, line {number}: {word!r} is listed twice")
        if word in options:
            raise RecipeError(f"{path.name}, line {number}: {word!r} is its own replacement")
        table[word] = options
    return table


@cache
def list_table(name: str) -> tuple[str, ...]:
    """A one-column table, in the file's order; `#` starts a comment line."""
    path = perturbations_folder() / "tables" / f"{name}.txt"
    lines = path.read_text("utf-8").splitlines()
    return tuple(line.strip() for line in lines if line.strip() and not line.startswith("#"))
