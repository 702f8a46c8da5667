"""The run folder: run.json and two Parquet files hold a RunRecord; reports are rendered beside them."""

from __future__ import annotations

import dataclasses
import gc
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from robust_eval.data.fingerprint import fingerprint
from robust_eval.errors import DataError, OutputError
from robust_eval.files import atomic_write, explained, remove_partial, write_atomic
from robust_eval.records import SCHEMA_VERSION, RunRecord
from robust_eval.score import scaled_confidences
from robust_eval.store.reading import recorded
from robust_eval.store.writing import example_table, prediction_table, run_json

RUN, EXAMPLES, PREDICTIONS = "run.json", "examples.parquet", "predictions.parquet"
HTML, MARKDOWN, JUNIT, MODEL_INDEX = "report.html", "report.md", "junit.xml", "model-index.yml"
DIFF = "diff.html"
OURS = (RUN, EXAMPLES, PREDICTIONS, HTML, MARKDOWN, JUNIT, MODEL_INDEX, DIFF)
LARGEST_RUN_JSON = 256 * 1024**2  # bytes
# What may differ between two equal runs: times, machine, calls made; and how their files are packed.
HOST_KEYS = ("host", "digests")


@dataclass(frozen=True, slots=True)
class RunFolder:
    """A folder that a run may take; nothing in it changes before `begin`."""

    path: Path
    complete: bool  # a finished run of the same settings is there
    settings: Mapping[str, Any]
    overwrite: bool

    def begin(self) -> None:
        """Takes the folder: what is to be overwritten goes, and run.json says that a run was started."""
        if self.overwrite:
            for name in OURS:
                with explained(self.path / name):
                    (self.path / name).unlink(missing_ok=True)
        started = {
            "schema_version": SCHEMA_VERSION,
            "state": "started",
            "settings": dict(self.settings),
        }
        _write_json(self.path / RUN, started)


def open_run(path: Path, settings: Mapping[str, Any], *, overwrite: bool = False) -> RunFolder:
    """A folder ready for this run: new, or one of the same settings to resume or render again.

    Raises OutputError for a folder of other settings, of unknown files only, or not writable.
    Unknown files are never deleted; `overwrite` removes only files that this program wrote.
    """
    settings = json.loads(json.dumps(settings))
    if path.exists() and not path.is_dir():
        raise OutputError(f"{path} is a file, not a folder; choose another --out")
    with explained(path):
        path.mkdir(parents=True, exist_ok=True)
        names = {entry.name for entry in path.iterdir()}
    if overwrite:
        names -= set(OURS)
    complete = False
    if RUN in names:
        state = read_json(path / RUN)
        if state.get("settings") != settings:
            changed = _changed(state.get("settings"), settings)
            raise OutputError(
                f"{path} holds a run with other settings ({changed}); give --overwrite or another --out"
            )
        remove_partial(path)
        complete = state.get("state") == "complete"
    elif names & set(OURS):
        raise OutputError(
            f"{path} has report files but no {RUN}; give --overwrite or another --out"
        )
    return RunFolder(path, complete, settings, overwrite)


def save(path: Path, record: RunRecord) -> None:
    """Writes the record: examples and predictions first, run.json last, each whole or not at all."""
    import pyarrow.parquet as pq

    for name, table in (
        (EXAMPLES, example_table(record)),
        (PREDICTIONS, prediction_table(record)),
    ):
        with atomic_write(path / name) as file:
            pq.write_table(table, file, compression="zstd")
    _write_json(path / RUN, run_json(record) | {"digests": _digests(path, record)})


def _digests(path: Path, record: RunRecord) -> dict[str, dict[str, str]]:
    """Of both files as they lie there, and of every set's texts and targets, so that `verify` can name a changed one."""
    task, labels = record.dataset.task, record.dataset.labels
    return {
        "files": {
            name: sha256((path / name).read_bytes()).hexdigest() for name in (EXAMPLES, PREDICTIONS)
        },
        "sets": {s.key: fingerprint(task, labels, s.examples) for s in record.sets},
    }


def changed_since(path: Path, record: RunRecord) -> Iterator[tuple[str, str]] | None:
    """(place, what) for each file and set that is not as the run wrote it; None for runs that kept no digests."""
    kept = read_json(path / RUN).get("digests")
    if not isinstance(kept, dict):
        return None
    return _changes(kept, _digests(path, record))


def _changes(
    kept: Mapping[str, Any], found: Mapping[str, Mapping[str, str]]
) -> Iterator[tuple[str, str]]:
    for kind, named, what in (
        ("sets", "set {}", "its texts or targets are not those that the run wrote"),
        ("files", "{}", "it is not the file that the run wrote"),
    ):
        stored = kept.get(kind)
        for name, digest in found[kind].items():
            if not isinstance(stored, dict) or stored.get(name) != digest:
                yield named.format(name), what


def load(path: Path) -> RunRecord:
    """The record of a finished run. Raises DataError when the folder does not hold one."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    data = read_json(path / RUN)
    if data.get("state") != "complete":
        raise DataError(f"the run in {path} is not finished; give its command again to resume it")
    if data.get("schema_version") != SCHEMA_VERSION:
        raise DataError(
            f"{path / RUN} has schema version {str(data.get('schema_version'))[:20]}; "
            f"this version of robust-eval reads {SCHEMA_VERSION}"
        )
    for name in (EXAMPLES, PREDICTIONS):
        if not (path / name).is_file():
            raise DataError(f"{path} lacks {name}; give the run's command again with --overwrite")
    try:
        tables = pq.read_table(path / EXAMPLES), pq.read_table(path / PREDICTIONS)
        with _uncollected():
            record = recorded(data, *tables)
        return dataclasses.replace(record, scaled=scaled_confidences(record))
    except (pa.ArrowInvalid, KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path} is damaged: {str(error)[:200]}") from error


@contextmanager
def _uncollected() -> Iterator[None]:
    """Pauses the garbage collector: records hold no cycles, and walking over a million of them takes seconds."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def save_gate(path: Path, record: RunRecord) -> None:
    """Writes a finished run's gate result or human check beside its figures; examples and predictions stay."""
    kept = read_json(path / RUN).get("digests")  # as the run was saved, not as its files are now
    _write_json(path / RUN, run_json(record) | ({} if kept is None else {"digests": kept}))


def comparable(path: Path) -> dict[str, Any]:
    """Everything in a run folder that two equal runs share to the byte: all but times and host."""
    import pyarrow.parquet as pq

    data = {k: v for k, v in read_json(path / RUN).items() if k not in HOST_KEYS}
    for name in (EXAMPLES, PREDICTIONS):
        data[name] = pq.read_table(path / name).to_pylist()
    return data


def read_json(path: Path) -> dict[str, Any]:
    """An object from a JSON file of bounded size. Raises DataError, naming the file."""
    try:
        if path.stat().st_size > LARGEST_RUN_JSON:
            raise DataError(
                f"{path} is larger than {LARGEST_RUN_JSON >> 20} MiB; not a run of ours"
            )
        data = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise DataError(f"no {path.name} in {path.parent}; give the folder of a run") from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not valid JSON: {str(error)[:120]}") from error
    if not isinstance(data, dict):
        raise DataError(f"{path} does not hold a run")
    return data


def _changed(old: Any, new: Mapping[str, Any]) -> str:
    if not isinstance(old, dict):
        return "unreadable settings"
    names = [name for name in new if old.get(name) != new[name]]
    shown = [
        f"{name}: {str(old.get(name))[:40]} there, {str(new[name])[:40]} here" for name in names[:2]
    ]
    return "; ".join(shown) + (f"; {len(names) - 2} more" if len(names) > 2 else "")


def _write_json(path: Path, data: Mapping[str, Any]) -> None:
    text = json.dumps(data, ensure_ascii=False, indent=1, allow_nan=False)
    write_atomic(path, text.encode("utf-8", "backslashreplace") + b"\n")
