"""Scores of labels as shares of one."""

from __future__ import annotations

import math
from collections.abc import Sequence


def log_softmax(values: Sequence[float]) -> tuple[float, ...]:
    """Log of each value's share, stable for large negative values; same order."""
    top = max(values)
    total = top + math.log(math.fsum(math.exp(value - top) for value in values))
    return tuple(value - total for value in values)
