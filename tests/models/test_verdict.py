"""Label log-likelihoods become an answer alike for local and hosted models."""

from __future__ import annotations

import math

import pytest

from robust_eval.models.verdict import Verdict, mean_shares
from robust_eval.stats.shares import log_softmax


def logs(*shares: float) -> tuple[float, ...]:
    return tuple(map(math.log, shares))


def test_shares_add_up_to_one_and_keep_the_distances_also_of_very_unlikely_labels() -> None:
    shares = log_softmax([-2000.0, -2001.0, -2003.0])
    assert math.fsum(map(math.exp, shares)) == pytest.approx(1.0)
    assert shares[0] - shares[2] == pytest.approx(3.0)


def test_length_normalisation_divides_by_each_labels_tokens_and_may_change_the_winner() -> None:
    sums, lengths = (-3.0, -4.0), (1, 2)
    plain, by_token = Verdict(("a", "b"), False), Verdict(("a", "b"), True)
    assert plain.answer("e", sums, plain.shares(sums, lengths), cut=False).label == "a"
    answer = by_token.answer("e", sums, by_token.shares(sums, lengths), cut=True)
    assert (answer.label, answer.input_truncated) == ("b", True)
    assert answer.label_logprobs == sums  # as they were measured
    assert answer.scores == pytest.approx(log_softmax([-3.0, -2.0]))


def test_calibration_divides_by_the_content_free_shares_and_renormalises() -> None:
    verdict = Verdict(("a", "b"), False)
    free = mean_shares([logs(0.9, 0.1), logs(0.7, 0.3)])
    assert free == pytest.approx(logs(0.8, 0.2))
    shares = verdict.shares(logs(0.6, 0.4), (1, 1))
    answer = verdict.answer("e", logs(0.6, 0.4), shares, content_free=free, cut=False)
    assert answer.label == "b"
    assert answer.scores == pytest.approx(logs(0.75 / 2.75, 2.0 / 2.75))


def test_of_equal_labels_the_first_wins() -> None:
    verdict = Verdict(("b", "a"), False)
    assert verdict.answer("e", (-1.0, -1.0), verdict.shares((-1.0, -1.0), (1, 1)), cut=False).label == "b"  # fmt: skip
