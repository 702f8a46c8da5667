"""A small data set of our own sentences, and the command line as a process."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hosted_runs import Forks
from servers import OpenAiServer

OPENINGS = (
    "a warm and funny story about two brothers who run a bakery",
    "the second half drags until nobody in the room cares",
    "sharp dialogue carries this small film a very long way",
    "an endless parade of clichés with a soundtrack to match",
    "the camera lingers on faces that have something to say",
    "whoever wrote this ending has never met a real person",
    "a quiet triumph for its young lead and her director",
    "it mistakes noise for tension and darkness for depth",
)
TAILS = (
    "in every scene",
    "from start to finish",
    "against all odds",
    "for ninety minutes",
    "at last",
)
GOOD = {0, 2, 4, 6}


def review_rows(n: int) -> list[tuple[str, str, str]]:
    rows = []
    for i in range(n):
        which = i % len(OPENINGS)
        label = "positive" if which in GOOD else "negative"
        word = "delightful" if label == "positive" else "dreadful"
        rows.append((f"r{i}", f"{OPENINGS[which]}, {word} {TAILS[i % 5]} no. {i}", label))
    return rows


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    path = tmp_path / "reviews.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("id", "text", "label"))
        writer.writerows(review_rows(240))
    return path


@pytest.fixture
def robust_eval(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs `robust-eval ...` in the test's folder, with a cache of its own."""

    def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "robust_eval", *map(str, arguments)],
            cwd=tmp_path,
            env=os.environ
            | {
                "ROBUST_EVAL_CACHE": str(tmp_path / "cache"),
                "HF_HUB_OFFLINE": "1",
                "OMP_NUM_THREADS": "1",
            }
            | environment,
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )

    return run


@pytest.fixture
def server() -> Iterator[OpenAiServer]:
    with OpenAiServer() as running:
        yield running


@pytest.fixture
def forks(reviews: Path, tmp_path: Path) -> Iterator[Forks]:
    running = Forks(tmp_path)
    yield running
    running.close()
