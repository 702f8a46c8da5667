"""`litellm:` without the package, and with a stand-in for it."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import sys
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from robust_eval.errors import ModelError
from robust_eval.models import load_model
from robust_eval.models.api.faults import Rejected, Transient
from robust_eval.models.api.litellm_channel import LitellmChannel
from robust_eval.models.context import ModelContext

Context = Callable[..., ModelContext]
CANARY = "canary-0123456789"


class RateLimitError(Exception):
    status_code = 429
    response = SimpleNamespace(headers={"retry-after": "7"})


class AuthenticationError(Exception):
    status_code = 401


class ContextWindowExceededError(Exception):
    status_code = 400


class APIConnectionError(Exception):
    status_code = 500


def stand_in(outcome: Any) -> ModuleType:
    module = ModuleType("litellm")

    async def acompletion(**body: Any) -> Any:
        module.asked = body  # type: ignore[attr-defined]
        if isinstance(outcome, Exception):
            raise outcome
        return SimpleNamespace(model_dump_json=lambda: json.dumps(outcome))

    module.acompletion = acompletion  # type: ignore[attr-defined]
    return module


def post(monkeypatch: pytest.MonkeyPatch, outcome: Any) -> Any:
    monkeypatch.setenv("SOME_PROVIDER_API_KEY", CANARY)
    module = stand_in(outcome)
    monkeypatch.setitem(sys.modules, "litellm", module)

    async def run() -> Any:
        async with LitellmChannel(None, 5.0) as channel:
            return await channel.post("/chat/completions", {"model": "x/y", "messages": []})

    reply = asyncio.run(run())
    assert module.asked["num_retries"] == module.asked["max_retries"] == 0
    return reply


def test_without_the_package_the_remedy_is_named(
    review_context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"pip install 'robust-eval\[litellm\]'"):
        load_model("litellm:anthropic/some-model", "model", review_context())


def test_a_reply_is_plain_json_without_any_key(monkeypatch: pytest.MonkeyPatch) -> None:
    text = {"choices": [{"message": {"content": f"your key is {CANARY}"}}]}
    reply = post(monkeypatch, text)
    assert reply == {"choices": [{"message": {"content": "your key is [key]"}}]}


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (RateLimitError("slow down"), Transient),
        (APIConnectionError("gone"), Transient),
        (KeyError("choices"), Transient),
        (AuthenticationError(f"bad key {CANARY}"), Rejected),
        (ContextWindowExceededError("too long"), Rejected),
    ],
)
def test_errors_are_told_apart_by_what_to_do_about_them(
    error: Exception, kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(kind) as caught:
        post(monkeypatch, error)
    assert CANARY not in str(caught.value)
    if isinstance(error, RateLimitError):
        assert caught.value.retry_after == 7.0  # type: ignore[attr-defined]
    if isinstance(error, ContextWindowExceededError):
        assert caught.value.too_long  # type: ignore[attr-defined]
