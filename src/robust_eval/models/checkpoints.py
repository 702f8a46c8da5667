"""Checkpoints by content hash: whole or not there, checked when read, set aside when damaged."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from robust_eval.errors import InfrastructureError, ModelError
from robust_eval.models.weights import read_json, sha256

FOLDER = "checkpoints"
RECORD = "training.json"
WEIGHTS = "model.safetensors"
PARTIAL = ".partial-"
log = logging.getLogger("robust_eval")


def folder_of(cache_dir: Path, key: str) -> Path:
    """Where the checkpoint of this content hash lies, or would."""
    return cache_dir / FOLDER / key


def unfinished(folder: Path) -> Path:
    """Where a training of this checkpoint keeps its place while it runs."""
    return folder.with_name(f"{folder.name}.unfinished")


def read_result(folder: Path) -> dict[str, Any] | None:
    """The training's result as the record keeps it; None when there is no checkpoint yet."""
    try:
        result = read_json(folder / RECORD).get("result")
    except ModelError:
        return None
    return result if isinstance(result, dict) else None


def sound(folder: Path) -> bool:
    """Whether the weights are there and are those that training wrote."""
    try:
        expected = read_json(folder / RECORD).get("weights_sha256")
        return isinstance(expected, str) and sha256(folder / WEIGHTS) == expected
    except (ModelError, OSError):
        return False


def ensure(folder: Path, make: Callable[[Path], Mapping[str, Any]]) -> Path:
    """The folder with a sound checkpoint, made by `make(partial folder) -> result` when needed.

    `make` writes the weights and the tokenizer and gives the training's result. The folder appears
    under its name only when whole. Two processes may train at once: the first to finish stays.
    """
    if folder.exists():
        if sound(folder):
            return folder
        _set_aside(folder)
    partial = folder.with_name(f"{PARTIAL}{os.getpid()}-{secrets.token_hex(4)}")
    try:
        partial.mkdir(mode=0o700, parents=True)
        _remove_abandoned(folder.parent)
        result = make(partial)
        record = {"schema": 1, "weights_sha256": sha256(partial / WEIGHTS), "result": dict(result)}
        (partial / RECORD).write_text(json.dumps(record, indent=2, sort_keys=True), "utf-8")
        for file in partial.iterdir():
            _flush(file)
        _publish(partial, folder)
    except OSError as error:
        raise InfrastructureError(
            f"cannot write the checkpoint {folder}: {error.strerror or error}; free some space or "
            "name another folder with --cache-dir, and run the same command again"
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder


def _publish(partial: Path, folder: Path) -> None:
    try:
        partial.rename(folder)
    except OSError:
        # A folder that is not empty cannot be replaced: another process was faster.
        if not sound(folder):
            raise


def _flush(file: Path) -> None:
    if file.is_file():
        with file.open("rb") as handle:
            os.fsync(handle.fileno())


def _set_aside(folder: Path) -> None:
    number = 1
    while (aside := folder.with_name(f"{folder.name}.corrupt-{number}")).exists():
        number += 1
    with contextlib.suppress(FileNotFoundError):
        folder.rename(aside)
        log.warning("the checkpoint %s is damaged; set aside as %s", folder, aside.name)


def _remove_abandoned(parent: Path) -> None:
    """Removes what trainings left behind whose process is gone."""
    for leftover in parent.glob(f"{PARTIAL}*"):
        pid = leftover.name.removeprefix(PARTIAL).partition("-")[0]
        if pid.isdigit() and not _alive(int(pid)):
            shutil.rmtree(leftover, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
