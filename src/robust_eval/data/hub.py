"""Data sets of the Hub at a pinned commit, and folders saved by `datasets`. No code of theirs is run."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from robust_eval.data.source import Row, Source
from robust_eval.errors import DataError, InfrastructureError, did_you_mean

COMMIT = re.compile(r"[0-9a-f]{40}")
NAME = re.compile(r"[\w.-]+(?:/[\w.-]+)?")
TEST_SPLITS = ("test", "validation", "dev")  # in this order, when none is asked for


class HubSpec(NamedTuple):
    """`hub:ID[:CONFIG]@REV[#SPLIT]`, taken apart."""

    id: str
    config: str | None
    revision: str
    split: str | None


def parse_hub_spec(spec: str) -> HubSpec:
    """The parts of a Hub spec. Raises: DataError when the commit is missing, or can move."""
    body, _, split = spec.removeprefix("hub:").partition("#")
    name, _, revision = body.partition("@")
    hub_id, _, config = name.partition(":")
    if not NAME.fullmatch(hub_id) or ".." in hub_id:
        raise DataError(f"'{spec}' is not hub:ID[:CONFIG]@REV[#SPLIT], such as {_EXAMPLE}")
    where = f"its page lists them: {hub_id}, Files and versions, History"
    if not revision:
        raise DataError(
            f"'{spec}' is not pinned: add @ and the commit's 40 hex digits, such as {_EXAMPLE} ({where})"
        )
    if not COMMIT.fullmatch(revision):
        raise DataError(
            f"revision '{revision}' in '{spec}' can move; give the commit's 40 hex digits ({where})"
        )
    return HubSpec(hub_id, config or None, revision, split or None)


_EXAMPLE = "hub:stanfordnlp/sst2@8d51e7e4887a4caaa95b3fbebbf53c0490b58bbb#validation"


def hub_source(spec: str, *, split: str | None = None, name: str | None = None) -> Source:
    """A data set of the Hub. Raises: InfrastructureError when it cannot be reached."""
    parsed = parse_hub_spec(spec)
    split = one_split(spec, parsed.split, split)
    loaded = _fetch(parsed, split)
    rows, chosen = _choose_split(spec, loaded, split)
    default = parsed.id.rpartition("/")[2] + (f"-{parsed.config}" if parsed.config else "")
    return _table_source(
        rows,
        name=name or default,
        spec=f"{spec.partition('#')[0]}#{chosen}",
        revision=parsed.revision,
    )


def folder_source(path: Path, *, spec: str, split: str | None = None) -> Source:
    """A folder written by `save_to_disk` of the `datasets` library, as a source."""
    if not any((path / mark).is_file() for mark in ("dataset_info.json", "dataset_dict.json")):
        files = sorted(child.name for child in path.iterdir() if child.is_file())[:5]
        listed = f"; give one of its files: {', '.join(files)}" if files else ""
        raise DataError(f"'{path}' is a folder, but none that `datasets` saved{listed}")
    _require_own_files(path)
    from datasets import load_from_disk

    try:
        loaded = load_from_disk(str(path))
    except Exception as error:
        raise DataError(f"cannot read the data folder '{path}': {_first_line(error)}") from error
    rows, chosen = _choose_split(spec, loaded, split)
    fingerprint = str(getattr(rows, "_fingerprint", "")) or "unknown"
    label = f"{path}#{chosen}" if chosen else str(path)
    return _table_source(
        rows, name=path.resolve().name, spec=label, revision=f"datasets:{fingerprint}"
    )


def _require_own_files(path: Path) -> None:
    """Raises DataError when a saved folder names splits or files that do not lie in it."""
    for listing in (
        path / "dataset_dict.json",
        *path.glob("state.json"),
        *path.glob("*/state.json"),
    ):
        try:
            said = json.loads(listing.read_bytes()) if listing.is_file() else {}
        except ValueError:
            continue  # the library says what is wrong with it
        if not isinstance(said, dict):
            continue
        files = said.get("_data_files")
        named = [file.get("filename") for file in files or () if isinstance(file, dict)]
        for name in (*named, *(said.get("splits") or ())):
            if not isinstance(name, str) or Path(name).name != name or name == "..":
                raise DataError(f"{listing} names {str(name)[:100]!r}, which is not in its folder")


def one_split(spec: str, inside: str | None, asked: str | None) -> str | None:
    """The split that spec (`#SPLIT`) and option agree on."""
    if inside and asked and inside != asked:
        raise DataError(f"two splits for '{spec}': #{inside} and --split {asked}; give one")
    return inside or asked


def _fetch(parsed: HubSpec, split: str | None) -> Any:
    from datasets import load_dataset

    try:
        return load_dataset(parsed.id, name=parsed.config, revision=parsed.revision, split=split)
    except (ConnectionError, TimeoutError) as error:
        raise InfrastructureError(_unreachable(parsed, error)) from error
    except Exception as error:  # the library raises many kinds, of four other libraries
        # "Couldn't reach" and offline mode come as plain ConnectionError or OSError; a name that
        # does not exist, a wrong configuration and a data set that is code come as the rest.
        text = _first_line(error)
        if isinstance(error, OSError) and not isinstance(error, FileNotFoundError):
            raise InfrastructureError(_unreachable(parsed, error)) from error
        raise DataError(
            f"cannot load '{parsed.id}' at {parsed.revision[:12]}: {text}; check id, configuration"
            " (hub:ID:CONFIG@REV), split and commit, or give a local file"
        ) from error


def _unreachable(parsed: HubSpec, error: Exception) -> str:
    return (
        f"the Hub cannot be reached for '{parsed.id}' ({_first_line(error)}); connect, unset"
        " HF_HUB_OFFLINE, or give a local file instead"
    )


def _choose_split(spec: str, loaded: Any, split: str | None) -> tuple[Any, str]:
    if not isinstance(loaded, Mapping):
        found = str(getattr(loaded, "split", None) or "")
        return loaded, split or ("" if found == "None" else found)
    names = sorted(str(name) for name in loaded)
    if split is not None:
        if split not in loaded:
            raise DataError(f"'{spec}' has no split '{split}'{did_you_mean(split, names)}")
        return loaded[split], split
    if len(names) == 1:
        return loaded[names[0]], names[0]
    for name in TEST_SPLITS:
        if name in loaded:
            return loaded[name], name
    raise DataError(f"'{spec}' has the splits {', '.join(names)}; choose one with #SPLIT")


def _table_source(table: Any, *, name: str, spec: str, revision: str) -> Source:
    features = getattr(table, "features", None) or {}
    names = {
        str(column): tuple(feature.names)
        for column, feature in features.items()
        if type(feature).__name__ == "ClassLabel" and feature.names
    }

    def rows() -> Iterator[Row]:
        for number, values in enumerate(table, 1):
            yield Row(f"row {number}", values)

    return Source(name=name, spec=spec, revision=lambda: revision, rows=rows, label_names=names)


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
