"""Twelve mistakes seen in other suites, each under its own name, so that none comes back.

Most have further tests beside the code they are about; this is the list.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from scipy.stats import norm

from robust_eval import rng
from robust_eval.errors import StatisticsError
from robust_eval.gate import Limits, Policy, judge
from robust_eval.models.answers import prediction_key
from robust_eval.perturb import REGISTRY
from robust_eval.records import CLEAN, Example, Metric, Prediction, Status
from robust_eval.report import render_markdown
from robust_eval.score import score_prediction
from robust_eval.stats import choice, intervals, means, multiple, paired, robustness


def test_mistake_1_worst_case_by_min_for_a_metric_that_is_better_when_lower() -> None:
    errors = [[0.1, 0.9], [0.4, 0.2]]
    assert robustness.worst_case(errors, higher_is_better=False) == (0.4, 0.9)
    assert robustness.worst_case(errors, higher_is_better=True) == (0.1, 0.2)


def test_mistake_2_benjamini_hochberg_with_positions_for_ranks_and_a_crash_when_nothing_passes() -> (
    None
):
    # argsort() + 1 of these is (3, 1, 2): as ranks it would give the largest p the rank 2.
    assert multiple.benjamini_hochberg([0.04, 0.05, 0.01]) == pytest.approx((0.05, 0.05, 0.03))
    assert multiple.benjamini_hochberg([0.9, 0.8]) == pytest.approx((0.9, 0.9))
    assert multiple.benjamini_hochberg([]) == ()


def test_mistake_3_passing_by_giving_the_same_wrong_answer_as_before(
    invented_run: Callable[..., Any],
) -> None:
    always_wrong = invented_run({("m", CLEAN): "-" * 200, ("m", "typos"): "-" * 200}).record()
    result = judge(always_wrong, Policy(everywhere=Limits(max_drop=0.5)))
    assert result.outcome == "inconclusive"


def test_mistake_4_an_unpaired_test_on_paired_data() -> None:
    clean = [1.0] * 80 + [0.0] * 20
    shifted = [1.0] * 71 + [0.0] * 9 + [0.0] * 19 + [1.0]
    _, p, test = choice.paired_difference(clean, shifted, range(100), level=0.95)
    pooled = (80 + 72) / 200
    z = (0.80 - 0.72) / (pooled * (1 - pooled) * 2 / 100) ** 0.5
    assert test == choice.MCNEMAR
    assert p == paired.mcnemar(9, 1)
    assert p < 0.025 < 0.15 < 2 * norm.sf(z)


@pytest.mark.parametrize("clean", [[0.0] * 10, [1.0] * 5 + [0.0] * 5])
def test_mistake_5_a_relative_drop_from_nothing_or_from_chance(clean: list[float]) -> None:
    with pytest.raises(StatisticsError, match="no relative drop"):
        robustness.relative_drop(clean, clean, chance=0.5)


def test_mistake_6_plus_minus_that_is_a_spread_over_prompts_read_as_an_interval(
    run_record_text: str,
) -> None:
    # Every interval is two bounds with a level and a method; no "±" is ever printed.
    names = {f.name for f in dataclasses.fields(intervals.wilson(8, 10))}
    assert {"low", "high", "level", "method", "n"} <= names
    assert "±" not in run_record_text
    assert "+/-" not in run_record_text


@pytest.fixture
def run_record_text(invented_run: Callable[..., Any]) -> str:
    run = invented_run({(m, k): "+-+" * 20 for m in ("m", "b") for k in (CLEAN, "typos")})
    record = dataclasses.replace(run.record(), gaps=run.gaps(), comparisons=run.comparisons())
    return render_markdown(record)


def test_mistake_7_a_cache_key_without_the_repeat_so_that_repeats_return_one_answer() -> None:
    example = Example("e", {"text": "fine"}, "a", "e")
    for set_key in (None, CLEAN):
        keys = {prediction_key("f", example, repeat=r, set_key=set_key) for r in range(5)}
        assert len(keys) == 5


def test_mistake_8_a_rate_test_that_hits_at_rate_0_and_a_key_among_its_own_typos() -> None:
    from robust_eval.perturb.keyboards import QWERTY_NEIGHBOURS

    assert all(key not in neighbours for key, neighbours in QWERTY_NEIGHBOURS.items())

    class LowestDraw(Random):
        """Every draw is the smallest there is: with `<=` it would hit at rate 0."""

        def random(self) -> float:
            return 0.0

    kind = REGISTRY["keyboard-typos"]
    silent = type("Silent", (kind,), {"RATES": (0.0,) * 5, "__slots__": ()})
    assert silent().perturb("every letter stays", LowestDraw()) == "every letter stays"


def test_mistake_9_a_seed_glued_from_numbers() -> None:
    assert rng.digest("1", "23") != rng.digest("12", "3")
    assert rng.stream(1, "23").random() != rng.stream(12, "3").random()


def test_mistake_10_an_empty_list_reported_as_0_and_a_true_0_dropped() -> None:
    with pytest.raises(StatisticsError, match="0 scores"):
        means.mean([])
    with pytest.raises(StatisticsError):
        choice.paired_estimate([], [], [], level=0.95)
    assert choice.mean([0.0, 0.0], ["a", "b"], level=0.95).value == 0.0
    assert choice.mean([0.0, 0.0, 1.0], ["a", "b", "c"], level=0.95).n == 3


def test_mistake_11_a_rejected_request_turned_into_a_wrong_answer() -> None:
    example = Example("e", {"text": "fine"}, "a", "e")
    failed = Prediction("e", status=Status.FAILED)
    for metric in (Metric("accuracy"), Metric("exact-match"), Metric("f1")):
        assert score_prediction(metric, failed, example) is None
        assert score_prediction(metric, Prediction("e", status=Status.REFUSED), example) == 0.0


def test_mistake_12_ten_samples_judged_against_a_ten_per_cent_threshold(
    invented_run: Callable[..., Any],
) -> None:
    policy = Policy(everywhere=Limits(max_drop=0.1))
    for shifted in ("+" * 10, "+" * 9 + "-", "+" * 8 + "--"):
        run = invented_run({("m", CLEAN): "+" * 10, ("m", "typos"): shifted}).record()
        assert judge(run, policy).outcome == "inconclusive"
