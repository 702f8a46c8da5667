"""What asking a hosted model costs here: requests a second and memory, with a server that answers at once.

    python benchmarks/api_overhead.py [--requests 100000]

The server is a process of its own that sends one fixed reply, so both cores are shared with it. Measured are the
client alone (`stream`), the whole path with every answer stored (`predict`), and the official `openai` client
with as many requests at once, in the same process. Wanted: 300 requests a second, and memory that does not grow
with the number of requests.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path

from robust_eval.models import load_model
from robust_eval.models.account import Account
from robust_eval.models.cache import PredictionCache
from robust_eval.models.context import ModelContext, PromptSettings
from robust_eval.models.limits import RequestLimits
from robust_eval.models.predict import Request, predict
from robust_eval.records import TASKS, Example, TaskKind

WANTED = 300  # requests a second
GROWTH_MB = 16  # between the first tenth of the requests and the last
AT_ONCE = 64
TOKENS = [
    {"token": t, "logprob": v, "bytes": None} for t, v in (("positive", -0.1), ("negative", -2.4))
]
REPLY = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "instant",
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": "positive", "refusal": None},
                "logprobs": {"content": [{**TOKENS[0], "top_logprobs": TOKENS}], "refusal": None},
            }
        ],
        "usage": {"prompt_tokens": 60, "completion_tokens": 1, "total_tokens": 61},
    }
).encode()
HEAD = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(REPLY)}\r\n\r\n"


class Instant(asyncio.Protocol):
    """Answers every request on a connection with the same bytes, as soon as it is there."""

    def __init__(self) -> None:
        self.pending = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.pending += data
        while (end := self.pending.find(b"\r\n\r\n")) >= 0:
            head = self.pending[:end].lower()
            length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
            if len(self.pending) < end + 4 + length:
                return
            self.pending = self.pending[end + 4 + length :]
            self.transport.write(HEAD.encode() + REPLY)


def serve(port: Connection) -> None:
    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(
            Instant, "127.0.0.1", 0, backlog=512
        )
        port.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


def reviews(count: int) -> Iterator[Example]:
    for i in range(count):
        text = f"a plain sentence of some fifteen words that one might have written about film number {i}"
        yield Example(f"e{i}", {"text": text}, "positive", f"e{i}")


def context(address: str, folder: Path) -> ModelContext:
    return ModelContext(
        TASKS[TaskKind.CLASSIFICATION],
        ("negative", "positive"),
        (),
        (),
        (),
        0,
        folder,
        prompt=PromptSettings(shots=0),
        base_url=address,
        account=Account(RequestLimits(concurrency=AT_ONCE)),
    )


def resident_mb() -> float:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def streamed(address: str, count: int) -> tuple[float, list[float]]:
    """Requests a second of the client alone, and resident memory after each tenth."""
    model = load_model("openai:instant", "model", context(address, Path()))
    examples = list(reviews(count))
    memory: list[float] = []
    done = 0
    started = time.perf_counter()
    for batch in model.stream(examples, range(count)):  # type: ignore[attr-defined]
        done += len(batch)
        if done * 10 >= count * (len(memory) + 1):
            memory.append(resident_mb())
    assert done == count
    return count / (time.perf_counter() - started), memory


def stored(address: str, count: int) -> float:
    """Requests a second with every answer checked and stored as it arrives."""
    requests = [Request(example, "clean") for example in reviews(count)]
    with tempfile.TemporaryDirectory() as folder, PredictionCache.open(Path(folder)) as cache:
        model = load_model("openai:instant", "model", context(address, Path(folder)))
        started = time.perf_counter()
        predict(model, requests, cache)
        return count / (time.perf_counter() - started)


def official(address: str, count: int) -> float:
    """Requests a second of the openai package's asynchronous client."""
    import openai

    async def run() -> float:
        texts = [example.inputs["text"] for example in reviews(count)]
        client = openai.AsyncOpenAI(base_url=address, api_key="none", max_retries=0)
        room = asyncio.Semaphore(AT_ONCE)

        async def one(text: str) -> None:
            async with room:
                await client.chat.completions.create(
                    model="instant",
                    messages=[{"role": "user", "content": f"Review: {text}\nSentiment:"}],
                    temperature=0,
                    max_tokens=16,
                    logprobs=True,
                    top_logprobs=20,
                )

        started = time.perf_counter()
        await asyncio.gather(*(one(text) for text in texts))
        return count / (time.perf_counter() - started)

    return asyncio.run(run())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=100_000)
    options = parser.parse_args()
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    address = f"http://127.0.0.1:{ours.recv()}/v1"
    few = max(1_000, options.requests // 10)
    rates: dict[str, Callable[[], float]] = {
        "every answer stored as it arrives": lambda: stored(address, few),
        "the openai client, nothing read": lambda: official(address, few),
    }
    measured = {name: measure() for name, measure in rates.items()}
    rate, memory = streamed(address, options.requests)
    server.terminate()
    for name, found in {"client alone": rate, **measured}.items():
        print(f"{found:8,.0f} requests/s  {name}")
    growth = memory[-1] - memory[0]
    print(
        f"memory after each tenth of {options.requests:,}: " + " ".join(f"{m:.0f}" for m in memory)
    )
    print(f"growth {growth:+.1f} MB (at most {GROWTH_MB})")
    slowest = min(rate, measured["every answer stored as it arrives"])
    return 0 if slowest >= WANTED and growth <= GROWTH_MB else 1


if __name__ == "__main__":
    sys.exit(main())
