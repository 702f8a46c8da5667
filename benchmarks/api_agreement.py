"""The demo model behind llama.cpp's HTTP server against the same file read locally, on 200 reviews.

    python benchmarks/api_agreement.py [--limit 200] [--lost 0.3]

Both are asked in one run through the command's own path: the server by `openai:` with completions, label
log-likelihoods found by walking along the labels. Then the server is asked once more, with a share of the requests lost
on the way. Wanted: the server's accuracy lies within the local one's interval.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import robust_eval
from robust_eval.models.cache import cache_folder
from robust_eval.models.demo import demo_file
from robust_eval.models.limits import RequestLimits
from robust_eval.records import Prediction, RunRecord, Status

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))
from servers import FaultProxy  # noqa: E402

SHIFT = "keyboard-typos@3"


def run(address: str, limit: int, folder: Path) -> tuple[RunRecord, float]:
    """The record of one run with a prediction cache of its own, and its seconds."""
    started = time.perf_counter()
    found = robust_eval.evaluate(
        "openai:gemma-3-270m",
        baseline="demo:gemma-3-270m",
        dataset="demo:rotten-tomatoes",
        shift=SHIFT,
        limit=limit,
        base_url=address,
        endpoint="completions",
        out=folder / "run",
        cache_dir=folder / "cache",
        requests=RequestLimits(concurrency=2, retry_wait=0.1, timeout=20),
    )
    return found.record, time.perf_counter() - started


def answers(record: RunRecord, which: int) -> list[Prediction]:
    name = record.models[which].name
    return [p for key in ("clean", SHIFT) for p in record.predictions[name, key]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limit", type=int, default=200)
    parser.add_argument("--lost", type=float, default=0.3)
    options = parser.parse_args()
    model = demo_file("gemma-3-270m", cache_folder())
    server = subprocess.Popen(
        [sys.executable, str(HERE / "llama_server_peer.py"), str(model)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert server.stdin is not None
    assert server.stdout is not None
    port = int(server.stdout.readline().strip().rpartition(":")[2])
    with tempfile.TemporaryDirectory() as folder:
        with FaultProxy(port, 0.0) as proxy:
            whole, seconds = run(proxy.address, options.limit, Path(folder, "whole"))
        with FaultProxy(port, options.lost) as proxy:
            lossy, _ = run(proxy.address, options.limit, Path(folder, "lossy"))
            lost = sum(proxy.lost.values())
    server.stdin.close()
    server.wait(30)

    served, local, again = answers(whole, 0), answers(whole, 1), answers(lossy, 0)
    inside = True
    for gap, other in zip(whole.gaps[:1], whole.gaps[1:2], strict=True):
        for part, theirs, ours in (
            ("clean", gap.clean, other.clean),
            (SHIFT, gap.shifted, other.shifted),
        ):
            inside &= ours.low <= theirs.value <= ours.high
            print(
                f"{part:18} served {theirs.value:.3f}  local {ours.value:.3f} [{ours.low:.3f}, {ours.high:.3f}]"
            )
    same = sum(a.label == b.label for a, b in zip(served, local, strict=True))
    largest = max(
        abs(x - y)
        for a, b in zip(served, local, strict=True)
        for x, y in zip(a.label_logprobs or (), b.label_logprobs or (), strict=True)
    )
    print(
        f"same label as read locally: {same} of {len(served)}; largest difference of a log-likelihood {largest:.2f}"
    )
    alike = sum(a.label == b.label for a, b in zip(served, again, strict=True))
    failed = sum(p.status is Status.FAILED for p in again)
    print(f"with {lost} requests lost: {failed} failed, same label {alike} of {len(again)}")
    print(f"{seconds:.0f} s for both models")
    return 0 if inside and failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
