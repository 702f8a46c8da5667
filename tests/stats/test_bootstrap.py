"""The cluster bootstrap against scipy's, and what must never change its bits."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from robust_eval.errors import StatisticsError
from robust_eval.stats.bootstrap import bootstrap, resampled


def ratio(sums):
    return 1 - sums[:, 1] / sums[:, 0]


def skewed(n: int = 60) -> np.ndarray:
    rng = np.random.default_rng(5)
    clean = rng.random(n)
    return np.column_stack([clean, clean * rng.random(n) ** 0.3])


def test_the_interval_is_that_of_scipy_bca() -> None:
    data = skewed()
    (ours,) = bootstrap(data, ratio, n=len(data))
    theirs = stats.bootstrap(
        (data[:, 0], data[:, 1]),
        lambda a, b, axis=-1: 1 - b.sum(axis=axis) / a.sum(axis=axis),
        paired=True,
        vectorized=True,
        n_resamples=20_000,
        method="BCa",
        rng=np.random.default_rng(1),
    ).confidence_interval
    width = theirs.high - theirs.low
    assert ours.low == pytest.approx(theirs.low, abs=0.05 * width)
    assert ours.high == pytest.approx(theirs.high, abs=0.05 * width)
    assert ours.value == pytest.approx(1 - data[:, 1].sum() / data[:, 0].sum(), abs=1e-6)


def test_order_of_clusters_and_other_calls_change_no_bit() -> None:
    data = skewed()
    again = data[np.random.default_rng(2).permutation(len(data))]
    assert bootstrap(data, ratio, n=60) == bootstrap(again, ratio, n=60)
    np.random.default_rng(3).random(10)
    assert bootstrap(data, ratio, n=60) == bootstrap(data, ratio, n=60)


def test_resampled_totals_have_the_moments_of_the_multinomial() -> None:
    sums = np.ones((40, 2))
    sums[:20, 1] = 0.0
    (totals,) = resampled([sums], draws=4000)
    assert (totals[:, 0] == 40).all()
    assert totals[:, 1].mean() == pytest.approx(20, abs=0.2)
    assert totals[:, 1].var() == pytest.approx(10, rel=0.1)


def test_a_table_is_resampled_alike_alone_and_among_others() -> None:
    data, longer = skewed(), skewed(70)
    alone = resampled([data], draws=500)[0]
    among = resampled([longer, data, data[:, :1], data[::-1]], draws=500)
    assert (among[1] == alone).all()
    assert (among[2] == alone[:, :1]).all()
    assert (among[3] == alone).all()
    assert (among[0] == resampled([longer], draws=500)[0]).all()
    assert [part.shape for part in among] == [(500, 2), (500, 2), (500, 1), (500, 2)]


def test_clusters_are_resampled_whole() -> None:
    rng = np.random.default_rng(4)
    alone = np.column_stack([np.ones(50), (rng.random(50) < 0.5).astype(float)])
    five_times = alone * 5
    mean = lambda sums: sums[:, 1] / sums[:, 0]  # noqa: E731
    one, other = bootstrap(alone, mean, n=50)[0], bootstrap(five_times, mean, n=250)[0]
    assert (one.low, one.high) == pytest.approx((other.low, other.high), abs=1e-9)


def test_a_figure_that_some_resample_does_not_have_gets_no_interval() -> None:
    data = np.array([[1.0, 1.0], [0.0, 0.0], [0.0, 0.0]])
    (found,) = bootstrap(data, ratio, n=3)
    assert math.isinf(found.high - found.low)
    with pytest.raises(StatisticsError, match="0 clusters"):
        bootstrap(np.zeros((0, 2)), ratio, n=0)


def test_several_figures_share_their_draws() -> None:
    data = skewed()
    both = bootstrap(data, lambda s: np.column_stack([ratio(s), ratio(s)]), n=60)
    assert both[0] == both[1]
