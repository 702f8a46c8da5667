"""Adjusted p-values against statsmodels."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from robust_eval.errors import StatisticsError
from robust_eval.stats.multiple import benjamini_hochberg, holm

families = st.lists(st.floats(0, 1), min_size=1, max_size=30)


# A few fixed families: statsmodels collects garbage in every call of its Holm, 0.1 s and more.
@pytest.mark.parametrize(
    "p_values",
    [
        [0.04],
        [0.01, 0.04, 0.03, 0.005],
        [0.2, 0.2, 0.01, 1.0, 0.0],
        [i**2 / 900 for i in range(30)],
    ],
)
def test_holm_agrees_with_statsmodels(p_values: list[float]) -> None:
    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1])


@given(families)
def test_benjamini_hochberg_agrees_with_statsmodels(p_values: list[float]) -> None:
    assert benjamini_hochberg(p_values) == pytest.approx(
        multipletests(p_values, method="fdr_bh")[1]
    )


@given(families)
def test_adjusted_p_keep_the_order_of_the_raw_ones_and_are_never_smaller(
    p_values: list[float],
) -> None:
    for adjusted in (holm(p_values), benjamini_hochberg(p_values)):
        assert all(a >= p for a, p in zip(adjusted, p_values, strict=True))
        ranked = [a for _, a in sorted(zip(p_values, adjusted, strict=True))]
        assert ranked == sorted(ranked)


def test_ranks_are_ranks_and_not_positions_after_sorting() -> None:
    # argsort()+1 as ranks gives 0.06, 0.03, 0.02 here: the largest p would get the smallest.
    assert benjamini_hochberg([0.02, 0.03, 0.01]) == pytest.approx((0.03, 0.03, 0.03))
    assert holm([0.02, 0.03, 0.01]) == pytest.approx((0.04, 0.04, 0.03))


def test_a_family_where_nothing_passes_is_no_error() -> None:
    assert benjamini_hochberg([0.9, 0.8, 1.0]) == pytest.approx((1, 1, 1))
    assert holm([0.9, 0.8]) == (1, 1)


def test_an_empty_family_stays_empty() -> None:
    assert holm([]) == benjamini_hochberg([]) == ()


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_what_is_no_probability_is_an_error(p: float) -> None:
    with pytest.raises(StatisticsError, match="p-value"):
        holm([0.5, p])
