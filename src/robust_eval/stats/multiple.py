"""Adjusted p-values for a family of tests, in the order they were given."""

from __future__ import annotations

from collections.abc import Sequence

from robust_eval.errors import StatisticsError


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Holm's step-down adjusted p-values: the chance of one false claim in the family stays bounded.

    An empty family gives an empty tuple. Source: Holm (1979), Scand. J. Statist. 6,
    https://www.jstor.org/stable/4615733.
    """
    _check(p_values)
    count = len(p_values)
    adjusted = [0.0] * count
    highest = 0.0
    for rank, i in enumerate(sorted(range(count), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (count - rank) * p_values[i]))
        adjusted[i] = highest
    return tuple(adjusted)


def benjamini_hochberg(p_values: Sequence[float]) -> tuple[float, ...]:
    """Step-up adjusted p-values that bound the share of false finds: for exploring, not for verdicts.

    Source: Benjamini & Hochberg (1995), JRSS B 57, doi:10.1111/j.2517-6161.1995.tb02031.x.
    """
    _check(p_values)
    count = len(p_values)
    adjusted = [0.0] * count
    lowest = 1.0
    # From the largest p down; rank counts from 1 at the smallest.
    for rank, i in reversed(list(enumerate(sorted(range(count), key=p_values.__getitem__), 1))):
        lowest = min(lowest, p_values[i] * (count / rank))
        adjusted[i] = lowest
    return tuple(adjusted)


def _check(p_values: Sequence[float]) -> None:
    for p in p_values:
        if not 0 <= p <= 1:
            raise StatisticsError(f"a p-value lies between 0 and 1, not {p}")
