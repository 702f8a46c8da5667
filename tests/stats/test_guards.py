"""Guards, sample sizes, worst cases and relative drops."""

from __future__ import annotations

import pytest
from statsmodels.stats.power import TTestPower

from robust_eval.errors import StatisticsError
from robust_eval.stats.guards import beats, majority_rate
from robust_eval.stats.intervals import wilson
from robust_eval.stats.power import pairs_needed
from robust_eval.stats.robustness import relative_drop, worst_case


def test_majority_rate_is_the_commonest_targets_share() -> None:
    assert majority_rate(["a", "b", "a", "a"]) == 0.75
    assert majority_rate(["only"]) == 1


def test_no_examples_have_no_majority() -> None:
    with pytest.raises(StatisticsError, match="majority"):
        majority_rate([])


def test_a_score_beats_the_majority_only_with_its_lower_bound() -> None:
    assert not beats(wilson(55, 100), 0.5)
    assert beats(wilson(65, 100), 0.5)
    assert not beats(wilson(0, 100), 0.0)
    assert beats(wilson(1, 100), 0.0)
    assert not beats(wilson(10, 10), 1.0)


def test_for_errors_the_upper_bound_counts() -> None:
    assert beats(wilson(35, 100), 0.5, higher_is_better=False)
    assert not beats(wilson(45, 100), 0.5, higher_is_better=False)


@pytest.mark.parametrize(("variance", "delta"), [(0.2, 0.05), (0.5, 0.1), (0.08, 0.02)])
def test_sample_size_agrees_with_statsmodels_up_to_the_t_distribution(
    variance: float, delta: float
) -> None:
    theirs = TTestPower().solve_power(delta / variance**0.5, alpha=0.05, power=0.8)
    assert theirs - 4 <= pairs_needed(variance, delta) <= theirs + 1


def test_no_sample_size_finds_a_difference_of_zero() -> None:
    with pytest.raises(StatisticsError, match="difference of 0"):
        pairs_needed(0.1, 0)


def test_worst_is_lowest_for_scores_and_highest_for_errors() -> None:
    sets = [[1.0, 0.0, 0.5], [0.0, 0.0, 0.75]]
    assert worst_case(sets) == (0.0, 0.0, 0.5)
    assert worst_case(sets, higher_is_better=False) == (1.0, 0.0, 0.75)


@pytest.mark.parametrize("sets", [[], [[]], [[1.0], [1.0, 0.0]]])
def test_worst_case_of_nothing_or_of_other_items_is_an_error(sets: list[list[float]]) -> None:
    with pytest.raises(StatisticsError, match="worst case"):
        worst_case(sets)


def test_relative_drop_is_a_ratio_of_sums() -> None:
    assert relative_drop([1, 1, 1, 0], [1, 1, 0, 0], chance=0.5) == pytest.approx(1 / 3)
    assert relative_drop([1, 1, 1, 0], [1, 1, 1, 1], chance=0.5) == pytest.approx(-1 / 3)


@pytest.mark.parametrize(("clean", "chance"), [([0, 0], 0.0), ([1, 0], 0.5), ([1, 1, 0], 0.7)])
def test_relative_drop_from_chance_or_below_is_refused(clean: list[float], chance: float) -> None:
    with pytest.raises(StatisticsError, match="report the absolute drop"):
        relative_drop(clean, [0.0] * len(clean), chance=chance)


def test_relative_drop_of_no_pairs_is_an_error() -> None:
    with pytest.raises(StatisticsError, match="not pairs"):
        relative_drop([], [], chance=0.5)
