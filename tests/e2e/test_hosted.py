"""Hosted models through the command line: lost requests, kills, Ctrl-C, caps, keys."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hosted_runs import ASKED, AT_ONCE, Forks, arguments
from robust_eval import store
from servers import FaultProxy, OpenAiServer, Request, Response, Server

pytestmark = pytest.mark.e2e

Run = Callable[..., subprocess.CompletedProcess[str]]
CANARY = "sk-canary-5f1d7c0a9b3e"


def test_with_a_third_of_the_requests_lost_the_record_is_that_of_a_run_without_faults(
    server: OpenAiServer, robust_eval: Run, reviews: Path, tmp_path: Path
) -> None:
    with FaultProxy(server.port, 0.0) as proxy:  # both under one address, which is a setting
        assert robust_eval(*arguments(proxy.address, "whole")).returncode == 0
    with FaultProxy(server.port, 0.3, port=proxy.port) as lossy:
        result = robust_eval(
            *arguments(lossy.address, "lossy", "--timeout", "1"),
            ROBUST_EVAL_CACHE=str(tmp_path / "other"),
        )
    assert result.returncode == 0, result.stderr
    assert len(lossy.lost) >= 8, "hardly any kind of fault was tried"
    assert sum(lossy.lost.values()) >= ASKED // 5
    assert store.comparable(tmp_path / "lossy") == store.comparable(tmp_path / "whole")
    host = json.loads((tmp_path / "lossy" / "run.json").read_text())["host"]
    assert host["usage"]["openai:grader"]["requests"] == ASKED + sum(lossy.lost.values())
    assert f"openai:grader: {ASKED + sum(lossy.lost.values())} requests, " in result.stderr
    short = (tmp_path / "lossy" / "report.md").read_text()
    assert f"| `openai:grader` | {ASKED + sum(lossy.lost.values())} |" in short


def test_failed_requests_are_left_out_counted_and_asked_again_by_the_same_command(
    server: OpenAiServer, robust_eval: Run, reviews: Path, tmp_path: Path
) -> None:
    with FaultProxy(server.port, 0.3, seed=1) as proxy:
        command = arguments(proxy.address, "run", "--retries", "0", "--timeout", "1")
        result = robust_eval(*command)
        failed = sum(proxy.lost.values())
        assert result.returncode == 4, result.stderr
        assert f"{failed} requests failed and are left out" in result.stderr
        record = store.load(tmp_path / "run")
        assert any(gap.left_out for gap in record.gaps)
        asked = sum(server.served.values())
        proxy.share = 0.0
        assert robust_eval(*command, "--overwrite").returncode == 0
        assert sum(server.served.values()) - asked == failed


# --- interruptions -------------------------------------------------------------------------------


class Striking(OpenAiServer):
    """Sends a signal to the process that asks, when the request with a given number arrives."""

    def __init__(self) -> None:
        super().__init__()
        self.victim = 0
        self.strike_at = 0
        self.how = signal.SIGKILL
        self._known = threading.Event()

    def aim(self, at: int, how: signal.Signals) -> None:
        self._known.clear()
        self.strike_at, self.how = at, how

    def reveal(self, victim: int) -> None:
        self.victim = victim
        self._known.set()

    async def answer(self, request: Request) -> Response:
        response = await super().answer(request)
        if self.strike_at and sum(self.served.values()) >= self.strike_at:
            self._known.wait(20)
            self.strike_at = 0
            os.kill(self.victim, self.how)
        return response


def test_after_twenty_kills_at_most_a_batch_a_kill_was_asked_again_and_the_record_is_whole(
    forks: Forks, tmp_path: Path
) -> None:
    moments = random.Random(5)
    with Striking() as server:
        command = arguments(server.address, "killed")
        kills = 0
        while kills < 20:
            # So early that all twenty come before the end.
            server.aim(sum(server.served.values()) + moments.randrange(1, 9), signal.SIGKILL)
            assert forks.run(command, server.reveal) == -signal.SIGKILL
            kills += 1
        assert forks.run(command) == 0, (tmp_path / "child.log").read_text()
        asked = sum(server.served.values())
        assert ASKED <= asked <= ASKED + kills * AT_ONCE
        again = arguments(server.address, "whole", "--cache-dir", str(tmp_path / "fresh"))
        assert forks.run(again) == 0
    assert store.comparable(tmp_path / "killed") == store.comparable(tmp_path / "whole")
    assert not list((tmp_path / "killed").glob(".robust-eval-partial-*"))


def test_ctrl_c_ends_with_130_loses_nothing_and_the_command_resumes(
    forks: Forks, tmp_path: Path
) -> None:
    with Striking() as server:
        command = arguments(server.address, "run")
        server.aim(60, signal.SIGINT)
        assert forks.run(command, server.reveal) == 130
        said = (tmp_path / "child.log").read_text()
        assert "interrupted; what was answered so far is kept" in said
        assert "resume with: robust-eval --model openai:grader" in said
        assert "Traceback" not in said
        assert not (tmp_path / "run" / "report.html").exists()
        assert forks.run(command) == 0
        assert ASKED <= sum(server.served.values()) <= ASKED + AT_ONCE
    assert (tmp_path / "run" / "report.html").exists()


def test_a_cap_stops_cleanly_and_repeating_the_command_reaches_the_end(
    forks: Forks, tmp_path: Path
) -> None:
    with OpenAiServer() as server:
        command = arguments(server.address, "run", "--max-requests", "70")
        codes = [forks.run(command) for _ in range(3)]
        assert codes == [4, 4, 0]
        assert sum(server.served.values()) == ASKED
    assert "all of --max-requests 70 are made" in (tmp_path / "child.log").read_text()


# --- keys ----------------------------------------------------------------------------------------


class Indiscreet(OpenAiServer):
    """Repeats the key that it was sent wherever it can."""

    async def answer(self, request: Request) -> Response:
        response = await super().answer(request)
        said = request.headers.get("authorization", "")
        body = response.body.replace(b'"positive"', json.dumps(f"positive {said}").encode())
        return Response(response.status, body, {"x-key": said}, response.kind)


def everything_in(folder: Path) -> Iterator[tuple[Path, bytes]]:
    for path in folder.rglob("*"):
        if path.is_file():
            yield path, path.read_bytes()


def expect_no_key(folder: Path, *results: subprocess.CompletedProcess[str]) -> None:
    for result in results:
        assert CANARY not in result.stdout + result.stderr
    files = list(everything_in(folder))
    assert len(files) > 3
    assert not [path for path, content in files if CANARY.encode() in content]


def test_the_key_is_in_no_file_log_error_or_report(
    robust_eval: Run, reviews: Path, tmp_path: Path
) -> None:
    key = {"OPENAI_API_KEY": CANARY, "TMPDIR": str(tmp_path)}
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "sitecustomize.py").write_text(
        "import robust_eval.models.api.answering as a\n"
        "def raising(*x, **k): raise RuntimeError('boom')\n"
        "a.replies = raising\n"
    )
    searched = os.pathsep.join(filter(None, (str(broken), os.environ.get("PYTHONPATH", ""))))
    with Indiscreet(key=CANARY, logprobs=False) as server:
        results = [
            robust_eval(*arguments(server.address, "right"), **key),
            robust_eval(
                *arguments(server.address, "cap", "--max-requests", "3", "--cache-dir", "cache2"),
                **key,
            ),
            robust_eval(
                *arguments(server.address, "broken", "--cache-dir", "cache3"),
                **key,
                PYTHONPATH=searched,
            ),
        ]
        assert server.keys[f"Bearer {CANARY}"] > ASKED
        assert [result.returncode for result in results] == [0, 4, 70]
        assert f"{ASKED} of {ASKED} answers were read from written text" in results[0].stderr
    with Indiscreet(key="another") as server:
        results.append(robust_eval(*arguments(server.address, "wrong"), **key))
        assert results[-1].returncode == 2
        assert "check the key in OPENAI_API_KEY" in results[-1].stderr
    assert list(tmp_path.glob("robust-eval-traceback-*.txt"))
    assert any(
        "[key]" in content.decode("utf-8", "replace")
        for _, content in everything_in(tmp_path / "cache")
    )
    expect_no_key(tmp_path, *results)


def test_a_key_given_in_the_wrong_place_is_not_repeated(
    robust_eval: Run, reviews: Path, tmp_path: Path
) -> None:
    results = [
        robust_eval(*arguments(f"http://user:{CANARY}@127.0.0.1:9/v1", "a")),
        robust_eval(*arguments("http://127.0.0.1:9/v1", "b", "--api-key-env", CANARY)),
        robust_eval(*arguments("http://127.0.0.1:9/v1", "c"), OPENAI_API_KEY=f"{CANARY}\x7f x"),
    ]
    for result in results:
        assert result.returncode == 2
        # The command that resumes is not printed for wrong usage, which would repeat the options.
        assert CANARY not in result.stdout + result.stderr
    assert not [path for path, content in everything_in(tmp_path) if CANARY.encode() in content]


class Redirecting(Server):
    """Sends every request elsewhere."""

    target = ""

    async def answer(self, request: Request) -> Response:
        self.served[request.path] += 1
        return Response(307, b"", {"location": f"{self.target}{request.path}"})


def test_a_redirect_carries_neither_key_nor_text_to_another_host(
    robust_eval: Run, reviews: Path, tmp_path: Path
) -> None:
    with OpenAiServer() as other, Redirecting() as server:
        server.target = other.address.replace("/v1", "")
        result = robust_eval(*arguments(server.address, "run"), OPENAI_API_KEY=CANARY)
        assert result.returncode == 2
        assert f"redirected to 127.0.0.1:{other.port}, which is not followed" in result.stderr
        assert not other.served
    assert sum(server.served.values()) == 1
