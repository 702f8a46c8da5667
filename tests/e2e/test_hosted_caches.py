"""The cache under a hosted model, through the command line: shared, damaged, locked, on a full disk."""

from __future__ import annotations

import os
import resource
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hosted_runs import ASKED, Forks, arguments
from robust_eval import store
from servers import OpenAiServer, Request, Response

pytestmark = pytest.mark.e2e

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_two_runs_at_once_share_one_cache(
    server: OpenAiServer, reviews: Path, tmp_path: Path
) -> None:
    environment = os.environ | {"ROBUST_EVAL_CACHE": str(tmp_path / "cache")}
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "robust_eval", *arguments(server.address, name)],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in ("one", "two")
    ]
    said = [process.communicate(timeout=300)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    assert store.comparable(tmp_path / "one") == store.comparable(tmp_path / "two")
    assert not list((tmp_path / "cache").glob("*.corrupt-*"))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def overwrite(path: Path) -> None:
    """Rubbish over the pages in the middle, as a bad disk leaves it."""
    content = bytearray(path.read_bytes())
    content[4096:-4096] = b"\xa5" * (len(content) - 8192)
    path.write_bytes(content)


def replace_by_another(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE answers (key, answer)")


def replace_by_text(path: Path) -> None:
    path.write_text("no database at all\n" * 100)


def test_a_damaged_or_foreign_cache_is_set_aside_and_the_run_completes(
    server: OpenAiServer, forks: Forks, tmp_path: Path
) -> None:
    assert forks.run(arguments(server.address, "first")) == 0
    first = store.comparable(tmp_path / "first")
    del first["warnings"]
    (cache,) = (tmp_path / "cache").glob("predictions-*.sqlite3")
    for number, damage in enumerate((cut, overwrite, replace_by_another, replace_by_text), 1):
        for companion in (tmp_path / "cache").glob("predictions-*.sqlite3-*"):
            companion.unlink()
        damage(cache)
        damaged = cache.read_bytes()
        assert forks.run(arguments(server.address, damage.__name__)) == 0
        aside = cache.with_name(f"{cache.name}.corrupt-{number}")
        assert aside.read_bytes() == damaged, "what was set aside is kept as it was"
        again = store.comparable(tmp_path / damage.__name__)
        assert any("set aside" in line for line in again.pop("warnings"))
        assert again == first


def test_an_altered_answer_is_not_believed_but_asked_for_again(
    server: OpenAiServer, forks: Forks, tmp_path: Path
) -> None:
    assert forks.run(arguments(server.address, "first")) == 0
    (cache,) = (tmp_path / "cache").glob("predictions-*.sqlite3")
    with sqlite3.connect(cache) as held:
        held.execute(
            'UPDATE answers SET answer = replace(answer, \'"label":"\', \'"label":"not \')'
        )
    asked = sum(server.served.values())
    assert forks.run(arguments(server.address, "second")) == 0
    assert sum(server.served.values()) == asked + ASKED
    assert store.comparable(tmp_path / "first") == store.comparable(tmp_path / "second")


class Locking(OpenAiServer):
    """Holds the cache's lock, as another process would, from its first request to its third."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        self._holder: sqlite3.Connection | None = None
        self.waited = False

    async def answer(self, request: Request) -> Response:
        number = sum(self.served.values()) + 1
        if number == 1:
            (cache,) = self._folder.glob("predictions-*.sqlite3")
            self._holder = sqlite3.connect(cache, isolation_level=None)
            self._holder.execute("BEGIN IMMEDIATE")
        if number == 3:
            assert self._holder is not None
            (stored,) = self._holder.execute("SELECT count(*) FROM answers").fetchone()
            self.waited = stored == 0
            self._holder.execute("ROLLBACK")
            self._holder.close()
        return await super().answer(request)


def test_a_locked_cache_is_waited_for_and_no_answer_is_lost(forks: Forks, tmp_path: Path) -> None:
    with Locking(tmp_path / "cache") as server:
        assert forks.run(arguments(server.address, "run")) == 0
        assert server.waited
        assert forks.run(arguments(server.address, "again")) == 0
        assert sum(server.served.values()) == ASKED
    assert not list((tmp_path / "cache").glob("*.corrupt-*"))
    assert store.comparable(tmp_path / "run") == store.comparable(tmp_path / "again")


def test_a_full_disk_ends_with_exit_code_4_and_what_was_stored_is_not_asked_again(
    server: OpenAiServer, robust_eval: Run, reviews: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "robust_eval", *arguments(server.address, "run")]
    full = subprocess.run(
        command,
        cwd=tmp_path,
        env=os.environ | {"ROBUST_EVAL_CACHE": str(tmp_path / "cache")},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, 65_536)),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert full.returncode == 4, full.stderr
    assert "no space left, or a disk fault, at the cache" in full.stderr
    assert "Traceback" not in full.stderr
    asked = sum(server.served.values())
    assert asked < ASKED
    assert robust_eval(*arguments(server.address, "run")).returncode == 0
    assert sum(server.served.values()) < asked + ASKED


def test_a_disk_that_fills_up_under_the_reports_loses_no_answer_and_the_command_resumes(
    server: OpenAiServer, robust_eval: Run, reviews: Path, tmp_path: Path
) -> None:
    assert robust_eval(*arguments(server.address, "warm")).returncode == 0
    asked = sum(server.served.values())
    full = subprocess.run(
        [sys.executable, "-m", "robust_eval", *arguments(server.address, "run")],
        cwd=tmp_path,
        env=os.environ | {"ROBUST_EVAL_CACHE": str(tmp_path / "cache")},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, 4_096)),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert full.returncode == 4, full.stderr
    assert "resume with: robust-eval" in full.stderr
    assert "Traceback" not in full.stderr
    assert robust_eval(*arguments(server.address, "run")).returncode == 0
    assert sum(server.served.values()) == asked
    assert store.comparable(tmp_path / "run") == store.comparable(tmp_path / "warm")
    assert not list((tmp_path / "run").glob(".robust-eval-partial-*"))
