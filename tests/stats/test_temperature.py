"""Temperatures against scipy and statsmodels, and at their bounds."""

from __future__ import annotations

import math

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from robust_eval.errors import StatisticsError
from robust_eval.stats.temperature import LEAST, MOST, mean_log_loss, scaled, temperature


def drawn(labels: int, true: float, n: int = 300) -> tuple[list[list[float]], list[int]]:
    """Scores whose right temperature is `true`, and labels drawn from them."""
    rng = np.random.default_rng(labels)
    rows = rng.normal(size=(n, labels)) * 3
    shares = np.exp(log_softmax(rows / true, axis=1))
    return rows.tolist(), [int(rng.choice(labels, p=row)) for row in shares]


@pytest.mark.parametrize("labels", [2, 3, 7])
@pytest.mark.parametrize("true", [0.5, 2.5])
def test_the_temperature_is_where_scipy_finds_the_least_log_loss(labels: int, true: float) -> None:
    rows, targets = drawn(labels, true)
    found = minimize_scalar(
        lambda b: -np.mean(log_softmax(np.array(rows) * b, axis=1)[range(len(rows)), targets]),
        bounds=(1 / MOST, 1 / LEAST),
        method="bounded",
        options={"xatol": 1e-10},
    )
    value = temperature(rows, targets)
    assert value == pytest.approx(1 / found.x, rel=1e-5)
    assert mean_log_loss(rows, targets, value) == pytest.approx(found.fun, rel=1e-9)
    assert mean_log_loss(rows, targets, value) <= mean_log_loss(rows, targets)


def test_with_two_labels_its_inverse_is_the_slope_of_a_logistic_regression_through_0() -> None:
    rows, targets = drawn(2, 1.7)
    log_odds = [[b - a] for a, b in rows]
    theirs = sm.Logit(targets, log_odds).fit(disp=False, tol=1e-12)
    assert 1 / temperature(rows, targets) == pytest.approx(theirs.params[0], rel=1e-6)


def test_all_right_and_all_wrong_stop_at_the_bounds() -> None:
    rows = [[2.0, 0.0], [0.0, 1.0]] * 10
    assert temperature(rows, [0, 1] * 10) == LEAST
    assert temperature(rows, [1, 0] * 10) == MOST


@given(
    st.lists(st.lists(st.floats(-800, 0), min_size=3, max_size=3), min_size=1, max_size=5),
    st.floats(LEAST, MOST),
)
def test_scaling_keeps_the_order_of_labels_and_sums_to_one(
    rows: list[list[float]], at: float
) -> None:
    for row in rows:
        after = scaled(row, at)
        assert math.fsum(map(math.exp, after)) == pytest.approx(1)
        assert after[row.index(max(row))] == max(after)


def test_nothing_to_fit_is_refused() -> None:
    with pytest.raises(StatisticsError, match="0 answers"):
        temperature([], [])
    with pytest.raises(StatisticsError, match="same score"):
        temperature([[0.5, 0.5]], [0])
    with pytest.raises(StatisticsError, match="finite"):
        temperature([[-math.inf, 0.0]], [0])
