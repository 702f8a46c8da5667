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
SETS = ("clean", "keyboard-typos@3")


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    model = demo_file("gemma-3-270m", tmp_path / "cache")
    with subprocess.Popen(
        [sys.executable, str(SERVER), str(model), "--threads", "1", "--anew"],
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


def arguments(model: str, out: str, *more: str) -> list[str]:
    return [
        "--model", model, "--baseline", "scripted:constant", "--dataset", "reviews.csv",
        "--limit", "12", "--shots", "0", "--shift", SETS[1], "--out", out, *more,
    ]  # fmt: skip


def test_it_answers_as_the_same_file_read_locally_and_lost_requests_change_nothing(
    port: int, robust_eval: Run, reviews: Path, tmp_path: Path
) -> None:
    def served(out: str, address: str) -> subprocess.CompletedProcess[str]:
        return robust_eval(
            *arguments("openai:gemma", out, "--base-url", address, "--endpoint", "completions"),
            "--retry-wait", "0.01", "--timeout", "120", "--concurrency", "2", "--cache-dir", f"{out}-cache",
        )  # fmt: skip

    with FaultProxy(port, 0.0) as proxy:  # all under one address, which is a setting
        result = served("whole", proxy.address)
        assert result.returncode == 0, result.stderr
        requests = sum(proxy.served.values())
    assert (
        24 < requests <= 3 * 24 + 2
    )  # one for each review, more where a label is not shown at once
    with FaultProxy(port, 0.3, port=proxy.port, seed=10) as lossy:
        result = served("lossy", lossy.address)
        assert result.returncode == 0, result.stderr
        assert len(lossy.lost) >= 5, "hardly any kind of fault was tried"
        assert sum(lossy.lost.values()) >= requests // 6
    assert store.comparable(tmp_path / "lossy") == store.comparable(tmp_path / "whole")

    result = robust_eval(*arguments("demo:gemma-3-270m", "local"))
    assert result.returncode == 0, result.stderr
    records = [store.load(tmp_path / out) for out in ("whole", "local")]
    theirs, ours = (
        [p for key in SETS for p in record.predictions[record.models[0].name, key]]
        for record in records
    )
    assert len(theirs) == len(ours) == 24
    for one, other in zip(theirs, ours, strict=True):
        assert one.status is other.status is Status.OK
        assert one.label_logprobs is not None
        assert other.label_logprobs is not None
        # The server computes with the quantised weights and 8-bit activations, we with float32.
        assert max(one.label_logprobs) == pytest.approx(max(other.label_logprobs), abs=0.5)
    assert sum(a.label == b.label for a, b in zip(theirs, ours, strict=True)) >= 22
