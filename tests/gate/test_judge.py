"""Pass, fail and inconclusive on invented runs whose answers are known letter by letter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from robust_eval.errors import UsageError
from robust_eval.gate import Limits, Policy, exit_code, judge, require_named
from robust_eval.records import CLEAN, GateCheck, GateResult, RunRecord, Status

Run = Callable[..., RunRecord]


@pytest.fixture
def record(invented_run: Callable[..., Any]) -> Run:
    """The record of an invented run, from letters."""

    def make(answers: dict[tuple[str, str], str], **kinds: object) -> RunRecord:
        made: RunRecord = invented_run(answers, **kinds).record()
        return made

    return make


@pytest.fixture
def typos(record: Run) -> Run:
    """One model, and a baseline when its answers are given, on one shift."""

    def make(clean: str, shifted: str, baseline: str | None = None) -> RunRecord:
        answers = {("m", CLEAN): clean, ("m", "typos"): shifted}
        if baseline is not None:
            answers |= {("b", CLEAN): clean, ("b", "typos"): baseline}
        return record(answers)

    return make


def drop(limit: float, **more: object) -> Policy:
    return Policy(everywhere=Limits(max_drop=limit), **more)  # type: ignore[arg-type]


def only(result: GateResult) -> GateCheck:
    (check,) = result.checks
    return check


def test_a_small_drop_on_many_examples_passes(typos: Run) -> None:
    result = judge(typos("+" * 400, "+" * 396 + "-" * 4), drop(0.05))
    assert result.outcome == "pass"
    assert exit_code(result) == 0
    check = only(result)
    assert check.figure is not None
    assert check.figure.value == pytest.approx(0.01)
    assert check.figure.high < 0.05
    assert check.deciding is None


def test_a_large_drop_fails(typos: Run) -> None:
    result = judge(typos("+" * 400, "+" * 340 + "-" * 60), drop(0.05))
    assert result.outcome == "fail"
    assert exit_code(result) == 1
    assert "over the limit" in only(result).reason


def test_ten_samples_never_pass_a_limit_of_ten_points(typos: Run) -> None:
    result = judge(typos("+" * 10, "+" * 10), drop(0.1))
    assert result.outcome == "inconclusive"
    assert exit_code(result) == 3
    assert (only(result).deciding or 0) > 10


def test_the_deciding_number_decides(typos: Run) -> None:
    few = typos("+" * 100, "+" * 97 + "-" * 3)
    needed = only(judge(few, drop(0.07))).deciding
    assert needed is not None
    times = -(-needed // 100)
    many = typos("+" * 100 * times, ("+" * 97 + "-" * 3) * times)
    assert judge(many, drop(0.07)).outcome == "pass"


def test_a_figure_on_its_limit_is_decided_by_no_number(typos: Run) -> None:
    check = only(judge(typos("+" * 100, "+" * 95 + "-" * 5), drop(0.05)))
    assert check.outcome == "inconclusive"
    assert check.deciding is None
    assert "any number" in check.reason


def test_fewer_originals_than_the_policy_asks_for_are_inconclusive(typos: Run) -> None:
    run = typos("+" * 100, "+" * 100)
    assert judge(run, drop(0.05)).outcome == "pass"
    check = only(judge(run, drop(0.05, minimum_n=200)))
    assert check.outcome == "inconclusive"
    assert check.deciding == 200


def test_a_model_that_is_always_wrong_cannot_pass(typos: Run) -> None:
    check = only(judge(typos("-" * 300, "-" * 300), drop(0.05)))
    assert check.outcome == "inconclusive"
    assert "nothing to lose" in check.reason


def test_a_model_that_names_one_label_cannot_pass(typos: Run) -> None:
    check = only(judge(typos("+-" * 150, "+-" * 150), drop(0.05)))
    assert check.outcome == "inconclusive"
    assert "majority rate of 50.0%" in check.reason


def test_a_shift_that_the_policy_names_and_the_run_lacks_is_inconclusive(typos: Run) -> None:
    run = typos("+" * 400, "+" * 400)
    result = judge(run, drop(0.05, required=("imdb",)))
    assert result.outcome == "inconclusive"
    assert [c.outcome for c in result.checks] == ["pass", "inconclusive"]
    limited = judge(run, drop(0.05, shifts=(("typo", Limits(max_drop=0.1)),)))
    assert limited.outcome == "inconclusive"
    assert limited.checks[-1].reason.endswith("lacks; did you mean 'typos'?")
    family = judge(run, drop(0.05, families=(("domain", Limits(max_drop=0.1)),)))
    assert family.outcome == "inconclusive"


def test_a_name_that_the_run_will_not_make_is_refused_before_it_starts(typos: Run) -> None:
    names, families = {"typos"}, {"noise"}
    with pytest.raises(UsageError, match="did you mean 'typos'"):
        require_named(drop(0.05, shifts=(("typoes", Limits(max_drop=0.1)),)), names, families)
    with pytest.raises(UsageError, match="family 'domain'"):
        require_named(drop(0.05, families=(("domain", Limits(max_drop=0.1)),)), names, families)
    require_named(drop(0.05, required=("typos",)), names, families)


def test_one_failing_check_fails_the_gate_whatever_the_others_say(record: Run) -> None:
    run = record(
        {
            ("m", CLEAN): "+" * 400,
            ("m", "typos"): "+" * 400,
            ("m", "drops"): "+" * 300 + "-" * 100,
        }
    )
    result = judge(run, drop(0.05))
    assert [c.outcome for c in result.checks] == ["pass", "fail"]
    assert result.outcome == "fail"


def test_failures_are_adjusted_for_the_number_of_checks(typos: Run, record: Run) -> None:
    lost = 11
    alone = typos("+" * 100, "+" * (100 - lost) + "-" * lost)
    assert judge(alone, drop(0.05)).outcome == "fail"
    names = [f"set{i}" for i in range(8)]
    answers = {("m", CLEAN): "+" * 100}
    answers |= {("m", name): "+" * (100 - lost) + "-" * lost for name in names}
    assert judge(record(answers), drop(0.05)).outcome == "inconclusive"


def test_severities_of_a_shift_are_averaged_and_a_set_can_have_its_own_limit(record: Run) -> None:
    run = record(
        {
            ("m", CLEAN): "+" * 300,
            ("m", "typos@1"): "+" * 300,
            ("m", "typos@5"): "+" * 280 + "-" * 20,
        }
    )
    own = drop(0.06, shifts=(("typos@5", Limits(max_drop=0.02)),))
    pooled, single = judge(run, own).checks
    assert pooled.figure is not None
    assert single.figure is not None
    assert pooled.figure.value == pytest.approx(10 / 300)
    assert (single.set_key, single.figure.value) == ("typos@5", pytest.approx(20 / 300))
    assert (pooled.outcome, single.outcome) == ("pass", "fail")


def test_a_relative_limit_counts_from_the_clean_score(typos: Run) -> None:
    clean = "+" * 240 + "-" * 160
    run = typos(clean, "+" * 228 + "-" * 172)
    result = judge(run, Policy(everywhere=Limits(max_relative_drop=0.2)))
    check = only(result)
    assert check.figure is not None
    assert check.figure.value == pytest.approx(0.05)
    assert check.figure.low < 0.05 < check.figure.high < 0.2
    assert result.outcome == "pass"
    assert judge(run, Policy(everywhere=Limits(max_relative_drop=0.01))).outcome == "fail"


def test_a_limit_against_the_baseline_is_on_the_difference_of_drops(typos: Run) -> None:
    policy = Policy(everywhere=Limits(max_drop_vs_baseline=0.05))
    alike = typos("+" * 400, "+" * 360 + "-" * 40, "+" * 360 + "-" * 40)
    assert judge(alike, policy).outcome == "pass"
    worse = typos("+" * 400, "+" * 300 + "-" * 100, "+" * 400)
    result = judge(worse, policy)
    assert result.outcome == "fail"
    check = only(result)
    assert check.baseline == "b"
    assert check.figure is not None
    assert check.figure.value == pytest.approx(0.25)
    better = typos("+" * 400, "+" * 400, "+" * 300 + "-" * 100)
    assert judge(better, policy).outcome == "pass"


def test_nothing_is_claimed_against_a_baseline_at_chance(record: Run) -> None:
    run = record(
        {
            ("m", CLEAN): "+" * 400,
            ("m", "typos"): "+" * 300 + "-" * 100,
            ("b", CLEAN): "+-" * 200,
            ("b", "typos"): "+-" * 200,
        }
    )
    check = only(judge(run, Policy(everywhere=Limits(max_drop_vs_baseline=0.05))))
    assert check.outcome == "inconclusive"
    assert "b is not supported to beat" in check.reason


def test_an_unpaired_shift_is_judged_by_two_groups(record: Run) -> None:
    answers = {("m", CLEAN): "+" * 380 + "-" * 20, ("m", "imdb"): "+" * 250 + "-" * 150}
    run = record(answers, unpaired=("imdb",))
    check = only(judge(run, drop(0.05)))
    assert check.outcome == "fail"
    assert check.figure is not None
    assert check.figure.value == pytest.approx(0.95 - 0.625)


def test_failed_answers_are_left_out_of_the_figure(typos: Run) -> None:
    run = typos("+" * 300, "+" * 290 + "f" * 10)
    check = only(judge(run, drop(0.05)))
    assert check.originals == 290
    assert check.outcome == "pass"
    nothing = typos("+" * 4, "f" * 4)
    assert "No example" in only(judge(nothing, drop(0.05))).reason
    assert all(p.status is Status.FAILED for p in nothing.predictions["m", "typos"])


def test_the_order_of_examples_changes_no_bit(typos: Run) -> None:
    run = typos("+" * 30 + "-" * 10, "+-" * 20)
    order = list(reversed(range(40)))
    turned = replace(
        run,
        dataset=replace(run.dataset, examples=tuple(run.dataset.examples[i] for i in order)),
        sets=tuple(
            replace(
                s,
                examples=tuple(s.examples[i] for i in order),
                doses=tuple(s.doses[i] for i in order),
            )
            for s in run.sets
        ),
        predictions={k: tuple(v[i] for i in order) for k, v in run.predictions.items()},
        scores={k: tuple(v[i] for i in order) for k, v in run.scores.items()},
    )
    both = Policy(everywhere=Limits(max_drop=0.05, max_relative_drop=0.1))
    assert judge(run, both) == judge(turned, both)
