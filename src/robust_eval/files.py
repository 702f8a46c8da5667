"""Files that are either whole or not there, and errors that say what to do about a disk."""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

from robust_eval.errors import InfrastructureError, OutputError

# Without advisory locks, leftovers of killed writers stay.
fcntl: Any = importlib.import_module("fcntl") if os.name == "posix" else None

TEMPORARY = ".robust-eval-partial-"
TOKEN_BYTES = 6
MAX_NAME = 200


@contextlib.contextmanager
def atomic_write(path: Path, mode: str = "wb") -> Iterator[IO[bytes]]:
    """A file that appears under its name only when the block ends well: temporary, fsync, rename.

    What killed writers of the same name left behind is removed first.
    Raises OutputError where writing is not allowed, InfrastructureError when the disk is full.
    """
    with explained(path):
        remove_partial(path.parent, path.name)
        partial, file = _begun(path, mode)
    try:
        with explained(path), file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            if fcntl is not None:
                partial.replace(path)  # while the lock holds: nobody may take it for a leftover
        if fcntl is None:
            with explained(path):
                partial.replace(path)
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def _begun(path: Path, mode: str) -> tuple[Path, IO[bytes]]:
    """A new temporary file beside the path, locked for as long as it is open."""
    while True:
        token = secrets.token_hex(TOKEN_BYTES)
        partial = path.with_name(f"{TEMPORARY}{token}-{path.name}"[:MAX_NAME])
        file = cast(IO[bytes], partial.open(mode))
        if _locked(file) and partial.exists():
            return partial, file
        file.close()  # another process, cleaning up, saw it before it was locked


def _locked(file: IO[bytes]) -> bool:
    """Whether this process holds the file now. The system lets go when a process ends, however it ends."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # a file system without locks, where nobody can clean up either
    return True


def write_atomic(path: Path, content: bytes) -> None:
    """The whole content under this name, or the file that was there before."""
    with atomic_write(path) as file:
        file.write(content)


def remove_partial(folder: Path, name: str = "") -> None:
    """Removes what killed writers left behind, of this name or of any; what a live process is writing stays.

    Nothing can be told apart where files cannot be locked: there, all stays.
    """
    start = len(TEMPORARY) + 2 * TOKEN_BYTES
    wanted = f"-{name}"[: MAX_NAME - start]
    try:
        found = [entry for entry in os.scandir(folder) if entry.name.startswith(TEMPORARY)]
    except OSError:
        return  # a folder that is not there has no leftovers; the writer says what is wrong
    for entry in found:
        if fcntl is not None and (not name or entry.name[start:] == wanted):
            with contextlib.suppress(OSError):
                _remove_unlocked(entry.path)


def _remove_unlocked(path: str) -> None:
    """Raises OSError where another process holds the file, or where it is no plain file to open."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(path)
    finally:
        os.close(descriptor)


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
