"""What the parts of an attack may use beside the victim: the run's caches, and models that write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, Self, runtime_checkable

from robust_eval.models.cache import PredictionCache
from robust_eval.records import Model


@dataclass(frozen=True, slots=True)
class Tools:
    cache: PredictionCache
    writers: Mapping[str, Model] = field(default_factory=dict)  # by style of rewriting

    @property
    def folder(self) -> Path:
        """Where vectors and tokenizers are kept."""
        return self.cache.path.parent


@runtime_checkable
class NeedsTools(Protocol):
    """A part that is not complete by its recipe alone. `equipped` raises ModelError for what is not installed."""

    def equipped(self, tools: Tools) -> Self: ...
