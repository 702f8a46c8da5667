"""Servers on loopback for tests and benchmarks: one that speaks the OpenAI protocol, and a proxy that
loses a stated share of the requests. Each runs in a thread of its own until its block ends."""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import random
import re
import socket
import struct
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.body)


@dataclass
class Response:
    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)
    kind: str = "application/json"
    cut: int | None = None  # bytes after which the connection ends, whatever the length said
    reset: bool = False  # the connection is torn down with nothing sent
    hang: bool = False  # nothing is ever sent

    @classmethod
    def of(cls, value: Any, status: int = 200, **headers: str) -> Response:
        return cls(status, json.dumps(value).encode(), headers)


class Server:
    """`with Server() as server:` listens on `server.port`; subclasses answer in `answer`."""

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self.served = Counter[str]()

    async def answer(self, request: Request) -> Response:
        raise NotImplementedError

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> Self:
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), daemon=True)
        self._thread.start()
        assert self._ready.wait(20), "the server did not start"
        return self

    def __exit__(self, *exc: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(20)

    async def _main(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        self._open: set[asyncio.Task[None]] = set()
        listener = socket.create_server(("127.0.0.1", self.port), backlog=512)
        self.port = listener.getsockname()[1]
        server = await asyncio.start_server(self._connection, sock=listener, limit=2**24)
        self._ready.set()
        await self._end.wait()
        server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _connection(self, reader: Any, writer: Any) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            while (request := await _read(reader)) is not None:
                response = await self.answer(request)
                if not await _write(writer, reader, response):
                    break
                if request.headers.get("connection") == "close":
                    break
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._open.discard(task)
            writer.close()


async def _read(reader: Any) -> Request | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")[:-2]
    method, path, _ = first.split(" ")
    headers = {n.strip().lower(): v.strip() for n, _, v in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(method, path, headers, body)


async def _write(writer: Any, reader: Any, response: Response) -> bool:
    """Whether the connection goes on."""
    if response.hang:
        await reader.read()  # until the client hangs up
        return False
    if response.reset:
        writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        writer.transport.abort()
        return False
    headers = {
        "content-type": response.kind,
        "content-length": str(len(response.body)),
        **response.headers,
    }
    head = f"HTTP/1.1 {response.status} X\r\n" + "".join(
        f"{n}: {v}\r\n" for n, v in headers.items()
    )
    writer.write(head.encode("latin-1") + b"\r\n" + response.body[: response.cut])
    await writer.drain()
    return response.cut is None


# --- a model -------------------------------------------------------------------------------------

GOOD = ("delightful", "good", "fine", "great", "lovely", "warm", "triumph")


class OpenAiServer(Server):
    """Answers sentiment prompts by a rule over their last paragraph, always alike.

    `logprobs`, `echo` and `chat` say what it offers; `refuses` names parameters that are errors.
    `tokens` cuts an answer into tokens, so that labels of several tokens can be tested.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        logprobs: bool = True,
        echo: bool = False,
        answers: Mapping[str, float] | None = None,
        refuses: frozenset[str] = frozenset(),
        key: str | None = None,
        window: int = 10**9,
        usage: bool = True,
    ) -> None:
        super().__init__(port)
        self.logprobs, self.echo, self.refuses, self.key = logprobs, echo, refuses, key
        self.window, self.usage = window, usage
        self.fixed = answers  # what may follow, with log-probabilities, whatever is asked
        self.bodies: list[dict[str, Any]] = []
        self.keys = Counter[str]()

    async def answer(self, request: Request) -> Response:
        self.served[request.path] += 1
        self.keys[request.headers.get("authorization", "")] += 1
        if self.key and request.headers.get("authorization") != f"Bearer {self.key}":
            said = request.headers.get("authorization", "nothing")
            return Response.of({"error": {"message": f"Incorrect API key: {said}"}}, 401)
        if request.path == "/v1/models":
            return Response.of({"data": [{"id": "grader"}]})
        body = request.json
        self.bodies.append(body)
        if body["model"] != "grader":
            return Response.of({"error": {"message": "no such model"}}, 404)
        if wrong := sorted(self.refuses & set(body)):
            message = f"Unsupported parameter: '{wrong[0]}' is not supported with this model."
            return Response.of({"error": {"message": message, "param": wrong[0]}}, 400)
        if request.path == "/v1/chat/completions":
            return self._chat(body)
        if request.path == "/v1/completions":
            return self._complete(body)
        return Response.of({"error": {"message": "not found"}}, 404)

    def alternatives(self, prompt: str) -> dict[str, float]:
        """The next tokens after a prompt, with their log-probabilities, likeliest first."""
        if self.fixed is not None:
            return dict(self.fixed)
        text = prompt.split("\n\n")[-1]
        noise = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") / 2**32
        good = 0.05 + 0.3 * noise + 0.6 * any(word in text.casefold() for word in GOOD)
        found = {" positive": good * 0.99, " negative": (1 - good) * 0.99, " so": 0.01}
        return {t: math.log(p) for t, p in sorted(found.items(), key=lambda pair: -pair[1])}

    def _usage(self, prompt: str, completion: str) -> dict[str, Any]:
        if not self.usage:
            return {}
        counts = {
            "prompt_tokens": len(prompt.split()),
            "completion_tokens": len(completion.split()),
        }
        return {"usage": counts | {"total_tokens": sum(counts.values())}}

    def _too_long(self, prompt: str) -> Response | None:
        if len(prompt) <= self.window:
            return None
        message = f"This model's maximum context length is {self.window} tokens."
        return Response.of({"error": {"message": message, "code": "context_length_exceeded"}}, 400)

    def _chat(self, body: dict[str, Any]) -> Response:
        prompt = "\n\n".join(turn["content"] for turn in body["messages"])
        if (refused := self._too_long(prompt)) is not None:
            return refused
        found = self.alternatives(prompt)
        written = next(iter(found)).strip()
        choice: dict[str, Any] = {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": written, "refusal": None},
            "logprobs": None,
        }
        if self.logprobs and body.get("logprobs"):
            rows = [
                {"token": t.strip(), "logprob": v, "bytes": list(t.strip().encode())}
                for t, v in found.items()
            ][: body["top_logprobs"]]
            choice["logprobs"] = {"content": [{**rows[0], "top_logprobs": rows}], "refusal": None}
        return Response.of(
            {
                "id": "chatcmpl-1",
                "object": "chat.completion",
                "created": 1,
                "model": "grader",
                "choices": [choice],
                **self._usage(prompt, written),
            }
        )

    def _complete(self, body: dict[str, Any]) -> Response:
        prompts = body["prompt"] if isinstance(body["prompt"], list) else [body["prompt"]]
        if (refused := self._too_long(max(prompts, key=len))) is not None:
            return refused
        choices = [self._completion(i, prompt, body) for i, prompt in enumerate(prompts)]
        return Response.of(
            {
                "id": "cmpl-1",
                "object": "text_completion",
                "created": 1,
                "model": "grader",
                "choices": choices,
                **self._usage(" ".join(prompts), " ".join(c["text"] for c in choices)),
            }
        )

    def _completion(self, index: int, prompt: str, body: dict[str, Any]) -> dict[str, Any]:
        found = self.alternatives(prompt)
        token = next(iter(found))
        choice = {"index": index, "text": token, "finish_reason": "length", "logprobs": None}
        if not (self.logprobs and body.get("logprobs")):
            return choice
        tokens, values = [token], [found[token]]
        if self.echo and body.get("echo"):
            # Split before white space, as most tokenizers do: the answer's space belongs to it.
            before = re.findall(r"\s*\S+|\s+$", prompt)
            echoed: list[float | None] = [None]
            for i in range(1, len(before)):
                known = self.alternatives("".join(before[:i]))
                echoed.append(known.get(before[i], -9.0))
            tokens, values = [*before, token], [*echoed, found[token]]
            choice["text"] = prompt + token
        offsets = [sum(map(len, tokens[:i])) for i in range(len(tokens))]
        tops = [dict(list(found.items())[: body["logprobs"]])] * len(tokens)
        choice["logprobs"] = {
            "tokens": tokens,
            "token_logprobs": values,
            "top_logprobs": tops,
            "text_offset": offsets,
        }
        return choice


# --- faults --------------------------------------------------------------------------------------

FAULTS: dict[str, Response] = {
    "429": Response.of({"error": {"message": "Rate limit reached", "code": "rate_limit"}}, 429),
    "429 for an hour": Response.of(
        {"error": {"message": "Rate limit reached"}}, 429, **{"retry-after": "3600"}
    ),
    "500": Response.of({"error": {"message": "The server had an error"}}, 500),
    "503 without JSON": Response(503, b"<html>Service Unavailable</html>", kind="text/html"),
    "reset": Response(reset=True),
    "timeout": Response(hang=True),
    "truncated JSON": Response(200, b'{"choices": [{"text": " posi'),
    "cut connection": Response(200, b'{"choices": [{"text": " positive"}]}', cut=9),
    "wrong content type": Response(200, b"<html>ok</html>", kind="text/html"),
    "empty choices": Response.of({"choices": [], "usage": {"prompt_tokens": 1}}),
    "no choices": Response.of({"error": {"message": "upstream gave up"}}),
    "null text": Response.of({"choices": [{"index": 0, "text": None, "message": None}]}),
}


class FaultProxy(Server):
    """Passes requests on to `upstream`, and loses a `share` of them in every way of FAULTS.

    What happens to a request depends on its body and on how often it was seen, not on time or order.
    """

    def __init__(self, upstream: int, share: float, *, port: int = 0, seed: int = 0) -> None:
        super().__init__(port)
        self.upstream, self.share, self.seed = upstream, share, seed
        self.lost = Counter[str]()
        self._seen = Counter[bytes]()

    async def answer(self, request: Request) -> Response:
        self._seen[request.body] += 1
        digest = hashlib.sha256(request.body).hexdigest()
        rng = random.Random(f"{self.seed} {self._seen[request.body]} {digest}")
        if rng.random() < self.share:
            fault = rng.choice(sorted(FAULTS))
            self.lost[fault] += 1
            return FAULTS[fault]
        self.served[request.path] += 1
        return await self._forwarded(request)

    async def _forwarded(self, request: Request) -> Response:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.upstream, limit=2**24)
        try:
            kept = {n: v for n, v in request.headers.items() if n != "connection"}
            head = f"{request.method} {request.path} HTTP/1.1\r\n"
            head += "".join(f"{n}: {v}\r\n" for n, v in kept.items()) + "connection: close\r\n\r\n"
            writer.write(head.encode("latin-1") + request.body)
            raw = await reader.read()
        finally:
            writer.close()
        head, _, body = raw.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {n.lower(): v.strip() for n, _, v in (line.partition(":") for line in lines)}
        if headers.get("transfer-encoding") == "chunked":
            body = _unchunked(body)
        return Response(int(first.split(" ")[1]), body, kind=headers["content-type"])


def _unchunked(body: bytes) -> bytes:
    parts = []
    while body:
        size, _, body = body.partition(b"\r\n")
        length = int(size.split(b";")[0], 16)
        parts.append(body[:length])
        body = body[length + 2 :]
    return b"".join(parts)
