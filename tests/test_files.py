"""Writes are whole or absent, and disk errors say what to do."""

from __future__ import annotations

import errno
import os
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


def test_the_next_write_of_a_name_removes_what_its_killed_writer_left(tmp_path: Path) -> None:
    left = tmp_path / f"{TEMPORARY}0123456789ab-out.jsonl"
    other = tmp_path / f"{TEMPORARY}0123456789ab-b-out.jsonl"
    for path in (left, other):
        path.write_text("half")
    write_atomic(tmp_path / "out.jsonl", b"new")
    assert {p.name for p in tmp_path.iterdir()} == {"out.jsonl", other.name}


@pytest.mark.parametrize("name", ["out.jsonl", "n" * 240])
def test_what_is_being_written_is_no_leftover(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with atomic_write(path) as first:
        first.write(b"first")
        write_atomic(path, b"second")
        remove_partial(tmp_path)
        assert path.read_bytes() == b"second"
    assert path.read_bytes() == b"first"
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_a_leftover_that_is_no_plain_file_neither_hangs_nor_leads_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("kept")
    (tmp_path / f"{TEMPORARY}0123456789ab-link").symlink_to(tmp_path / "mine.txt")
    os.mkfifo(tmp_path / f"{TEMPORARY}0123456789ab-fifo")
    (tmp_path / f"{TEMPORARY}0123456789ab-folder").mkdir()
    remove_partial(tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "kept"


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
