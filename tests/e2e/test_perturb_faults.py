"""`perturb` cut off from outside: never a half-written file under the final name."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e

ROWS = 60_000  # seconds of work: far more than is done when the first bytes are on disk


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT])
def test_a_cut_run_leaves_the_old_file_and_the_same_command_works_again(
    tmp_path: Path, sent: signal.Signals, processes: int
) -> None:
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    row = json.dumps({"text": "The quiet harbour wakes slowly while gulls argue over bread."})
    source.write_text(f"{row}\n" * ROWS, "utf-8")
    target.write_text("old", "utf-8")
    command = [
        *(sys.executable, "-m", "robust_eval", "perturb", "in.jsonl", "out.jsonl", "--overwrite"),
        *("--shift", "keyboard-typos@3", "--processes", str(processes), "--quiet"),
    ]
    running = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    while running.poll() is None and not writing(tmp_path):
        pass
    running.send_signal(sent)
    _, said = running.communicate()
    assert running.returncode == (-signal.SIGKILL if sent is signal.SIGKILL else 130), said
    assert "Traceback" not in said
    assert target.read_text("utf-8") == "old"
    if sent is signal.SIGINT:
        assert {path.name for path in tmp_path.iterdir()} == {"in.jsonl", "out.jsonl"}
    source.write_text(f"{row}\n" * 3, "utf-8")
    subprocess.run(command, cwd=tmp_path, check=True)
    assert {path.name for path in tmp_path.iterdir()} == {"in.jsonl", "out.jsonl"}
    assert len(target.read_text("utf-8").splitlines()) == 3


def writing(folder: Path) -> bool:
    """Whether bytes of the new file are on disk already."""
    return any(
        path.stat().st_size > 0
        for path in folder.iterdir()
        if path.name not in ("in.jsonl", "out.jsonl")
    )
