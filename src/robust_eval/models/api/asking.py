"""Asks one server: retries within bounds, keeps the window and the account, knows when to give up."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any, Protocol, Self, TypeVar

from robust_eval.errors import InfrastructureError, ModelError, did_you_mean
from robust_eval.models.account import Account
from robust_eval.models.api.dialect import Dialect
from robust_eval.models.api.faults import Rejected, Transient
from robust_eval.models.api.retries import Patience
from robust_eval.models.api.window import Window
from robust_eval.models.api.wire import usage
from robust_eval.rng import hexdigest

# What must have gone wrong since the last answer before the server is taken to be down: so many requests
# given up, and so many attempts lost. With half of all attempts lost by chance, twenty in a row are one in
# a million; with retries, three requests alone have made more.
GIVEN_UP = 3
LOST = 20
CHANGES = 8  # ways of putting a request before a refusal is final


T = TypeVar("T")
Read = Callable[[Mapping[str, Any]], T]
"""What a reply says; raises Transient for a broken one, NotOffered for one that lacks what was asked."""


class Channel(Protocol):
    """Whatever carries a request to a model and its reply back."""

    host: str

    async def __aenter__(self) -> Self: ...
    async def __aexit__(self, *exc: object) -> None: ...
    async def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]: ...
    async def models(self) -> list[str]: ...


class UnansweredError(Exception):
    """No attempt brought an answer to this one request; others may have theirs."""


class Asking:
    """One model behind one channel, for one event loop."""

    def __init__(
        self,
        channel: Channel,
        model: str,
        owner: str,
        account: Account,
        patience: Patience,
        window: Window,
        *,
        key_hint: str,
    ) -> None:
        self.channel = channel
        self.window = window
        self.dialect = Dialect()
        self._model = model
        self._owner = owner  # whose requests these are in the account
        self._account = account
        self._patience = patience
        self._key_hint = key_hint  # what to do about a refused key, in words
        self._contact = False  # whether the server has ever replied
        self._answered = False  # whether it has ever answered
        self._given_up = 0  # requests, since the last answer
        self._lost = 0  # attempts, since then

    async def ask(self, path: str, body: Mapping[str, Any], read: Read[T]) -> T:
        """What the reply to this body says.

        Raises UnansweredError when it cannot be had, Rejected when the prompt is too long or filtered,
        NotOffered, CapReachedError, and InfrastructureError or ModelError when asking on is of no use.
        """
        for _ in range(CHANGES):
            spoken = self.dialect.spoken(body)
            try:
                said = await self._patiently(path, spoken, read)
            except Rejected as refusal:
                if not self.dialect.learn(refusal, spoken):
                    raise await self._final(refusal) from None
            else:
                self._answered, self._given_up, self._lost = True, 0, 0
                return said
        raise self._refused("the server refuses every form of the request")

    async def _patiently(self, path: str, body: dict[str, Any], read: Read[T]) -> T:
        key = hexdigest(path, json.dumps(body, sort_keys=True))
        attempt = 0
        while True:
            try:
                return await self._attempt(path, body, read)
            except Transient as fault:
                attempt += 1
                self._lost += 1
                self._contact = self._contact or fault.reached
                allowed = self._patience.retries
                if not self._contact:
                    allowed = min(allowed, self._patience.without_contact)
                if attempt > allowed:
                    raise self._exhausted(fault, attempt) from None
                wait = self._patience.wait(key, attempt, fault.retry_after)
                if fault.retry_after is not None and fault.retry_after <= self._patience.longest:
                    self.window.pause(wait)
                await asyncio.sleep(wait)

    async def _attempt(self, path: str, body: dict[str, Any], read: Read[T]) -> T:
        held = await self._account.reserve(self._owner, *_most_tokens(body))
        used: tuple[int, int] | None = None
        reached = True
        healthy: bool | None = None
        ticket: int | None = None
        try:
            ticket = await self.window.enter()
            reply = await self.channel.post(path, body)
            self._contact = True
            used = usage(reply)
            said = read(reply)
            healthy = True
            return said
        except Transient as fault:
            reached = fault.reached
            healthy = False if fault.overloaded else None
            raise
        except Rejected:
            used, healthy = (0, 0), None
            self._contact = True
            raise
        finally:
            if ticket is not None:
                self.window.leave(ticket, healthy=healthy)
            self._account.settle(held, used, reached=reached and ticket is not None)

    def _exhausted(self, fault: Transient, attempts: int) -> Exception:
        if not self._contact:
            return InfrastructureError(
                f"{fault}; start the server or mend --base-url, then run the same command again"
            )
        self._given_up += 1
        reason = f"{fault} (after {attempts} attempts)" if attempts > 1 else str(fault)
        return self._down(reason) if self._lost >= LOST else UnansweredError(reason)

    def _refused(self, reason: str) -> Exception:
        """A refusal is no accident: a few of them tell enough."""
        self._given_up += 1
        return self._down(reason)

    def _down(self, reason: str) -> Exception:
        if self._given_up < GIVEN_UP:
            return UnansweredError(reason)
        return InfrastructureError(
            f"{self.channel.host} failed {self._given_up} requests in a row, the last one with: {reason}; "
            "answers so far are kept"
        )

    async def _final(self, refusal: Rejected) -> Exception:
        if refusal.too_long or refusal.filtered:
            return refusal
        where = f"{self.channel.host}: {refusal}"
        if refusal.status in (402, 429):
            return InfrastructureError(f"{where}; the account has nothing left, answers are kept")
        if refusal.status == 401 or (refusal.status == 403 and not self._answered):
            return ModelError(f"{where}; {self._key_hint}")
        if 300 <= refusal.status < 400:
            return ModelError(where)
        if refusal.status in (404, 405) and not self._answered:
            return ModelError(f"{where}{await self._model_hint()}")
        if refusal.status in (400, 422) and not self._answered and self._given_up + 1 >= GIVEN_UP:
            return ModelError(f"{where}; the server refuses every request")
        # A server that answers others is not down; it will not take this one.
        return UnansweredError(str(refusal)) if self._answered else self._refused(str(refusal))

    async def _model_hint(self) -> str:
        try:
            known = await self.channel.models()
        except (Transient, Rejected):
            known = []
        if known and self._model not in known:
            return (
                f"; the server has no model {self._model!r}{did_you_mean(self._model, known[:50])}"
            )
        return "; check --base-url (it mostly ends in /v1) and --endpoint"


def _most_tokens(body: Mapping[str, Any]) -> tuple[int, int]:
    """The most prompt and completion tokens that a request can use: no token is under a byte long."""
    prompt = body.get("messages") or body.get("prompt") or ""
    copies = len(prompt) if isinstance(prompt, list) and "prompt" in body else 1
    longest = body.get("max_tokens") or body.get("max_completion_tokens") or 0
    return len(json.dumps(prompt, ensure_ascii=False).encode("utf-8", "replace")), longest * copies
