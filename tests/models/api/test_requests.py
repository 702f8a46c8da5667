"""Waits, the window of requests, caps, prices, addresses and keys."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import openai
import pytest

from robust_eval.errors import ModelError, UsageError
from robust_eval.models.api import connection
from robust_eval.models.api.connection import Connection, server_address, usable_key
from robust_eval.models.api.faults import Rejected, Transient
from robust_eval.models.api.prices import built_in, read_prices
from robust_eval.models.api.retries import Patience, retry_after
from robust_eval.models.api.window import Window
from robust_eval.models.limits import RequestLimits
from servers import OpenAiServer, Request, Response, Server

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)


# --- waits ---------------------------------------------------------------------------------------


def test_waits_are_repeatable_bounded_and_spread() -> None:
    patience = Patience(retries=10, longest=30.0)
    waits = [[patience.wait(f"request {i}", attempt) for i in range(200)] for attempt in (1, 3, 12)]
    assert waits[0][5] == patience.wait("request 5", 1)
    for attempt, row in zip((1, 3, 12), waits, strict=True):
        most = min(30.0, 0.5 * 2**attempt)
        assert all(0 <= wait < most for wait in row)
        assert 0.4 * most < sum(row) / len(row) < 0.6 * most


def test_a_wait_that_the_server_asks_for_is_kept_up_to_the_longest() -> None:
    patience = Patience(retries=10, longest=30.0)
    assert patience.wait("x", 1, 7.0) == 7.0
    assert patience.wait("x", 1, 3600.0) == 30.0


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("5", 5.0),
        ("0", None),
        ("-3", None),
        ("inf", None),
        ("soon", None),
        ("Sun, 01 Nov 2026 12:00:09 GMT", 9.0),
        ("Sun, 01 Nov 2026 11:00:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    assert retry_after(header, NOW) == seconds


# --- the window ----------------------------------------------------------------------------------


def rounds(window: Window, healths: list[bool | None]) -> list[int]:
    """How many requests are on their way in each round; all of one end alike."""

    async def run() -> list[int]:
        sizes = []
        for healthy in healths:
            tickets = [await window.enter() for _ in range(int(window.size))]
            sizes.append(len(tickets))
            for ticket in tickets:
                window.leave(ticket, healthy=healthy)
        return sizes

    return asyncio.run(run())


def test_the_window_doubles_while_all_is_well_up_to_its_most() -> None:
    assert rounds(Window(20), [True] * 7) == [1, 2, 4, 8, 16, 20, 20]


def test_trouble_halves_it_once_for_all_requests_of_a_round_and_then_it_grows_by_one() -> None:
    sizes = rounds(Window(64), [True] * 5 + [False] + [True] * 4)
    assert sizes[:6] == [1, 2, 4, 8, 16, 32]
    assert sizes[6] == 16
    assert sizes[-1] - sizes[6] in (2, 3), "grows by about one a round trip"


def test_what_says_nothing_about_the_load_changes_nothing_and_one_always_goes() -> None:
    assert rounds(Window(8), [True, True, None, None]) == [1, 2, 4, 4]
    assert rounds(Window(8), [False] * 5) == [1] * 5


def test_nobody_enters_beyond_the_window() -> None:
    async def run() -> int:
        window = Window(4)
        window.size = 3.0

        async def one() -> None:
            ticket = await window.enter()
            await asyncio.sleep(0)
            window.leave(ticket, healthy=None)

        await asyncio.gather(*(one() for _ in range(50)))
        return window.peak

    assert asyncio.run(run()) == 3


# --- prices and limits ---------------------------------------------------------------------------


def test_the_built_in_table_is_dated_and_sound() -> None:
    prices = built_in()
    assert prices["gpt-4o-mini"].of(1_000_000, 1_000_000) == pytest.approx(0.75)
    assert all(price.date >= "2026" for price in prices.values())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[models.m]\nprompt = 1\ncompletion = 1", "no date"),
        ("date = 2026-01-01", "no prices"),
        ("date = 2026-01-01\n[models.m]\nprompt = 1", "completion of 'm'"),
        ("date = 2026-01-01\n[models.m]\nprompt = -1\ncompletion = 1", "prompt of 'm'"),
        ("date = 2026-01-01\n[models.m]\npromt = 1\ncompletion = 1", "did you mean 'prompt'"),
        ("date = 2026-01-01\n[models.m]\nprompt = nan\ncompletion = 1", "prompt of 'm'"),
        ("dat", "not valid TOML"),
    ],
)
def test_a_wrong_table_of_prices_says_what_is_wrong(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "prices.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=says):
        read_prices(path)
    with pytest.raises(UsageError, match="cannot be read"):
        read_prices(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("wrong", "option"),
    [
        ({"timeout": 0}, "--timeout"),
        ({"retries": -1}, "--retries"),
        ({"concurrency": 0}, "--concurrency"),
        ({"max_cost": float("nan")}, "--max-cost"),
        ({"deadline": -5.0}, "--deadline"),
        ({"api_key_env": "sk-secret"}, "--api-key-env"),
    ],
)
def test_impossible_limits_are_refused_and_a_key_is_not_repeated(
    wrong: dict[str, float], option: str
) -> None:
    with pytest.raises(UsageError, match=option) as caught:
        RequestLimits(**wrong)  # type: ignore[arg-type]
    assert "secret" not in str(caught.value)


# --- addresses and replies -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080/v1"),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080/v1"),
        ("https://Host.example/api/v2/", "https://host.example/api/v2"),
        ("http://[::1]:80/v1", "http://[::1]:80/v1"),
    ],
)
def test_an_address_is_completed(given: str, meant: str) -> None:
    assert server_address(given) == meant


@pytest.mark.parametrize(
    "given",
    ["", "localhost:8080", "file:///etc/passwd", "http://", "http://h/v1?key=1", "http://h:99999/v1",
     "http://h/v1#x", "http://h/\nv1"],
)  # fmt: skip
def test_what_is_no_address_is_refused(given: str) -> None:
    with pytest.raises(ModelError, match="--base-url"):
        server_address(given)


def test_a_key_with_odd_characters_is_refused_unseen() -> None:
    assert usable_key("  sk-1\n", "K") == "sk-1"
    assert usable_key(" ", "K") is None
    with pytest.raises(ModelError, match="the key in K holds") as caught:
        usable_key("sk-ключ", "K")
    assert "sk-" not in str(caught.value)


class Says(Server):
    """Answers everything with one response."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response

    async def answer(self, request: Request) -> Response:
        return self.response


def exchange(response: Response, key: str | None = None) -> object:
    async def run(address: str) -> object:
        async with Connection(address, key, 5.0, 1) as found:
            return await found.post("/x", {"text": "\ud800"})

    with Says(response) as server:
        return asyncio.run(run(server.address))


@pytest.mark.parametrize(
    ("response", "kind", "says"),
    [
        (Response(200, b'{"a": '), Transient, "no whole JSON"),
        (Response(200, b"[1]"), Transient, "no JSON object"),
        (Response(200, b"[" * 100_000), Transient, "no whole JSON"),
        (Response(200, b"{}", kind="text/html"), Transient, "not JSON"),
        (Response(200, b"{}", {"content-encoding": "gzip"}), Transient, "compressed"),
        (Response(529, b""), Transient, "HTTP 529"),
        (Response(429, b'{"error": {"code": "insufficient_quota", "message": "none left"}}'), Rejected, "none left"),
        (Response(400, b'{"detail": [{"msg": "bad"}]}'), Rejected, "bad"),
        (Response(302, b"", {"location": "http://elsewhere.example/x"}), Rejected, "elsewhere.example"),
    ],
)  # fmt: skip
def test_replies_that_are_no_answer_are_told_apart(
    response: Response, kind: type[Exception], says: str
) -> None:
    with pytest.raises(kind, match=says):
        exchange(response)


def test_a_reply_over_the_cap_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "MAX_REPLY", 1024**2)
    with pytest.raises(Transient, match="over 1 MiB"):
        exchange(Response(200, b'{"a": "' + b"x" * 1024**2 + b'"}'))


def test_what_a_server_repeats_of_the_key_is_hidden() -> None:
    key = "sk-canary-1"
    reply = exchange(Response.of({"a": [f"<{key}>", {key: 1}]}), key)
    assert reply == {"a": ["<[key]>", {"[key]": 1}]}
    with pytest.raises(Rejected) as caught:
        exchange(Response.of({"error": {"message": f"bad {key}"}}, 401), key)
    assert key not in str(caught.value)


def test_the_official_client_reads_the_test_server() -> None:
    with OpenAiServer(echo=True) as server:
        client = openai.OpenAI(base_url=server.address, api_key="none", max_retries=0)
        chat = client.chat.completions.create(
            model="grader",
            messages=[{"role": "user", "content": "a good film"}],
            logprobs=True,
            top_logprobs=5,
        )
        text = client.completions.create(
            model="grader", prompt="a good film", logprobs=5, echo=True, max_tokens=1
        )
        client.close()
    assert chat.choices[0].message.content == "positive"
    assert chat.choices[0].logprobs.content[0].top_logprobs[0].token == "positive"
    assert text.choices[0].text.startswith("a good film")
    assert len(text.choices[0].logprobs.text_offset) == 4
