"""`load`: the one grammar of data specs, and any source as a `Dataset`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from robust_eval.data import catalog, demo, hub
from robust_eval.data.examples import read_examples
from robust_eval.data.files import file_source
from robust_eval.data.fingerprint import fingerprint
from robust_eval.data.options import LETTERS
from robust_eval.data.source import Source
from robust_eval.errors import DataError, did_you_mean
from robust_eval.records import Dataset, TaskKind


def load(
    spec: str,
    *,
    task: TaskKind | str | None = None,
    columns: Mapping[str, str] | None = None,
    label_map: Mapping[str, str] | None = None,
    split: str | None = None,
    encoding: str = "utf-8",
) -> Dataset:
    """A data set from a file, a folder, the Hub, the demo data or the catalog.

    `columns` maps our fields to the source's columns, `label_map` its labels to names (the name `-` leaves the
    rows out). Examples are in the order of the source; what loading changed stands in `notes`.

    Raises: DataError, with place and remedy; InfrastructureError when the Hub cannot be reached.
    """
    source = open_source(spec, split=split, encoding=encoding)
    loaded = read_examples(source, task=task, columns=columns, label_map=label_map)
    labels = tuple(sorted({str(example.target) for example in loaded.examples}))
    if not loaded.task.has_labels:
        labels = ()
    elif loaded.task.kind is TaskKind.MULTIPLE_CHOICE:  # also letters that are never the answer
        labels = tuple(
            letter
            for letter in LETTERS
            if any(f"{letter}) " in example.inputs["options"] for example in loaded.examples)
        )
    elif len(labels) == 1:
        raise DataError(
            f"{source.spec}: every one of {len(loaded.examples):,} examples is labelled '{labels[0]}';"
            " at least two classes are needed"
        )
    return Dataset(
        name=source.name,
        task=loaded.task,
        labels=labels,
        examples=loaded.examples,
        revision=source.revision(),
        fingerprint=fingerprint(loaded.task, labels, loaded.examples),
        population=source.population,
        notes=loaded.notes,
    )


def open_source(spec: str, *, split: str | None = None, encoding: str = "utf-8") -> Source:
    """The source that a data spec names: `demo:NAME`, `hub:ID@REV`, a path, or a catalog name."""
    if spec.startswith("demo:"):
        _no_split(spec, split)
        return demo.demo_source(spec)
    if spec.startswith("hub:"):
        return hub.hub_source(spec, split=split)
    if "\0" in spec or not spec.strip():
        raise DataError(
            "the data spec is empty; give a file, demo:NAME, hub:ID@REV or a catalog name"
        )
    base, mark, inside = spec.rpartition("#")
    if _exists(spec) or not mark:
        base, inside = spec, ""
    path = Path(base)
    if _exists(base):
        if path.is_dir():
            return hub.folder_source(
                path, spec=spec, split=hub.one_split(spec, inside or None, split)
            )
        _no_split(spec, inside or split)
        return file_source(path, encoding=encoding)
    if base in catalog.DATA_SETS:
        known = catalog.DATA_SETS[base]
        wanted = hub.one_split(spec, inside or None, split) or known.test_split
        source = hub.hub_source(known.spec, split=wanted, name=known.name)
        return catalog.with_catalog(source, known)
    raise DataError(_nothing_there(base))


def _no_split(spec: str, split: str | None) -> None:
    if split:
        raise DataError(
            f"'{spec}' has no splits: leave '{split}' out, or give the file of that split"
        )


def _exists(spec: str) -> bool:
    try:
        return Path(spec).exists()
    except (OSError, ValueError):  # a name too long for the file system, or with a NUL
        return False


def _nothing_there(spec: str) -> str:
    path = Path(spec)
    looks_like_path = path.suffix or os.sep in spec or "/" in spec
    if looks_like_path:
        try:
            beside = [child.name for child in path.parent.iterdir()]
        except OSError:
            return f"no file '{spec}': its folder '{path.parent}' cannot be read"
        near = did_you_mean(path.name, beside)
        return f"no file '{spec}'{near if near.startswith('; did') else ''}"
    known = [*catalog.DATA_SETS, *(f"demo:{name}" for name in demo.SOURCES)]
    return f"no file and no known data set '{spec}'{did_you_mean(spec, known)}"
