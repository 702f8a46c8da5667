"""A second real server on loopback: `transformers serve` with SmolLM2, against the same folder read locally.

It shows no log-probabilities, so answers are read from what it writes.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from robust_eval import store
from robust_eval.records import Status

pytestmark = [pytest.mark.e2e, pytest.mark.model]

Run = Callable[..., subprocess.CompletedProcess[str]]
SERVER = Path(__file__).parents[2] / "benchmarks" / "transformers_serve_peer.py"
SETS = ("clean", "keyboard-typos@3")


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Address and name of the served model; the name is a folder, which is read locally too."""
    with subprocess.Popen(
        [sys.executable, str(SERVER), "demo:smollm2-135m", str(tmp_path / "unpacked")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "ROBUST_EVAL_CACHE": str(tmp_path / "unpacking")},
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        first = process.stdout.readline().split()
        assert len(first) == 2, process.stderr.read()[-2000:]
        yield first[0], first[1]
        process.stdin.close()
        process.stderr.read()


def test_it_writes_what_the_same_weights_write_locally(
    served: tuple[str, str], robust_eval: Run, reviews: Path, tmp_path: Path
) -> None:
    address, folder = served
    common = (
        "--baseline", "scripted:constant", "--dataset", "reviews.csv", "--limit", "12", "--shots", "2",
        "--shift", SETS[1],
    )  # fmt: skip
    asked = robust_eval(
        "--model", f"openai:{folder}", "--base-url", f"{address}/v1", "--timeout", "120", "--out", "asked", *common,
    )  # fmt: skip
    assert asked.returncode == 0, asked.stderr
    assert "no log-probabilities" in asked.stderr
    local = robust_eval(
        "--model", f"hf:{folder}", "--scoring", "generate", "--out", "local", *common
    )
    assert local.returncode == 0, local.stderr
    theirs, ours = (
        [p for key in SETS for p in record.predictions[record.models[0].name, key]]
        for record in (store.load(tmp_path / out) for out in ("asked", "local"))
    )
    assert len(theirs) == len(ours) == 24
    assert [p.label for p in theirs] == [p.label for p in ours]
    assert len({p.label for p in theirs if p.status is Status.OK}) == 2, "a constant proves little"
