"""A real server on loopback: llama.cpp with the demo model's file, against the same file read locally."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from robust_eval import store
from robust_eval.models.demo import demo_file
from robust_eval.records import Status
from servers import FaultProxy

pytestmark = [pytest.mark.e2e, pytest.mark.model]

Run = Callable[..., subprocess.CompletedProcess[str]]
SERVER = Path(__file__).parents[2] / "benchmarks" / "llama_server_peer.py"


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    model = demo_file("gemma-3-270m", tmp_path / "cache")
    with subprocess.Popen(
        [sys.executable, str(SERVER), str(model), "--threads", "1"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        yield int(address.rpartition(":")[2])
        process.stdin.close()


def test_the_server_answers_as_the_same_file_read_locally_does_also_with_requests_lost(
    port: int, robust_eval: Run, reviews: Path, tmp_path: Path
) -> None:
    with FaultProxy(port, 0.3) as proxy:
        result = robust_eval(
            "--model", "openai:gemma", "--base-url", proxy.address, "--endpoint", "completions",
            "--baseline", "demo:gemma-3-270m", "--dataset", "reviews.csv", "--limit", "8",
            "--shift", "keyboard-typos@3", "--out", "run", "--retry-wait", "0.01", "--timeout", "20",
            "--concurrency", "2",
        )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert proxy.lost
    record = store.load(tmp_path / "run")
    served, local = (card.name for card in record.models)
    pairs = [
        pair
        for key in ("clean", "keyboard-typos@3")
        for pair in zip(
            record.predictions[served, key], record.predictions[local, key], strict=True
        )
    ]
    assert len(pairs) == 16
    for theirs, ours in pairs:
        assert theirs.status is Status.OK
        assert theirs.label_logprobs is not None
        assert ours.label_logprobs is not None
        # The server computes with the quantised weights and 8-bit activations, we with float32.
        assert theirs.label_logprobs == pytest.approx(ours.label_logprobs, abs=0.5)
    assert sum(theirs.label == ours.label for theirs, ours in pairs) >= 15
