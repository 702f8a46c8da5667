"""Small files and data sets made on the spot."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from robust_eval.data import fingerprint
from robust_eval.records import TASKS, Dataset, Example, TaskKind

WriteJson = Callable[..., str]
MakeDataset = Callable[..., Dataset]


@pytest.fixture
def write_json(tmp_path: Path) -> WriteJson:
    def write(rows: Sequence[Any], name: str = "reviews.jsonl") -> str:
        path = tmp_path / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return str(path)

    return write


@pytest.fixture(scope="session")
def make_dataset() -> MakeDataset:
    """A classification set from (text, label) or (text, label, source_id) rows, ids by position."""

    def make(rows: Sequence[tuple[str, ...]], name: str = "toy", prefix: str = "r") -> Dataset:
        examples = tuple(
            Example(
                f"{prefix}{i}", {"text": row[0]}, row[1], row[2] if len(row) > 2 else f"{prefix}{i}"
            )
            for i, row in enumerate(rows)
        )
        task = TASKS[TaskKind.CLASSIFICATION]
        labels = tuple(sorted({row[1] for row in rows}))
        return Dataset(name, task, labels, examples, "test", fingerprint(task, labels, examples))

    return make


@pytest.fixture
def run_python() -> Callable[[str], str]:
    """What a program prints in a Python of its own, for tests of what gets imported."""

    def run(program: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120
        )
        return done.stdout.strip()

    return run
