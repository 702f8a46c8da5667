"""Runs of the command line against a hosted model, in forks of one process: a kill costs no new start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

ASKED = 180  # 60 clean examples and two shifted sets
AT_ONCE = 8


def arguments(address: str, out: str, *more: str) -> list[str]:
    return [
        "--model", "openai:grader", "--base-url", address, "--baseline", "scripted:constant",
        "--dataset", "reviews.csv", "--shift", "smoke", "--limit", "60", "--out", out,
        "--retry-wait", "0.01", "--concurrency", str(AT_ONCE), *more,
    ]  # fmt: skip


# Imports once, then runs each command in a fork.
FORKS = textwrap.dedent(
    """
    import json, os, sys
    import robust_eval.cli.evaluate, robust_eval.run
    from robust_eval.cli.entry import run_command
    for line in sys.stdin:
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            os.dup2(os.open(os.devnull, os.O_RDWR), 0)
            os.dup2(os.open("child.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND), 1)
            os.dup2(1, 2)
            code = run_command(json.loads(line))
            sys.stderr.flush()
            os._exit(code)
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
    """
)


class Forks:
    """Commands in forks of one process, which `server` may strike."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", FORKS],
            cwd=folder,
            env=os.environ | {"ROBUST_EVAL_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, command: list[str], started: Callable[[int], None] = lambda pid: None) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        started(int(self._process.stdout.readline()))
        return int(self._process.stdout.readline())

    def close(self) -> None:
        self._process.communicate(timeout=60)
