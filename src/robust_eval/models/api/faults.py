"""What can come instead of an answer, by what to do about it."""

from __future__ import annotations


class Transient(Exception):  # noqa: N818 - a reply that was lost, not a mistake of ours
    """Worth asking again: the server is overloaded, gone for a moment, or its reply is broken."""

    def __init__(
        self,
        reason: str,
        *,
        overloaded: bool = False,
        retry_after: float | None = None,
        reached: bool = True,
    ) -> None:
        super().__init__(reason)
        self.overloaded = overloaded  # fewer requests at once may help
        self.retry_after = retry_after  # seconds, as the server asked
        self.reached = reached  # False: no connection, so nothing was computed or billed


class Rejected(Exception):  # noqa: N818
    """The server understood and will not answer this request: asking again is of no use."""

    def __init__(self, status: int, message: str, *, code: str = "", parameter: str = "") -> None:
        super().__init__(f"HTTP {status}: {message}" if message else f"HTTP {status}")
        self.status = status
        self.message = message
        self.code = code
        self.parameter = parameter

    @property
    def names(self) -> str:
        """All that the server says about why, in lower case."""
        return f"{self.code} {self.parameter} {self.message}".lower()

    @property
    def too_long(self) -> bool:
        """Whether the prompt does not fit the model's window."""
        return (
            any(
                words in self.names
                for words in (
                    "context_length",
                    "context length",
                    "context size",
                    "context window",
                    "exceed_context",
                    "too many tokens",
                    "prompt is too long",
                    "maximum number of tokens",
                    "input is too long",
                )
            )
            or self.status == 413
        )

    @property
    def filtered(self) -> bool:
        """Whether the provider's content filter stopped it."""
        return any(words in self.names for words in ("content_filter", "content management policy"))


class NotOffered(Exception):  # noqa: N818
    """A sound answer without what was asked for, such as log-probabilities."""
