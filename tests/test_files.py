"""Writes are whole or absent, and disk errors say what to do."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from robust_eval.errors import InfrastructureError, OutputError
from robust_eval.files import TEMPORARY, atomic_write, disk_error, remove_partial, write_atomic


def test_a_failed_write_leaves_the_old_file_and_no_partial_one(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_atomic(path, b"old")

    def interrupted() -> None:
        with atomic_write(path) as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_a_full_disk_is_an_infrastructure_error_that_keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.json"
    write_atomic(path, b"old")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(InfrastructureError, match="no space left"):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["run.json"]


def test_partial_files_of_a_killed_writer_are_removed_and_others_kept(tmp_path: Path) -> None:
    (tmp_path / f"{TEMPORARY}abc-run.json").write_text("half")
    (tmp_path / "mine.txt").write_text("kept")
    remove_partial(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, InfrastructureError),
        (errno.EDQUOT, InfrastructureError),
        (errno.EACCES, OutputError),
        (errno.EROFS, OutputError),
        (errno.ENOTDIR, OutputError),
        (errno.EIO, InfrastructureError),
    ],
)
def test_each_disk_error_has_its_exit_code(
    number: int, kind: type[Exception], tmp_path: Path
) -> None:
    assert type(disk_error(OSError(number, "x"), tmp_path / "out")) is kind
