"""How long to wait before asking again: exponential, with jitter that is keyed and so repeatable."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from robust_eval.rng import stream

FIRST_WAIT = 0.5  # seconds, doubled with every attempt


@dataclass(frozen=True, slots=True)
class Patience:
    """At most `retries` further attempts; no wait is longer than `longest`, whoever asks for it.

    `without_contact` attempts are made while no server has ever answered: one that is starting up
    gets a moment, a wrong address is reported within seconds.
    """

    retries: int
    longest: float  # seconds
    without_contact: int = 3

    def wait(self, key: str, attempt: int, retry_after: float | None = None) -> float:
        """Seconds before attempt number `attempt + 1`; the same for the same key and attempt.

        Full jitter (a uniform share of the exponential wait), so that requests which failed
        together do not come back together. A wait that the server asks for is kept, up to `longest`.

        Source: full jitter of Brooker (2015), "Exponential Backoff And Jitter", AWS Architecture Blog.
        """
        if retry_after is not None and retry_after > 0:
            return min(retry_after, self.longest)
        share = stream(attempt, "retry", key).random()
        return float(share * min(self.longest, FIRST_WAIT * 2.0 ** min(attempt, 30)))


def retry_after(value: str | None, now: datetime) -> float | None:
    """The header's seconds from `now`, whether it names seconds or a date; None when it says neither."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            moment = parsedate_to_datetime(value)
        except (ValueError, TypeError):
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        seconds = (moment - now).total_seconds()
    return seconds if math.isfinite(seconds) and seconds > 0 else None
