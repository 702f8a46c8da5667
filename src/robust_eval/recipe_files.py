"""Recipe files: where they lie, which there are, and what may be read of them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from robust_eval.errors import RecipeError, did_you_mean
from robust_eval.perturb import perturbations_folder

MAX_RECIPE_BYTES = 256 * 1024
MAX_INCLUDES = 16
MAX_DEPTH = 4


def recipe_names() -> tuple[str, ...]:
    """The recipes that a bare name finds, sorted."""
    return tuple(sorted(path.stem for path in perturbations_folder().glob("*.toml")))


def is_file(spec: str) -> bool:
    """Whether a name means a file: it contains a `/` or ends in `.toml`."""
    return "/" in spec or "\\" in spec or spec.endswith(".toml")


def load(path: Path) -> Mapping[str, Any]:
    """The recipe's tables. Raises RecipeError for a file that is too large or no TOML."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_RECIPE_BYTES + 1)
    except OSError as error:
        raise RecipeError(f"cannot read the recipe {path}: {error.strerror}") from error
    if len(content) > MAX_RECIPE_BYTES:
        raise RecipeError(f"the recipe {path.name} is over {MAX_RECIPE_BYTES // 1024} KiB")
    try:
        return tomllib.loads(content.decode("utf-8-sig").replace("\r\n", "\n"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise RecipeError(f"the recipe {path.name} is not TOML: {error}") from error


def included(listed: Any, path: Path, depth: int) -> Iterator[Path]:
    """The recipes that this one includes; none outside its own folder but the packaged ones."""
    if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
        raise RecipeError(f"{path.name}: include must be a list of recipe names")
    if len(listed) > MAX_INCLUDES:
        raise RecipeError(f"{path.name}: more than {MAX_INCLUDES} includes")
    if listed and depth >= MAX_DEPTH:
        raise RecipeError(f"{path.name}: recipes include each other more than {MAX_DEPTH} deep")
    folder = path.resolve().parent
    for name in listed:
        if "/" not in name and "\\" not in name and not name.endswith(".toml"):
            if name not in recipe_names():
                raise RecipeError(
                    f"{path.name}: unknown recipe {name!r}{did_you_mean(name, recipe_names())}"
                )
            yield perturbations_folder() / f"{name}.toml"
            continue
        # resolve() follows links, so that none leads out of the folder either.
        target = (folder / name).resolve()
        if not target.is_relative_to(folder):
            raise RecipeError(f"{path.name}: include {name!r} leaves the recipe's folder")
        if not target.is_file():
            raise RecipeError(f"{path.name}: no file {name!r} to include")
        yield target
