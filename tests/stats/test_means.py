"""Clustered means against statsmodels, and what they promise on little or even data."""

from __future__ import annotations

import random

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from robust_eval.errors import StatisticsError
from robust_eval.stats import means
from robust_eval.stats.two_sample import fisher, welch


def clustered_scores(seed: int, clusters: int) -> tuple[list[float], list[str]]:
    draw = random.Random(seed)
    values, names = [], []
    for c in range(clusters):
        base = draw.random()
        for _ in range(1 + int(draw.random() * 5)):
            values.append((base + draw.random()) / 2)
            names.append(f"c{c}")
    return values, names


@pytest.mark.parametrize(("seed", "clusters"), [(1, 4), (2, 30), (3, 120)])
def test_clustered_mean_agrees_with_cluster_robust_regression_of_statsmodels(
    seed: int, clusters: int
) -> None:
    values, names = clustered_scores(seed, clusters)
    groups = np.unique(names, return_inverse=True)[1]
    fit = sm.OLS(values, np.ones(len(values))).fit(
        cov_type="cluster", cov_kwds={"groups": groups}, use_t=True
    )
    low, high = fit.conf_int(0.05)[0]
    ours = means.mean(values, names, bounds=(-9, 9), pseudo=())
    assert (ours.value, ours.low, ours.high) == pytest.approx((fit.params[0], low, high))
    assert ours.method == "clustered t"


def test_unclustered_mean_agrees_with_scipys_t_interval() -> None:
    values, _ = clustered_scores(5, 20)
    low, high = scipy_stats.ttest_1samp(values, 0).confidence_interval(0.9)
    ours = means.mean(values, level=0.9, bounds=(-9, 9), pseudo=())
    assert (ours.low, ours.high) == pytest.approx((low, high))


def test_pseudo_clusters_are_ordinary_clusters_of_mean_size() -> None:
    values, names = [0.0, 1.0, 1.0, 0.0], ["a", "a", "b", "b"]
    spelled = means.moments([*values, -1, -1, 1, 1], [*names, "x", "x", "y", "y"])
    added = means.moments(values, names, pseudo=means.DROP_PSEUDO)
    assert (added.centre, added.variance, added.df) == pytest.approx(
        (spelled.centre, spelled.variance, spelled.df)
    )
    assert (added.value, added.n, added.clusters) == (0.5, 4, 2)


@pytest.mark.parametrize("value", [0.0, 1.0])
@pytest.mark.parametrize("n", [1, 2, 10, 1000])
def test_equal_scores_still_have_an_interval_of_some_width(n: int, value: float) -> None:
    ours = means.mean([value] * n)
    assert ours.value == value
    assert ours.high - ours.low >= 1 / n


def test_one_cluster_without_pseudo_clusters_spans_the_whole_range_and_says_so() -> None:
    ours = means.mean([0.25, 0.75], ["same", "same"], pseudo=())
    assert (ours.value, ours.low, ours.high) == (0.5, 0.0, 1.0)
    assert "one cluster" in ours.method


def test_copies_of_an_item_do_not_narrow_the_interval() -> None:
    values = [0.0, 1.0, 1.0, 1.0, 0.0, 1.0]
    once = means.mean(values, list("abcdef"))
    often = means.mean(values * 10, list("abcdef") * 10)
    naive = means.mean(values * 10)
    assert (often.low, often.high) == pytest.approx((once.low, once.high))
    assert naive.high - naive.low < (often.high - often.low) / 2


@pytest.mark.parametrize("values", [[], [float("nan")], [float("inf"), 0.0]])
def test_empty_or_unfinite_scores_are_an_error(values: list[float]) -> None:
    with pytest.raises(StatisticsError, match=r"0 scores|finite"):
        means.mean(values)


def test_clusters_of_another_length_are_an_error() -> None:
    with pytest.raises(StatisticsError, match="2 scores and 1 cluster"):
        means.mean([0.0, 1.0], ["a"])


@given(st.lists(st.floats(0, 1), min_size=2, max_size=60), st.randoms(use_true_random=False))
def test_order_changes_no_bit(values: list[float], shuffler: random.Random) -> None:
    clusters = [i % 7 for i in range(len(values))]
    items = list(zip(values, clusters, strict=True))
    before = means.mean(values, clusters)
    shuffler.shuffle(items)
    assert means.mean([v for v, _ in items], [c for _, c in items]) == before


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=40))
def test_the_interval_of_the_negated_differences_is_the_mirror_image(values: list[float]) -> None:
    keywords = {"bounds": means.DROP_RANGE, "pseudo": means.DROP_PSEUDO}
    one, other = means.mean(values, **keywords), means.mean([-v for v in values], **keywords)
    assert (one.value, one.low, one.high) == (-other.value, -other.high, -other.low)
    assert -1 <= one.low <= one.value <= one.high <= 1


def test_welch_agrees_with_scipy() -> None:
    first, second = clustered_scores(1, 12)[0], clustered_scores(2, 30)[0]
    theirs = scipy_stats.ttest_ind(first, second, equal_var=False)
    low, high = theirs.confidence_interval(0.95)
    ours, p = welch(means.moments(first), means.moments(second))
    assert (ours.low, ours.high, p) == pytest.approx((low, high, theirs.pvalue))


def test_welch_p_and_interval_agree_about_zero() -> None:
    for seed in range(40):
        first, second = clustered_scores(seed, 8)[0], clustered_scores(seed + 99, 9)[0]
        ours, p = welch(means.moments(first), means.moments([s * 0.8 for s in second]))
        assert (ours.low > 0 or ours.high < 0) == (p < 0.05)


def test_welch_of_groups_without_spread_does_not_divide_by_zero() -> None:
    ours, p = welch(means.moments([1.0, 1.0]), means.moments([1.0, 1.0, 1.0]))
    assert (ours.low, ours.high, p) == (0, 0, 1)
    ours, p = welch(means.moments([1.0]), means.moments([0.0, 1.0]))
    assert (ours.low, ours.high, p) == (-1, 1, 1)


def test_fisher_gives_the_tea_tasting_p() -> None:
    assert fisher(3, 4, 1, 4) == pytest.approx(34 / 70)  # Fisher (1935): 17/70 one-sided
    assert fisher(5, 5, 7, 7) == 1
