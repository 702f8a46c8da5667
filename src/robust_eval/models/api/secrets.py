"""Keys that must stay where they are: out of every text that a server or a library hands back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

HIDDEN = "[key]"
_SHORTEST = 8  # characters: replacing a shorter value would tear words apart
_NAMES = ("KEY", "TOKEN", "SECRET", "PASSWORD", "CREDENTIAL")  # in names of environment variables


class Secrets:
    """Values that are replaced wherever they turn up."""

    def __init__(self, values: Iterable[str | None]) -> None:
        # Longer ones first, so that one which holds another is replaced whole.
        self._values = sorted({value for value in values if value}, key=len, reverse=True)

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Secrets:
        """Every variable that is named like a key: what a library may have used."""
        return cls(
            value
            for name, value in environment.items()
            if len(value) >= _SHORTEST and any(part in name.upper() for part in _NAMES)
        )

    def hidden(self, text: str) -> str:
        """The same text without them."""
        for value in self._values:
            text = text.replace(value, HIDDEN)
        return text

    def scrubbed(self, value: Any) -> Any:
        """The same JSON without them: a server may repeat what it was sent."""
        if not self._values:
            return value
        if isinstance(value, str):
            return self.hidden(value)
        if isinstance(value, list):
            return [self.scrubbed(item) for item in value]
        if isinstance(value, dict):
            return {self.hidden(str(k)): self.scrubbed(v) for k, v in value.items()}
        return value
