"""The gate over groups of seeds and draws: its bounds hold for others of them, and it says what it is limited to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from robust_eval.audit.page import page_record
from robust_eval.gate import Limits, Policy, judge, judge_again
from robust_eval.records import CLEAN, GateCheck, GateResult, RunRecord
from robust_eval.report import render_html, render_junit, render_markdown
from robust_eval.score.members import mean_scores
from robust_eval.stats import margins
from robust_eval.stats.components import Spread

N = 400
Grouped = Callable[..., RunRecord]


def letters(right: int) -> str:
    return "+" * right + "-" * (N - right)


@pytest.fixture
def grouped(invented_run: Callable[..., Any]) -> Grouped:
    """A model of as many draws as there are drops (in items), and a baseline of one fine-tuning that loses 8."""

    def make(*drops: int, unpaired: bool = False) -> RunRecord:
        answers = {("b", CLEAN): letters(360), ("b", "typos"): letters(352)}
        for i, lost in enumerate(drops):
            answers |= {(f"m{i}", CLEAN): letters(360), (f"m{i}", "typos"): letters(360 - lost)}
        kinds = {"unpaired": ("typos",)} if unpaired else {}
        record: RunRecord = invented_run(answers, **kinds).record()
        cards = {card.name: card for card in record.models}
        names = tuple(f"m{i}" for i in range(len(drops)))
        group = replace(cards["m0"], name="m", role="model", kind="prompted", members=names)
        baseline = replace(cards["b"], role="baseline", kind="fine-tuned")
        pooled = {("m", key): record.predictions["m0", key] for key in (CLEAN, "typos")}
        return replace(
            record,
            models=(group, baseline),
            members=tuple(cards[name] for name in names),
            predictions={**record.predictions, **pooled},
            scores=mean_scores((group,), record.scores),
        )

    return make


def only(result: GateResult) -> GateCheck:
    (check,) = result.checks
    return check


def drop(limit: float) -> Policy:
    return Policy(everywhere=Limits(max_drop=limit))


@pytest.mark.parametrize("unpaired", [False, True])
def test_draws_that_agree_pass_where_draws_that_differ_cannot_tell(
    grouped: Grouped, unpaired: bool
) -> None:
    alike = only(judge(grouped(8, 7, 9, 8, 8, unpaired=unpaired), drop(0.1)))
    apart = only(judge(grouped(0, 36, 0, 4, 0, unpaired=unpaired), drop(0.1)))
    assert alike.figure is not None
    assert apart.figure is not None
    assert alike.figure.value == pytest.approx(apart.figure.value)
    assert alike.outcome == "pass"
    assert apart.figure.high > alike.figure.high + (0.005 if unpaired else 0.02)
    assert "widened by draws" in apart.figure.method


def test_no_number_of_examples_settles_what_only_more_draws_can(grouped: Grouped) -> None:
    check = only(judge(grouped(0, 36), drop(0.06)))
    assert check.outcome == "inconclusive"
    assert check.deciding is None
    assert "run more of them" in check.reason


def test_limits_on_relative_drops_and_against_a_baseline_count_the_spread_too(
    grouped: Grouped,
) -> None:
    for limits in (Limits(max_relative_drop=0.06), Limits(max_drop_vs_baseline=0.035)):
        policy = Policy(everywhere=limits)
        assert only(judge(grouped(8, 7, 9, 8, 8), policy)).outcome == "pass"
        apart = only(judge(grouped(0, 36, 0, 4, 0), policy))
        assert apart.outcome == "inconclusive"
        assert apart.figure is not None
        assert "widened by draws" in apart.figure.method


def test_every_answer_says_what_it_is_limited_to(grouped: Grouped) -> None:
    few = only(judge(grouped(8, 8, 8), Policy(everywhere=Limits(max_drop_vs_baseline=0.05))))
    assert few.basis == (
        "m: 3 draws of demonstrations, under the 5 that a claim about the method needs",
        "b: this checkpoint only",
    )
    assert only(judge(grouped(8, 7, 9, 8, 8), drop(0.1))).basis == ("m: 5 draws of demonstrations",)
    one = grouped(8)
    card = replace(one.models[0], members=())
    assert only(judge(replace(one, models=(card, one.models[1])), drop(0.1))).basis == (
        "m: this prompt only",
    )
    floor = replace(card, kind="floor")
    assert only(judge(replace(one, models=(floor,)), drop(0.1))).basis == ()


def test_reports_name_the_limit_and_a_page_gives_the_same_gate_again(grouped: Grouped) -> None:
    record = grouped(8, 6, 9)
    record = replace(record, gate=judge(record, drop(0.05)), settings={"level": 0.95})
    said = "3 draws of demonstrations"
    page = render_html(record)
    for text in (page, render_markdown(record), render_junit(record)):
        assert said in text
    assert judge_again(record) == record.gate
    again = page_record(page)
    assert again.gate == record.gate
    assert judge_again(again) == record.gate


def test_a_true_drop_on_the_limit_passes_at_its_level_over_other_seeds_too() -> None:
    """Three seeds, each with an effect of its own: without their spread the bound is far too sure."""
    rng = np.random.default_rng(11)
    limit, runs, items = 0.05, 400, 600
    clusters = list(range(items))
    passed = {"with": 0, "without": 0}
    for _ in range(runs):
        effects = limit + rng.normal(0, 0.03, 3)
        losses = [effect + rng.normal(0, 0.15, items) for effect in effects]
        mean = np.mean(losses, axis=0).tolist()
        spread = Spread("seeds of m", tuple(float(np.mean(row)) for row in losses))
        for how, spreads in (("with", [spread]), ("without", [])):
            found = margins.mean(mean, clusters, limit, spreads=spreads)
            passed[how] += found.p_within <= 0.05
    assert passed["with"] / runs < 0.05 + 3 * (0.05 * 0.95 / runs) ** 0.5
    assert passed["without"] / runs > 0.15
