"""Intervals that hold for other seeds and draws: against two-way analysis of variance and by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from robust_eval.errors import StatisticsError
from robust_eval.stats import means
from robust_eval.stats.components import Spread, widened

RANGE = means.DIFFERENCE_RANGE


def estimate_of(table: np.ndarray):
    """The mean over examples (rows) of the mean over members (columns), as runs compute it."""
    return means.mean(list(table.mean(axis=1)), level=0.95, bounds=RANGE, pseudo=())


def test_members_that_agree_widen_nothing() -> None:
    estimate = means.mean([0.0, 1.0, 0.0, 1.0, 1.0] * 10, level=0.95, bounds=RANGE)
    found = widened(estimate, [Spread("seeds of b", (0.3, 0.3, 0.3))], 50, bounds=RANGE)
    assert found.estimate.low == pytest.approx(estimate.low)
    assert found.estimate.high == pytest.approx(estimate.high)


def test_squared_errors_of_examples_seeds_and_draws_add_up() -> None:
    rng = np.random.default_rng(0)
    estimate = means.mean(list(rng.normal(0.1, 0.3, 200)), level=0.95, bounds=RANGE)
    seeds, draws = (0.1, 0.2, 0.15, 0.05), (0.0, 0.1, 0.3)
    found = widened(
        estimate, [Spread("seeds of b", seeds), Spread("draws of m", draws)], 200, bounds=RANGE
    )
    parts = [found.over_examples, np.var(seeds, ddof=1) / 4, np.var(draws, ddof=1) / 3]
    total = sum(parts)
    df = total**2 / (parts[0] ** 2 / 199 + parts[1] ** 2 / 3 + parts[2] ** 2 / 2)
    from scipy.stats import t

    reach = t.ppf(0.975, df) * math.sqrt(total)
    assert (found.estimate.high - found.estimate.low) / 2 == pytest.approx(reach)
    assert found.p == pytest.approx(2 * t.sf(abs(estimate.value) / math.sqrt(total), df))
    assert found.estimate.method.endswith("widened by seeds and draws")


def test_the_variance_is_that_of_a_two_way_layout_to_the_wide_side() -> None:
    """Examples x seeds with both effects: statsmodels' mean squares give the unbiased variance."""
    import pandas as pd
    from statsmodels.formula.api import ols
    from statsmodels.stats.anova import anova_lm

    rng = np.random.default_rng(1)
    n, k = 40, 6
    table = (
        rng.normal(0, 0.2, (n, 1)) + rng.normal(0, 0.1, (1, k)) + rng.normal(0, 0.2, (n, k)) + 0.1
    )
    frame = pd.DataFrame(
        [(i, j, table[i, j]) for i in range(n) for j in range(k)], columns=["item", "seed", "y"]
    )
    squares = anova_lm(ols("y ~ C(item) + C(seed)", frame).fit())["mean_sq"]
    unbiased = (squares["C(item)"] + squares["C(seed)"] - squares["Residual"]) / (n * k)
    spread = Spread("seeds of b", tuple(table.mean(axis=0)))
    found = widened(estimate_of(table), [spread], n, bounds=RANGE)
    ours = found.over_examples + spread.variance
    assert unbiased < ours < unbiased + 1.05 * squares["Residual"] / (n * k)


def test_intervals_hold_for_other_seeds_where_those_over_examples_do_not() -> None:
    rng = np.random.default_rng(2)
    inside = {"examples": 0, "both": 0}
    runs = 600
    for _ in range(runs):
        seeds = rng.normal(0, 0.08, 3)  # each seed's own effect; the true mean is 0.1
        table = rng.normal(0.1, 0.4, (150, 1)) + seeds + rng.normal(0, 0.2, (150, 3))
        narrow = estimate_of(table)
        wide = widened(narrow, [Spread("seeds of b", tuple(table.mean(axis=0)))], 150, bounds=RANGE)
        inside["examples"] += narrow.low <= 0.1 <= narrow.high
        inside["both"] += wide.estimate.low <= 0.1 <= wide.estimate.high
    assert inside["examples"] / runs < 0.85
    assert inside["both"] / runs > 0.93


def test_bounds_hold_and_one_member_has_no_spread() -> None:
    estimate = means.mean([1.0] * 20, level=0.95, bounds=means.SCORE_RANGE)
    found = widened(estimate, [Spread("seeds of b", (1.0, 0.5))], 20, bounds=means.SCORE_RANGE)
    assert 0.0 <= found.estimate.low <= found.estimate.high <= 1.0
    with pytest.raises(StatisticsError, match="one member has no spread"):
        widened(estimate, [Spread("seeds of b", (1.0,))], 20, bounds=means.SCORE_RANGE)
