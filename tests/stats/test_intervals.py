"""Score-type intervals against statsmodels, a published example, and their own promises."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from robust_eval.errors import StatisticsError
from robust_eval.stats.intervals import bonett_price, newcombe, wilson

LEVELS = (0.8, 0.9, 0.95, 0.99)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(
    ("successes", "n"), [(0, 1), (1, 1), (0, 10), (3, 10), (10, 10), (81, 263), (999, 1000)]
)
def test_wilson_agrees_with_statsmodels(successes: int, n: int, level: float) -> None:
    low, high = proportion_confint(successes, n, alpha=1 - level, method="wilson")
    ours = wilson(successes, n, level=level)
    assert (ours.low, ours.high) == pytest.approx((low, high), abs=1e-12)
    assert (ours.value, ours.n, ours.level) == (successes / n, n, level)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(
    "counts",
    [(56, 70, 48, 80), (9, 10, 3, 10), (10, 10, 0, 20), (5, 56, 0, 29), (0, 7, 0, 9), (1, 1, 0, 1)],
)
def test_newcombe_agrees_with_statsmodels(counts: tuple[int, ...], level: float) -> None:
    low, high = confint_proportions_2indep(
        *counts, method="newcomb", compare="diff", alpha=1 - level, correction=False
    )
    ours = newcombe(*counts, level=level)
    assert (ours.low, ours.high) == pytest.approx((low, high), abs=1e-12)


def test_newcombe_gives_the_published_interval_of_his_first_example() -> None:
    ours = newcombe(56, 70, 48, 80)  # Newcombe (1998), table II, case (a), method 10
    assert (round(ours.low, 4), round(ours.high, 4)) == (0.0524, 0.3339)


def test_bonett_price_gives_the_interval_documented_by_its_authors_package() -> None:
    # R package statpsych (D. G. Bonett), ci.prop.ps(.05, 12, 4, 26, 6)
    ours = bonett_price(26, 4, 48)
    assert (round(ours.low, 7), round(ours.high, 7)) == (0.2548067, 0.6251933)
    assert ours.value == pytest.approx(22 / 48)


def test_bonett_price_gives_the_standard_error_documented_for_meta_analysis() -> None:
    # R package vcmeta (D. G. Bonett), se.prop.ps(16, 64, 5, 15): estimate 0.5784314, SE 0.05953213
    ours = bonett_price(64, 5, 100)
    assert (ours.low + ours.high) / 2 == pytest.approx(0.5784314, abs=5e-8)
    assert (ours.high - ours.low) / 2 / 1.959963985 == pytest.approx(0.05953213, abs=5e-9)


def test_bonett_price_keeps_a_width_when_nothing_flips() -> None:
    ours = bonett_price(0, 0, 200)
    assert ours.value == 0
    assert ours.low == pytest.approx(-ours.high)
    assert 0.01 < ours.high < 0.03


@pytest.mark.parametrize(
    "call",
    [
        lambda: wilson(0, 0),
        lambda: newcombe(0, 0, 1, 2),
        lambda: newcombe(1, 2, 0, 0),
        lambda: bonett_price(0, 0, 0),
    ],
)
def test_no_item_is_an_error_and_not_a_zero(call) -> None:
    with pytest.raises(StatisticsError, match="0 items"):
        call()


@pytest.mark.parametrize(("lost", "gained"), [(3, 3), (-1, 2), (2, -1), (6, 0)])
def test_more_flips_than_pairs_is_an_error(lost: int, gained: int) -> None:
    with pytest.raises(StatisticsError, match="is not a count"):
        bonett_price(lost, gained, 5)


@pytest.mark.parametrize("level", [0, 1, 95, -0.5, math.nan])
def test_a_level_that_is_no_probability_is_an_error(level: float) -> None:
    with pytest.raises(StatisticsError, match=r"0\.95 is usual"):
        wilson(1, 2, level=level)


def test_ten_samples_cannot_meet_a_ten_percent_limit() -> None:
    # A suite that judges 10 samples against 10% passes a model whose true loss may be four times it.
    assert bonett_price(1, 0, 10).high > 0.3


counts = st.integers(1, 400).flatmap(
    lambda n: st.integers(0, n).flatmap(
        lambda lost: st.integers(0, n - lost).map(lambda gained: (lost, gained, n))
    )
)
levels = st.floats(0.05, 0.999)


@given(counts, levels)
def test_bonett_price_mirrors_when_loss_and_gain_swap(flips, level) -> None:
    lost, gained, n = flips
    one, other = (
        bonett_price(lost, gained, n, level=level),
        bonett_price(gained, lost, n, level=level),
    )
    assert (one.value, one.low, one.high) == pytest.approx((-other.value, -other.high, -other.low))


@given(counts, levels, levels)
def test_intervals_hold_their_value_stay_in_range_and_grow_with_the_level(
    flips, one, other
) -> None:
    lost, gained, n = flips
    below, above = sorted((one, other))
    for make, bottom in (
        (lambda level: bonett_price(lost, gained, n, level=level), -1),
        (lambda level: newcombe(lost, n, gained, n, level=level), -1),
        (lambda level: wilson(lost, n, level=level), 0),
    ):
        narrow, wide = make(below), make(above)
        assert wide.low <= narrow.low + 1e-12
        assert narrow.high <= wide.high + 1e-12
        assert bottom <= wide.low <= wide.value <= wide.high <= 1
