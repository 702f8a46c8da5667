"""Files that are either whole or not there, and errors that say what to do about a disk."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from robust_eval.errors import InfrastructureError, OutputError

TEMPORARY = ".robust-eval-partial-"


@contextlib.contextmanager
def atomic_write(path: Path, mode: str = "wb") -> Iterator[IO[bytes]]:
    """A file that appears under its name only when the block ends well: temporary, fsync, rename.

    Raises OutputError where writing is not allowed, InfrastructureError when the disk is full.
    """
    partial = path.with_name(f"{TEMPORARY}{secrets.token_hex(6)}-{path.name}"[:200])
    try:
        with explained(path), partial.open(mode) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        with explained(path):
            partial.replace(path)
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def write_atomic(path: Path, content: bytes) -> None:
    """The whole content under this name, or the file that was there before."""
    with atomic_write(path) as file:
        file.write(content)


def remove_partial(folder: Path) -> None:
    """Removes what a killed writer left behind."""
    for leftover in folder.glob(f"{TEMPORARY}*"):
        with contextlib.suppress(OSError):
            leftover.unlink()


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """An OSError inside the block becomes one line with the remedy."""
    try:
        yield
    except OSError as error:
        raise disk_error(error, path) from error


def disk_error(error: OSError, path: Path) -> InfrastructureError | OutputError:
    """The error to raise for a failed read or write under this path."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return InfrastructureError(
            f"no space left to write {path}; free some and run the same command again, answers so far are kept"
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return OutputError(
            f"cannot write {path}: {os.strerror(error.errno)}; choose another place with --out"
        )
    if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.ENAMETOOLONG):
        return OutputError(
            f"cannot use {path} as output: {os.strerror(error.errno)}; choose another --out"
        )
    return InfrastructureError(f"cannot write {path}: {error.strerror or error}")
