"""One-sided tests against a limit: exact tails against scipy and enumeration."""

from __future__ import annotations

import itertools
import math

import pytest
from scipy import stats
from scipy.stats import binom, multinomial

from robust_eval.stats import margins


def test_no_loss_in_n_pairs_bounds_the_drop_as_the_exact_binomial_does() -> None:
    for n in (10, 59, 200):
        found = margins.paired_counts(0, 0, n, 0.05)
        exact = stats.binomtest(0, n).proportion_ci(confidence_level=0.9, method="exact").high
        assert found.bounds.high == pytest.approx(exact, abs=1e-9)
        assert found.p_within == pytest.approx(0.95**n)


def test_as_many_losses_as_the_limit_explains_are_tested_as_a_binomial_count() -> None:
    found = margins.paired_counts(3, 0, 60, 0.05)
    assert found.p_beyond == pytest.approx(stats.binomtest(3, 60, 0.05, "greater").pvalue)


def test_the_pair_tail_is_the_sum_over_every_outcome() -> None:
    lost, gained, n, limit = 4, 2, 12, 0.1
    p = margins.restricted_pairs(lost, gained, n, limit)
    expected = sum(
        multinomial.pmf([b, c, n - b - c], n, [*p, 1 - sum(p)])
        for b, c in itertools.product(range(n + 1), repeat=2)
        if b + c <= n and b - c <= lost - gained
    )
    assert margins.paired_counts(lost, gained, n, limit).p_within == pytest.approx(expected)


def test_the_restricted_pair_is_the_likeliest_at_its_margin() -> None:
    lost, gained, n = 7, 3, 40

    def likelihood(second: float, margin: float) -> float:
        first = second + margin
        return (
            lost * math.log(first)
            + gained * math.log(second)
            + (n - lost - gained) * math.log(1 - first - second)
        )

    for margin in (-0.2, -0.05, 0.02, 0.3):
        first, second = margins.restricted_pairs(lost, gained, n, margin)
        assert first - second == pytest.approx(margin)
        best = likelihood(second, margin)
        assert best >= likelihood(second * 1.01, margin)
        assert best >= likelihood(second * 0.99, margin)


def test_the_group_tail_is_the_sum_over_every_outcome() -> None:
    n, m, x, y, limit = 14, 9, 11, 6, 0.1
    first, second = margins.restricted_groups(x, n, y, m, limit)
    assert first - second == pytest.approx(limit)
    expected = sum(
        binom.pmf(i, n, first) * binom.pmf(j, m, second)
        for i, j in itertools.product(range(n + 1), range(m + 1))
        if i / n - j / m <= x / n - y / m + 1e-12
    )
    assert margins.two_counts(x, n, y, m, limit).p_within == pytest.approx(expected)


@pytest.mark.parametrize("level", [0.9, 0.95])
def test_bounds_and_tests_say_the_same(level: float) -> None:
    alpha = 1 - level
    for lost, gained in ((0, 0), (3, 1), (12, 2), (1, 9)):
        bounds = margins.paired_counts(lost, gained, 80, 0.0, level=level).bounds
        for step in (-0.002, 0.002):
            over = margins.paired_counts(lost, gained, 80, bounds.high + step, level=level)
            under = margins.paired_counts(lost, gained, 80, bounds.low + step, level=level)
            assert (over.p_within <= alpha) == (step > 0)
            assert (under.p_beyond <= alpha) == (step < 0)


def test_false_pass_and_false_fail_stay_under_five_per_cent_over_every_outcome() -> None:
    n, limit = 60, 0.05
    outcomes = [(b, c) for b in range(31) for c in range(31) if b + c <= 40]
    found = [margins.paired_counts(b, c, n, limit) for b, c in outcomes]
    for gained in (0.0, 0.005, 0.02, 0.05, 0.1):
        chance = multinomial.pmf(
            [[b, c, n - b - c] for b, c in outcomes],
            n,
            [limit + gained, gained, 1 - limit - 2 * gained],
        )
        assert chance.sum() > 0.999
        for p in ("p_within", "p_beyond"):
            wrong = sum(w for w, f in zip(chance, found, strict=True) if getattr(f, p) <= 0.05)
            assert wrong <= 0.05


def test_a_mean_without_any_difference_keeps_a_bound_like_that_of_the_count() -> None:
    found = margins.mean([0.0] * 200, range(200), 0.05)
    assert found.bounds.value == 0
    assert 3.0 / 200 < found.bounds.high < 3.6 / 200
    assert found.bounds.low == -found.bounds.high


def test_repeated_items_count_as_one_cluster() -> None:
    values = [1.0, 0.0, 0.0, 0.0] * 25
    alone = margins.mean(values, range(100), 0.1)
    repeated = margins.mean(
        [v for v in values for _ in range(5)], [i for i in range(100) for _ in range(5)], 0.1
    )
    assert repeated.clusters == 100
    assert repeated.p_beyond == pytest.approx(alone.p_beyond)
