"""How a hosted model may be asked: patience, caps and the key's place. None of it changes an answer."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from robust_eval.errors import UsageError

KEY_VARIABLE = "OPENAI_API_KEY"
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLimits:
    """Times are seconds; None sets no limit. A run that reaches one ends with exit code 4."""

    api_key_env: str = KEY_VARIABLE  # the environment variable that holds the key
    timeout: float = 60.0  # of one request
    deadline: float | None = None  # of all requests of a run together
    retries: int = 10  # after the first attempt
    retry_wait: float = 30.0  # the longest wait before one, whatever a server asks for
    concurrency: int = 64  # requests on their way at once, at most
    max_requests: int | None = None  # attempts, retries included
    max_cost: float | None = None  # US dollars
    prices: str | None = None  # a TOML table of one's own

    def __post_init__(self) -> None:
        if not _VARIABLE.match(self.api_key_env):
            # The value may be the key itself, so it is not repeated.
            raise UsageError(
                "--api-key-env takes the name of an environment variable, such as "
                f"{KEY_VARIABLE}, not a key"
            )
        for name, value, least, most in (
            ("--timeout", self.timeout, 0.001, 86_400),
            ("--deadline", self.deadline, 0.001, 10**9),
            ("--retries", self.retries, 0, 100),
            ("--retry-wait", self.retry_wait, 0, 3_600),
            ("--concurrency", self.concurrency, 1, 1_024),
            ("--max-requests", self.max_requests, 1, 10**12),
            ("--max-cost", self.max_cost, 0, 10**9),
        ):
            if value is not None and not (math.isfinite(value) and least <= value <= most):
                raise UsageError(f"{name} must be from {least:g} to {most:g}, not {value:g}")
