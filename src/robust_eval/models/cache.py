"""Answers on disk: every prediction is kept the moment its batch is answered.

SQLite in WAL mode, JSON values, one transaction a batch. What is read back is checked as if a
stranger had written it; a damaged or foreign file is set aside, never trusted and never deleted.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self, TypeVar

from robust_eval.errors import InfrastructureError
from robust_eval.models.answers import MAX_ANSWER, Key, decode, encode
from robust_eval.records import Prediction, Status

FILE = (
    "predictions-v1.sqlite3"  # the name carries the schema version, so versions live side by side
)
APPLICATION_ID = 0x52454331  # "REC1" in the file's header: ours, not some other program's
BUSY_SECONDS = 30.0  # how long another process may hold the lock
_READ_BATCH = 500  # keys in one query; SQLite takes at least 999 parameters

T = TypeVar("T")
log = logging.getLogger("robust_eval")


def cache_folder(given: str | os.PathLike[str] | None = None) -> Path:
    """Where predictions and checkpoints live: given, `$ROBUST_EVAL_CACHE`, or the platform's place."""
    if given:
        return Path(given).expanduser()
    if named := os.environ.get("ROBUST_EVAL_CACHE"):
        return Path(named).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("robust-eval", appauthor=False))


class PredictionCache:
    """Answers by key. `stored` counts what this object has written, `notes` says what it set aside.

    Safe to share between processes: the first answer written under a key stays.
    """

    def __init__(self, path: Path, busy_seconds: float = BUSY_SECONDS) -> None:
        self.path = path
        self.stored = 0
        self.notes: list[str] = []
        self._busy = busy_seconds
        self._session: dict[Key, str] = {}  # answers that may not outlive this object
        self._connection = self._opened()

    @classmethod
    def open(cls, folder: Path, *, busy_seconds: float = BUSY_SECONDS) -> PredictionCache:
        """The cache in this folder, made when it is not there yet.

        Raises InfrastructureError when the folder cannot be written or the file stays locked.
        """
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise InfrastructureError(
                f"cannot make the cache folder {folder}: {os.strerror(error.errno or 0)}; "
                "name another with --cache-dir or ROBUST_EVAL_CACHE"
            ) from error
        return cls(folder / FILE, busy_seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connection; answers stay."""
        self._connection.close()
        self._session.clear()

    def lookup(
        self, keys: Iterable[Key], labels: Sequence[str] | None = None
    ) -> dict[Key, Prediction]:
        """The sound answers under these keys, with an empty example id; the rest is missing."""
        wanted = list(dict.fromkeys(keys))
        rows = self._guarded(lambda: self._read(wanted), lost=dict[Key, str]())
        rows.update({key: self._session[key] for key in wanted if key in self._session})
        found = {key: decode(value, labels) for key, value in rows.items()}
        return {key: prediction for key, prediction in found.items() if prediction is not None}

    def store(
        self,
        answers: Mapping[Key, Prediction],
        *,
        lasting: bool = True,
        labels: Sequence[str] | None = None,
    ) -> None:
        """Keeps these answers, all or none; failed ones are never kept.

        A sound answer that is already there stays; an unsound one is replaced. `lasting` False
        keeps them for this object's life only.
        """
        rows = {
            key: encode(answer)
            for key, answer in answers.items()
            if answer.status is not Status.FAILED
        }
        rows = {key: value for key, value in rows.items() if len(value) <= MAX_ANSWER}
        if not lasting:
            self._session.update({k: v for k, v in rows.items() if k not in self._session})
            self.stored += len(rows)
            return
        kept = self._guarded(lambda: self._write(rows, labels), lost=None)
        if kept is None:  # set aside just now: the answers go to the fresh file
            kept = self._guarded(lambda: self._write(rows, labels), lost=0)
        self.stored += kept or 0

    # --- SQLite ----------------------------------------------------------------------------------

    def _read(self, keys: Sequence[Key]) -> dict[Key, str]:
        rows: dict[Key, str] = {}
        for start in range(0, len(keys), _READ_BATCH):
            part = keys[start : start + _READ_BATCH]
            marks = ",".join("?" * len(part))
            query = (
                f"SELECT key, answer FROM answers WHERE key IN ({marks}) "  # noqa: S608 - marks only
                f"AND length(answer) <= {MAX_ANSWER}"
            )
            rows.update(self._connection.execute(query, part).fetchall())
        return rows

    def _write(self, rows: Mapping[Key, str], labels: Sequence[str] | None) -> int:
        with self._transaction():
            held = self._read(list(rows))
            new = [(k, v) for k, v in rows.items() if decode(held.get(k), labels) is None]
            self._connection.executemany("INSERT OR REPLACE INTO answers VALUES (?, ?)", new)
        return len(new)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            # A full disk may have ended the transaction already; then there is nothing to roll back.
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            raise

    def _guarded(self, work: Callable[[], T], lost: T) -> T:
        """What `work` gives; `lost` after a damaged file had to be set aside meanwhile."""
        try:
            return work()
        except sqlite3.Error as error:
            if not _damaged(error):
                raise self._unusable(error) from error
            self._connection.close()
            self._set_aside(str(error))
            self._connection = self._opened()
            return lost

    def _opened(self) -> sqlite3.Connection:
        for _ in range(3):  # another process may set the same file aside at the same moment
            connection: sqlite3.Connection | None = None
            try:
                # Made by us first, so that it is private from its first byte.
                os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
                self._identity = _identity(self.path)
                connection = sqlite3.connect(self.path, timeout=self._busy, isolation_level=None)
                self._prepare(connection)
                with suppress(OSError):
                    os.chmod(self.path, 0o600)
                return connection
            except OSError as error:
                raise InfrastructureError(
                    f"cannot open the cache {self.path}: {os.strerror(error.errno or 0)}; "
                    "name another folder with --cache-dir or ROBUST_EVAL_CACHE"
                ) from error
            except sqlite3.Error as error:
                if connection is not None:
                    connection.close()
                if not _damaged(error):
                    raise self._unusable(error) from error
                self._set_aside(str(error))
        raise InfrastructureError(
            f"the cache {self.path} is damaged again and again; remove it, or name another folder "
            "with --cache-dir or ROBUST_EVAL_CACHE"
        )

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA trusted_schema=OFF")
        connection.execute("PRAGMA cell_size_check=ON")
        tables = connection.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
        ours = connection.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
        if tables and not (ours and [tuple(row) for row in tables] == [_TABLE]):
            raise _Foreign("it is another program's database, or of another layout")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")  # with WAL: safe against kill -9
        if not tables:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(_TABLE[2].replace("TABLE ", "TABLE IF NOT EXISTS ", 1))
            connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
            connection.execute("COMMIT")

    def _set_aside(self, reason: str) -> None:
        if _identity(self.path) != self._identity:
            return  # another process has done it: what lies there now is fresh
        number = 1
        while (aside := self.path.with_name(f"{self.path.name}.corrupt-{number}")).exists():
            number += 1
        with suppress(FileNotFoundError):
            self.path.rename(aside)
        for suffix in ("-wal", "-shm"):
            with suppress(FileNotFoundError):
                self.path.with_name(self.path.name + suffix).rename(
                    aside.with_name(aside.name + suffix)
                )
        note = f"the cache {self.path} is unusable ({reason}); set aside as {aside.name}"
        self.notes.append(note)
        log.warning(note)

    def _unusable(self, error: sqlite3.Error) -> InfrastructureError:
        kept = f"{self.stored:,} answers of this run are kept"
        code = _primary(error)
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return InfrastructureError(
                f"the cache {self.path} stayed locked by another process for {self._busy:g} s; "
                f"{kept}: run the same command again when the other run has ended"
            )
        if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
            return InfrastructureError(
                f"no space left, or a disk fault, at the cache {self.path} ({error}); {kept}: "
                "free some space and run the same command again"
            )
        return InfrastructureError(
            f"cannot use the cache {self.path} ({error}); {kept}: name another folder with "
            "--cache-dir or ROBUST_EVAL_CACHE"
        )


class _Foreign(sqlite3.DatabaseError):
    """A sound database that is not ours."""


_TABLE = (
    "table",
    "answers",
    "CREATE TABLE answers (key BLOB PRIMARY KEY, answer TEXT NOT NULL) WITHOUT ROWID",
)


def _primary(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF  # the low byte, without the extended part


def _damaged(error: sqlite3.Error) -> bool:
    return isinstance(error, _Foreign) or _primary(error) in (
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
    )


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
