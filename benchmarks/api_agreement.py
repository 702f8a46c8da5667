"""A model behind a real server on loopback against the same weights read locally, on 200 reviews.

    python benchmarks/api_agreement.py [--limit 200] [--lost 0.3]
    python benchmarks/api_agreement.py --server transformers   # needs pip install 'transformers[serving]'

llama.cpp serves Gemma's file: `openai:` with completions, label log-likelihoods found by walking along the
labels. `transformers serve` shows no log-probabilities: SmolLM2 writes its answers, here as there. Then the server is
asked once more, with a share of the requests lost on the way. Wanted: the server's accuracy lies within the local one's
interval, clean and shifted, and lost requests change no label.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import robust_eval
from robust_eval.models.cache import cache_folder
from robust_eval.models.demo import demo_file
from robust_eval.models.limits import RequestLimits
from robust_eval.records import Gap, Prediction, RunRecord, Status

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))
from servers import FaultProxy  # noqa: E402

SHIFT = "keyboard-typos@3"
PATIENCE = RequestLimits(concurrency=2, retry_wait=0.1, timeout=5)


@dataclass(frozen=True)
class Case:
    local: str
    served: str  # the name under which the server knows the model
    settings: dict[str, Any]


@contextmanager
def llama_cpp(folder: Path) -> Iterator[tuple[int, Case]]:
    model = demo_file("gemma-3-270m", cache_folder())
    with subprocess.Popen(
        [sys.executable, str(HERE / "llama_server_peer.py"), str(model)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        port = int(server.stdout.readline().strip().rpartition(":")[2])
        yield port, Case("demo:gemma-3-270m", "served", {})
        server.stdin.close()


@contextmanager
def transformers_serve(folder: Path) -> Iterator[tuple[int, Case]]:
    from lm_eval_ratio import export
    from robust_eval.models import causal
    from robust_eval.models.context import ModelContext, PromptSettings
    from robust_eval.records import TASKS, TaskKind

    context = ModelContext(
        TASKS[TaskKind.MATH], (), (), (), (), 0, cache_folder(), prompt=PromptSettings(shots=0)
    )
    place = folder / "model"
    export(causal.load("demo:smollm2-135m", "model", context), place)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with subprocess.Popen(
        ["transformers", "serve", str(place), "--port", str(port), "--host", "127.0.0.1",
         "--device", "cpu", "--dtype", "float32"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"HF_HUB_OFFLINE": "1"},
    ) as server:  # fmt: skip
        for _ in range(240):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health").close()
                break
            except OSError:
                time.sleep(0.5)
        case = Case("demo:smollm2-135m", str(place), {"scoring": "generate", "chat": "off"})
        yield port, case
        server.terminate()


SERVERS = {"llama.cpp": llama_cpp, "transformers": transformers_serve}


def run(spec: str, limit: int, folder: Path, **settings: Any) -> tuple[RunRecord, float]:
    """The record of one run with a prediction cache of its own, and its seconds."""
    started = time.perf_counter()
    found = robust_eval.evaluate(
        spec,
        baseline="scripted:constant",
        dataset="demo:rotten-tomatoes",
        shift=SHIFT,
        limit=limit,
        out=folder / "run",
        cache_dir=folder / "cache",
        **settings,
    )
    return found.record, time.perf_counter() - started


def answers(record: RunRecord) -> list[Prediction]:
    name = record.models[0].name
    return [p for key in ("clean", SHIFT) for p in record.predictions[name, key]]


def gap(record: RunRecord) -> Gap:
    return next(gap for gap in record.gaps if gap.model == record.models[0].name)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--server", choices=SERVERS, default="llama.cpp")
    parser.add_argument("--limit", type=int, default=200)
    parser.add_argument("--lost", type=float, default=0.3, help="share; 0 leaves that run out")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with SERVERS[options.server](folder) as (port, case):
            asked = {"endpoint": "completions", "requests": PATIENCE, **case.settings}
            spec = f"openai:{case.served}"
            with FaultProxy(port, 0.0) as proxy:
                served, seconds = run(
                    spec, options.limit, folder / "whole", base_url=proxy.address, **asked
                )
                requests = sum(proxy.served.values())
            print(f"served: {requests} requests in {seconds:.0f} s", flush=True)
            lossy, lost = None, 0
            if options.lost:
                with FaultProxy(port, options.lost) as proxy:
                    lossy, seconds = run(
                        spec, options.limit, folder / "lossy", base_url=proxy.address, **asked
                    )
                    lost = sum(proxy.lost.values())
                print(f"served, {lost} requests lost: {seconds:.0f} s", flush=True)
        local, seconds = run(case.local, options.limit, folder / "local", **case.settings)
        print(f"read locally: {seconds:.0f} s", flush=True)

    inside = True
    theirs, ours = gap(served), gap(local)
    for part, there, here in (
        ("clean", theirs.clean, ours.clean),
        (SHIFT, theirs.shifted, ours.shifted),
    ):
        inside &= here.low <= there.value <= here.high
        print(
            f"{part:17} served {there.value:.3f}, local {here.value:.3f} [{here.low:.3f}, {here.high:.3f}]"
        )
    pairs = list(zip(answers(served), answers(local), strict=True))
    same = sum(a.label == b.label for a, b in pairs)
    print(f"same label as read locally: {same} of {len(pairs)}")
    far = [
        abs(x - y)
        for a, b in pairs
        for x, y in zip(a.label_logprobs or (), b.label_logprobs or (), strict=False)
    ]
    if far:
        print(
            f"largest difference of a log-likelihood: {max(far):.2f}, mean {sum(far) / len(far):.3f}"
        )
    if lossy is None:
        return 0 if inside else 1
    again = answers(lossy)
    alike = sum(a.label == b.label for (a, _), b in zip(pairs, again, strict=True))
    failed = sum(p.status is Status.FAILED for p in again)
    print(f"with {lost} requests lost: {failed} failed, same label {alike} of {len(again)}")
    return 0 if inside and not failed and alike == len(again) else 1


if __name__ == "__main__":
    sys.exit(main())
