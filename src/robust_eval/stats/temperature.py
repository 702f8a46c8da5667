"""Temperature scaling: one number that makes a model's probabilities fit how often it is right.

Source: Guo et al. (2017), arXiv:1706.04599. The label with the highest score stays the same, whatever the temperature.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from robust_eval.errors import StatisticsError
from robust_eval.stats.shares import log_softmax

LEAST, MOST = 0.05, 20.0  # temperatures; beyond, probabilities are 0 and 1, or all alike
STEPS = 60  # halvings: the inverse temperature is known to 20 / 2**60


def temperature(rows: Sequence[Sequence[float]], targets: Sequence[int]) -> float:
    """The temperature under which the rows' log-softmax gives the targets the least mean log loss.

    Over 1 the model was too sure. `rows` hold one score (logit or log-probability) a label, `targets` the right
    label's place. The loss is convex in the inverse temperature, so its derivative is halved to 0; where it has no
    0 within LEAST and MOST, the nearer of the two is given. Raises StatisticsError without rows, or when every
    row gives all labels the same score.
    """
    if not rows or len(rows) != len(targets):
        raise StatisticsError(f"{len(rows)} answers and {len(targets)} targets give no temperature")
    if not any(max(row) > min(row) for row in rows):
        raise StatisticsError(
            "every answer gives all labels the same score: there is no temperature"
        )
    if not all(math.isfinite(value) for row in rows for value in row):
        raise StatisticsError("a label's score is not a finite number")
    low, high = 1 / MOST, 1 / LEAST
    if _slope(rows, targets, low) >= 0:
        return MOST
    if _slope(rows, targets, high) <= 0:
        return LEAST
    for _ in range(STEPS):
        middle = (low + high) / 2
        if _slope(rows, targets, middle) < 0:
            low = middle
        else:
            high = middle
    return 2 / (low + high)


def scaled(row: Sequence[float], at: float) -> tuple[float, ...]:
    """The log-softmax of a row of scores over the temperature."""
    return log_softmax([value / at for value in row])


def mean_log_loss(
    rows: Sequence[Sequence[float]], targets: Sequence[int], at: float = 1.0
) -> float:
    """Mean negative log-probability of the targets, in nats, at this temperature."""
    losses = (-scaled(row, at)[target] for row, target in zip(rows, targets, strict=True))
    return math.fsum(losses) / len(rows)


def _slope(rows: Sequence[Sequence[float]], targets: Sequence[int], inverse: float) -> float:
    """The derivative of the summed log loss by the inverse temperature."""
    parts = []
    for row, target in zip(rows, targets, strict=True):
        shares = [math.exp(value) for value in scaled(row, 1 / inverse)]
        parts.append(math.fsum(p * v for p, v in zip(shares, row, strict=True)) - row[target])
    return math.fsum(parts)
