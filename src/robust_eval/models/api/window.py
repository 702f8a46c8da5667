"""How many requests are on their way at once: more while all is well, half as many when it is not."""

from __future__ import annotations

import asyncio
from collections import deque


class Window:
    """Doubles each round trip until the first trouble, then grows by one and halves (AIMD).

    Troubles of requests that were already on their way at the last halving say nothing new and
    are not counted again. Belongs to one event loop.

    Source: slow start and congestion avoidance of Jacobson (1988), as for TCP.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.size = 1.0
        self.in_flight = 0
        self.peak = 0
        self._slow_start = True
        self._halvings = 0
        self._paused_until = 0.0  # by the event loop's clock
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def enter(self) -> int:
        """Waits for room; gives the ticket to hand back to `leave`."""
        loop = asyncio.get_running_loop()
        while True:
            pause = self._paused_until - loop.time()
            if pause > 0:
                await asyncio.sleep(pause)
            elif self.in_flight < int(self.size):
                break
            else:
                turn = loop.create_future()
                self._waiting.append(turn)
                await turn
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        return self._halvings

    def leave(self, ticket: int, *, healthy: bool | None) -> None:
        """Gives the place back. `healthy` None: what came says nothing about the server's load."""
        self.in_flight -= 1
        if healthy:
            step = 1.0 if self._slow_start else 1.0 / self.size
            self.size = min(float(self.most), self.size + step)
        elif healthy is False and ticket == self._halvings:
            self.size = max(1.0, self.size / 2)
            self._slow_start = False
            self._halvings += 1
        free = int(self.size) - self.in_flight
        while free > 0 and self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():  # else its task was cancelled
                turn.set_result(None)
                free -= 1

    def pause(self, seconds: float) -> None:
        """Nobody enters before these seconds are over: the server has said when to come back."""
        until = asyncio.get_running_loop().time() + seconds
        self._paused_until = max(self._paused_until, until)
