"""Paired tests against statsmodels, scipy and plain enumeration."""

from __future__ import annotations

import itertools
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from statsmodels.stats.contingency_tables import mcnemar as their_mcnemar
from statsmodels.stats.proportion import proportions_ztest

from robust_eval.errors import StatisticsError
from robust_eval.stats import paired
from robust_eval.stats.paired import mcnemar, sign_flip


@pytest.mark.parametrize(
    ("lost", "gained"), [(1, 0), (5, 0), (6, 16), (15, 4), (86, 150), (59, 59), (400, 300)]
)
def test_exact_mcnemar_agrees_with_statsmodels(lost: int, gained: int) -> None:
    theirs = their_mcnemar([[50, lost], [gained, 50]], exact=True).pvalue
    assert mcnemar(lost, gained) == pytest.approx(theirs, rel=1e-9)


def test_mcnemar_without_discordant_pairs_is_one() -> None:
    assert mcnemar(0, 0) == mcnemar(0, 0, mid=True) == 1


def test_mid_p_gives_the_value_of_its_source() -> None:
    # Data of Bentur et al. (2009) as Fagerland et al. (2013) use them: 1 and 7 discordant pairs.
    assert round(mcnemar(1, 7), 3) == 0.070
    assert round(mcnemar(1, 7, mid=True), 3) == 0.039


@pytest.mark.parametrize(("lost", "gained"), [(0, 1), (2, 2), (3, 9), (10, 11)])
def test_mid_p_leaves_out_half_of_the_observed_outcome(lost: int, gained: int) -> None:
    n = lost + gained
    chances = [math.comb(n, k) / 2**n for k in range(n + 1)]
    at_least = sum(c for k, c in enumerate(chances) if abs(2 * k - n) > abs(lost - gained))
    same = sum(c for k, c in enumerate(chances) if abs(2 * k - n) == abs(lost - gained))
    assert mcnemar(lost, gained, mid=True) == pytest.approx(at_least + same / 2)


def test_pairing_finds_what_an_unpaired_test_on_the_same_answers_misses() -> None:
    # 400 items: 22 lost, 6 gained. A z-test of two proportions ignores that the items are the same.
    clean, shifted, n = 340, 324, 400
    unpaired = proportions_ztest([clean, shifted], [n, n])[1]
    assert unpaired > 0.05
    assert mcnemar(22, 6) < 0.01


def test_negative_counts_are_an_error() -> None:
    with pytest.raises(StatisticsError, match="-1 discordant"):
        mcnemar(-1, 3)


@given(st.integers(0, 60), st.integers(0, 60))
def test_sign_flip_of_right_and_wrong_is_exact_mcnemar(lost: int, gained: int) -> None:
    result = sign_flip([1.0] * lost + [-1.0] * gained + [0.0] * 5)
    assert result.exact
    assert result.p == pytest.approx(mcnemar(lost, gained), rel=1e-9)


@given(st.lists(st.integers(-6, 6), min_size=1, max_size=9), st.sampled_from([1, 2, 3, 5, 6]))
def test_exact_sign_flip_is_what_enumeration_gives(numerators: list[int], sets: int) -> None:
    differences = [k / sets for k in numerators]
    observed = abs(sum(numerators))
    flips = list(itertools.product((1, -1), repeat=len(numerators)))
    extreme = sum(
        abs(sum(s * k for s, k in zip(f, numerators, strict=True))) >= observed for f in flips
    )
    assert sign_flip(differences).p == pytest.approx(extreme / len(flips), rel=1e-12)


def test_sign_flip_agrees_with_scipys_permutation_test() -> None:
    differences = [0.31, -0.12, 0.53, 0.77, -0.05, 0.29, 0.11, 0.4]
    theirs = scipy_stats.permutation_test(
        (differences,), lambda x: x.mean(), permutation_type="samples", n_resamples=math.inf
    )
    assert sign_flip(differences).p == pytest.approx(theirs.pvalue)


def test_few_irregular_clusters_are_enumerated() -> None:
    sums = [0.5**0.5, 0.3**0.5, 0.2**0.5]
    result = sign_flip(sums)
    assert (result.p, result.exact) == (2 / 8, True)


def test_drawn_flips_come_close_to_the_exact_p_and_never_give_zero() -> None:
    draw = random.Random(4)
    differences = [round(draw.random() * 3 - 1.3) / 3 for _ in range(150)]
    exact, drawn = sign_flip(differences), sign_flip(differences, work=0)
    assert (exact.exact, drawn.exact) == (True, False)
    error = math.sqrt(exact.p * (1 - exact.p) / paired.DRAWS)
    assert abs(exact.p - drawn.p) < 4 * error
    assert sign_flip([math.pi] * 5 + [math.e] * 100).p == 1 / (paired.DRAWS + 1)
    assert "19999 draws" in drawn.test


def test_drawn_flips_are_the_same_every_time() -> None:
    differences = [math.sin(i) for i in range(1, 60)]
    first = sign_flip(differences)
    assert not first.exact
    assert sign_flip(list(reversed(differences))) == first
    # Golden: the bits come from SHAKE-256, so that this p is the same on every machine.
    assert first.p == 0.7245


def test_whole_clusters_are_flipped() -> None:
    # Ten items that move together are one piece of evidence.
    assert sign_flip([1.0] * 10, ["same"] * 10).p == 1
    assert sign_flip([1.0] * 10, list(range(10))).p == 2 / 1024


def test_rounding_does_not_break_ties() -> None:
    third = [1 / 3, 1 / 3, -2 / 3]  # one cluster whose sum is 0 but for rounding
    assert sign_flip([*third, 0.1 + 0.2, -0.3], ["a", "a", "a", "b", "c"]).p == 1


def test_rounding_does_not_break_ties_between_irregular_sums() -> None:
    root = 2**0.5
    assert sign_flip([0.1 * root, 0.2 * root, -0.3 * root]).p == 1
    many = [k * root for k in (0.1, 0.2, -0.3)] * 7
    drawn = sign_flip(many)
    assert (drawn.p, drawn.exact) == (1, False)


def test_equal_answers_give_p_one() -> None:
    assert sign_flip([0.0] * 50).p == 1


@given(st.lists(st.integers(-4, 4), min_size=1, max_size=40), st.randoms(use_true_random=False))
def test_order_and_sign_change_no_bit(numerators: list[int], shuffler: random.Random) -> None:
    differences = [k / 3 for k in numerators]
    before = sign_flip(differences)
    assert sign_flip([-d for d in differences]) == before
    shuffler.shuffle(differences)
    assert sign_flip(differences) == before


def test_sign_flip_of_nothing_is_an_error() -> None:
    with pytest.raises(StatisticsError, match="0 scores"):
        sign_flip([])
