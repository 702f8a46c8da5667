"""Weights in memory: which models of a run have them in common, and when they are let go."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from robust_eval.models.prefix import Network
    from robust_eval.models.tokens import Tokens


@dataclass(slots=True)
class Loaded:
    """What was read of one language model; everything in it may be read again."""

    tokens: Tokens | None = None
    network: Network | None = None
    _notes: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What was found out about the network while it was in memory; nothing before."""
        return tuple(self.network.notes) if self.network else self._notes

    def release(self) -> None:
        """Lets the network go; what was found out about it stays."""
        self._notes = self.notes
        self.network = None


@dataclass(frozen=True, slots=True)
class Shelf:
    """One run's language models: those of the same weights in the same place read them once."""

    _found: dict[tuple[str, ...], Loaded] = field(default_factory=dict)

    def of(self, *key: str) -> Loaded:
        return self._found.setdefault(key, Loaded())


@runtime_checkable
class Holds(Protocol):
    """A model that keeps weights in memory once it was asked. Models that hold the same object share them."""

    def holds(self) -> object: ...

    def release(self) -> None:
        """Lets the weights go; another question reads them again."""


def shares(model: object, other: object) -> bool:
    """Whether the second answers from weights that the first has read."""
    return isinstance(model, Holds) and isinstance(other, Holds) and model.holds() is other.holds()
