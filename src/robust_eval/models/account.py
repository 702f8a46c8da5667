"""What asking hosted models costs: requests, tokens and money, and the caps that end a run in time."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

from robust_eval.models.limits import RequestLimits

MILLION = 1_000_000


class CapReachedError(Exception):
    """A cap that the user has set would be passed by another request."""


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per million tokens, and the day the table states."""

    prompt: float
    completion: float
    date: str

    def of(self, prompt_tokens: int, completion_tokens: int) -> float:
        return (self.prompt * prompt_tokens + self.completion * completion_tokens) / MILLION


@dataclass(frozen=True, slots=True)
class Reservation:
    """The most that one request may use; held while it is on its way."""

    model: str
    prompt_tokens: int
    completion_tokens: int
    cost: float


@dataclass(slots=True)
class Tally:
    """What one model has used so far. `estimated` counts requests whose usage no reply stated: they
    are charged with the most that they may have used."""

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    estimated: int = 0
    cost: float = 0.0
    price: Price | None = None


@dataclass(slots=True)
class Account:
    """All requests of one run. Caps hold over every model of the run together."""

    limits: RequestLimits = field(default_factory=RequestLimits)
    tallies: dict[str, Tally] = field(default_factory=dict)
    _reserved: float = 0.0
    _held: int = 0
    _settled: asyncio.Event = field(default_factory=asyncio.Event)
    _started: float | None = None

    def open(self, model: str, price: Price | None) -> None:
        """A model is about to be asked; the deadline starts to run with the first."""
        if self._started is None:
            self._started = time.monotonic()
        self.tallies.setdefault(model, Tally(price=price))

    @property
    def time_left(self) -> float | None:
        """Seconds until the deadline, at least 0; None without one."""
        if self.limits.deadline is None or self._started is None:
            return None
        return max(0.0, self.limits.deadline - (time.monotonic() - self._started))

    @property
    def requests(self) -> int:
        return sum(tally.requests for tally in self.tallies.values())

    @property
    def cost(self) -> float:
        return sum(tally.cost for tally in self.tallies.values())

    async def reserve(self, model: str, prompt_tokens: int, completion_tokens: int) -> Reservation:
        """Leave to send one request that uses at most these tokens.

        Waits while requests on their way may turn out cheaper than their reservation. Raises
        CapReachedError when the request could pass a cap: a cap is never passed.
        """
        tally = self.tallies[model]
        most = tally.price.of(prompt_tokens, completion_tokens) if tally.price else 0.0
        while True:
            self._check()
            cap = self.limits.max_cost
            if cap is None or self.cost + self._reserved + most <= cap:
                break
            if not self._held:
                raise CapReachedError(
                    f"${self.cost:.4f} of --max-cost {cap:g} is spent, and the next request may cost "
                    f"up to ${most:.4f}"
                )
            await self._settled.wait()
        tally.requests += 1
        self._held += 1
        self._reserved += most
        return Reservation(model, prompt_tokens, completion_tokens, most)

    def settle(self, held: Reservation, usage: tuple[int, int] | None, *, reached: bool) -> None:
        """Replaces a reservation by what the reply says was used: (prompt, completion) tokens.

        Without a statement the most is charged, as a request that timed out may be billed; nothing is
        when no server was reached.
        """
        tally = self.tallies[held.model]
        self._held -= 1
        self._reserved = max(0.0, self._reserved - held.cost) if self._held else 0.0
        if usage is None and reached:
            usage = (held.prompt_tokens, held.completion_tokens)
            tally.estimated += 1
        if usage is not None:
            tally.prompt_tokens += usage[0]
            tally.completion_tokens += usage[1]
            tally.cost += tally.price.of(*usage) if tally.price else 0.0
        settled, self._settled = self._settled, asyncio.Event()
        settled.set()

    def summary(self) -> dict[str, dict[str, Any]]:
        """Usage by model, JSON-able; `cost` only where a price is known."""
        return {
            model: {
                "requests": tally.requests,
                "prompt_tokens": tally.prompt_tokens,
                "completion_tokens": tally.completion_tokens,
                "estimated_requests": tally.estimated,
            }
            | ({"cost": round(tally.cost, 6), "prices_of": tally.price.date} if tally.price else {})
            for model, tally in self.tallies.items()
            if tally.requests
        }

    def _check(self) -> None:
        cap = self.limits.max_requests
        if cap is not None and self.requests >= cap:
            raise CapReachedError(f"all of --max-requests {cap} are made")
        if self.time_left == 0:
            raise CapReachedError(f"the --deadline of {self.limits.deadline:g} s is over")
