"""Areas, breakdown doses, repeats, the honest worst shift, mCE and relative drops."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from robust_eval.errors import StatisticsError
from robust_eval.stats import curves, repeats
from robust_eval.stats.power import detectable_drop, pairs_needed
from robust_eval.stats.ratios import relative_drop_estimate
from robust_eval.stats.robustness import corruption_error


def test_the_area_is_the_trapezium_rule_over_the_mean_drops() -> None:
    doses = [0.02, 0.1, 0.3]
    losses = [[0.0, 0.0, 1.0, 0.0], [0.0, 1.0, 1.0, 0.0], [1.0, 1.0, 1.0, -1.0]]
    means = [0.0, *(sum(row) / 4 for row in losses)]
    expected = np.trapezoid(means, [0.0, *doses]) / doses[-1]
    found = curves.area(losses, doses, range(4))
    assert found.value == pytest.approx(expected)
    assert found.low < found.value < found.high
    assert sum(curves.area_weights(doses)) == pytest.approx(1)


def test_doses_that_do_not_rise_have_no_area() -> None:
    for doses in ([], [0.0, 0.1], [0.2, 0.1], [0.1, 0.1]):
        with pytest.raises(StatisticsError, match="rise"):
            curves.area_weights(doses)


def test_breakdown_lies_where_the_line_crosses_the_limit() -> None:
    assert curves.breakdown([0.1, 0.3], [0.02, 0.08], limit=0.05) == pytest.approx(0.2)
    assert curves.breakdown([0.1], [0.1], limit=0.05) == pytest.approx(0.05)
    assert curves.breakdown([0.1, 0.3], [0.01, 0.02], limit=0.05) is None
    with pytest.raises(StatisticsError, match="above 0"):
        curves.breakdown([0.1], [0.1], limit=0.0)


def test_agreement_is_the_share_of_agreeing_pairs() -> None:
    answers = ["a", "a", "b", "a", "c"]
    pairs = list(itertools.combinations(answers, 2))
    assert repeats.agreement(answers) == sum(x == y for x, y in pairs) / len(pairs)
    with pytest.raises(StatisticsError, match="at least 2"):
        repeats.agreement(["a"])


def test_the_noise_floor_of_equal_repeats_is_zero() -> None:
    floor = repeats.noise_floor([[1.0, 0.0, 1.0]] * 3)
    assert (floor.largest, floor.spread, floor.repeats) == (0, 0, 3)
    assert floor.worst_case == pytest.approx(2 / 3)
    two = repeats.noise_floor([[1.0, 1.0], [1.0, 0.0]])
    assert (two.largest, two.worst_case) == (0.5, 0.5)
    with pytest.raises(StatisticsError, match="2 repeats"):
        repeats.noise_floor([[1.0]])


def test_the_honest_worst_shift_has_no_winners_curse() -> None:
    rng = np.random.default_rng(8)
    naive, honest = [], []
    clusters = [f"item {i}" for i in range(120)]
    for _ in range(60):
        clean = [1.0] * 120
        shifted = [(rng.random(120) > 0.2).astype(float).tolist() for _ in range(12)]
        found = repeats.worst_shift(clean, shifted, clusters)
        assert found is not None
        naive.append(found.naive_drop)
        honest.append(found.drop.value)
    assert np.mean(naive) > 0.23
    assert abs(np.mean(honest) - 0.2) < 0.02


def test_the_honest_worst_shift_does_not_depend_on_the_order_of_items() -> None:
    rng = np.random.default_rng(9)
    clusters = [f"item {i}" for i in range(40)]
    rows = [(rng.random(40) > 0.3).astype(float).tolist() for _ in range(4)]
    found = repeats.worst_shift(rows[0], rows[1:], clusters)
    order = rng.permutation(40)
    turned = [[row[i] for i in order] for row in rows]
    assert repeats.worst_shift(turned[0], turned[1:], [clusters[i] for i in order]) == found
    assert repeats.worst_shift([1.0], [[0.0]], ["alone"]) is None


def test_a_corruption_error_of_the_reference_itself_is_one() -> None:
    errors = [[0.1, 0.2, 0.3], [0.2, 0.2, 0.4]]
    assert corruption_error(errors, errors) == 1
    relative = corruption_error(errors, errors, clean_model=0.05, clean_reference=0.05)
    assert relative == pytest.approx(1)
    halves = [[e / 2 for e in row] for row in errors]
    assert corruption_error(halves, errors) == pytest.approx(0.5)


def test_corruption_errors_are_averaged_over_corruptions_not_over_errors() -> None:
    found = corruption_error([[0.1], [0.4]], [[0.2], [0.4]])
    assert found == pytest.approx((0.5 + 1.0) / 2)
    with pytest.raises(StatisticsError, match="difference of drops"):
        corruption_error([[0.1]], [[0.2]], clean_reference=0.2)
    with pytest.raises(StatisticsError, match="as many corruptions"):
        corruption_error([], [])


def test_a_relative_drop_keeps_a_width_when_nothing_flips() -> None:
    found = relative_drop_estimate([1.0] * 100, [1.0] * 100, range(100), chance=0.5)
    assert found.value == 0
    assert -0.1 < found.low < 0 < found.high < 0.1


def test_the_relative_interval_is_fiellers() -> None:
    rng = np.random.default_rng(3)
    clean = rng.random(400) + 0.5
    shifted = clean * (0.8 + 0.2 * rng.random(400))
    found = relative_drop_estimate(clean.tolist(), shifted.tolist(), range(400), chance=0.0)
    # The bounds are where the paired t statistic, pseudo-items counted, is at its quantile.
    for edge, sign in ((found.low, 1), (found.high, -1)):
        d = np.concatenate(((1 - edge) * clean - shifted, [-1.0, 1.0]))
        t = d.mean() / math.sqrt(d.var(ddof=1) / len(d))
        assert sign * t == pytest.approx(1.966, abs=0.01)


def test_the_detectable_drop_needs_the_number_of_pairs_that_it_was_made_for() -> None:
    for pairs in (50, 200, 1000):
        drop = detectable_drop(pairs, discordant=0.12)
        assert pairs_needed(0.12 - drop**2, drop) == pytest.approx(pairs, abs=2)
    assert detectable_drop(1, discordant=1.0) <= 1
    with pytest.raises(StatisticsError, match="0 pairs"):
        detectable_drop(0)
    with pytest.raises(StatisticsError, match="discordant"):
        detectable_drop(10, discordant=0.0)
