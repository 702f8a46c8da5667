"""Which of the usual parameters a server takes: learnt from what it refuses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from robust_eval.models.api.faults import NotOffered, Rejected

TOP = 20  # alternatives asked for at each position: the most that hosted chat models give
TOP_OLD = 5  # the most that hosted completions give
_OPTIONAL = ("temperature", "seed", "stop")


class Dialect:
    """Parameters as this server wants them. What it refuses by name is left out from then on."""

    def __init__(self) -> None:
        self.top = TOP
        self._renamed: dict[str, str] = {}
        self.left_out: set[str] = set()

    def spoken(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The same request in this dialect."""
        return {
            self._renamed.get(name, name): min(self.top, value) if _is_top(name, value) else value
            for name, value in body.items()
            if name not in self.left_out and value is not None
        }

    def learn(self, refusal: Rejected, body: Mapping[str, Any]) -> bool:
        """Whether the request may be answered when it is put otherwise, from now on.

        Raises NotOffered when log-probabilities or the echo are what the server does not take.
        """
        if refusal.status not in (400, 404, 422, 501) or refusal.too_long:
            return False
        names = refusal.parameter.lower() or refusal.names
        if "max_completion_tokens" in refusal.names and "max_tokens" in body:
            return self._renamed.setdefault("max_tokens", "max_completion_tokens") not in body
        if "echo" in body and ("echo" in names or "max_tokens" in names or "prompt" in names):
            raise NotOffered(str(refusal))
        if "logprobs" in body and "logprob" in names:
            if self.top > TOP_OLD:
                self.top = TOP_OLD
                return True
            raise NotOffered(str(refusal))
        for name in _OPTIONAL:
            if name in body and name in names and name not in self.left_out:
                self.left_out.add(name)
                return True
        return False


def _is_top(name: str, value: Any) -> bool:
    return name in ("logprobs", "top_logprobs") and isinstance(value, int) and value is not True
