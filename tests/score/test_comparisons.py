"""Which of two models loses less, and when nobody may say so."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from statsmodels.stats.multitest import multipletests

from robust_eval.errors import StatisticsError
from robust_eval.records import CLEAN, Metric
from robust_eval.stats import means
from robust_eval.stats.intervals import bonett_price, wilson
from robust_eval.stats.paired import sign_flip


def half(n: int, right: int) -> str:
    return "+" * right + "-" * (n - right)


def robust_against_fragile(invented_run, **answers: str):
    """100 items; the model loses none, the baseline 20, on one shift."""
    letters = {
        ("m", CLEAN): half(100, 90),
        ("b", CLEAN): half(100, 90),
        ("m", "typos"): half(100, 90),
        ("b", "typos"): half(100, 70),
    }
    letters.update({tuple(key.split("_")): row for key, row in answers.items()})
    return invented_run(letters)


def test_a_model_that_keeps_what_the_baseline_loses_loses_less(invented_run) -> None:
    (row,) = robust_against_fragile(invented_run).comparisons()
    differences = [0.0] * 70 + [1.0] * 20 + [0.0] * 10
    assert row.difference == means.mean(
        differences, bounds=means.DIFFERENCE_RANGE, pseudo=means.DROP_PSEUDO
    )
    assert row.p_value == row.p_holm == sign_flip(differences).p
    assert (row.model, row.baseline, row.shift, row.set_key) == ("m", "b", "typos", None)
    assert row.verdict == "loses less"
    assert "m loses 0.0 points and b loses 20.0" in row.reason
    assert "1 test." in row.reason
    assert (row.clusters, row.left_out, row.metric, row.paired) == (100, 0, "accuracy", True)


def test_clean_scores_and_every_difference_stand_beside_the_headline(invented_run) -> None:
    (row,) = robust_against_fragile(invented_run).comparisons()
    assert row.clean_model == row.clean_baseline == wilson(90, 100)
    assert row.clean_difference == bonett_price(0, 0, 100)
    assert row.shifted_difference == bonett_price(20, 0, 100)
    assert row.drop_model == bonett_price(0, 0, 100)
    assert row.drop_baseline == bonett_price(20, 0, 100)


def test_the_other_way_round_it_loses_more_by_as_much(invented_run) -> None:
    run = robust_against_fragile(invented_run)
    swapped = invented_run(
        {
            ("m", CLEAN): half(100, 90),
            ("b", CLEAN): half(100, 90),
            ("m", "typos"): half(100, 70),
            ("b", "typos"): half(100, 90),
        }
    )
    (less,), (more,) = run.comparisons(), swapped.comparisons()
    assert more.verdict == "loses more"
    assert (more.difference.value, more.difference.low, more.difference.high) == (
        -less.difference.value,
        -less.difference.high,
        -less.difference.low,
    )
    assert more.p_value == less.p_value


def test_two_equal_models_show_no_supported_difference(invented_run) -> None:
    (row,) = robust_against_fragile(invented_run, b_typos=half(100, 90)).comparisons()
    assert row.verdict == "no supported difference"
    assert row.difference.low < 0 < row.difference.high
    assert row.p_value == 1


def test_few_examples_support_nothing_and_the_reason_says_how_many_would(invented_run) -> None:
    run = invented_run(
        {
            ("m", CLEAN): half(12, 12),
            ("b", CLEAN): half(12, 12),
            ("m", "typos"): half(12, 12),
            ("b", "typos"): half(12, 9),
        }
    )
    (row,) = run.comparisons()
    assert row.verdict == "no supported difference"
    assert "there were 12" in row.reason


def test_sets_of_one_shift_are_pooled_and_then_described_one_by_one(invented_run) -> None:
    letters = {("m", CLEAN): half(60, 55), ("b", CLEAN): half(60, 55)}
    for severity, right in ((1, 50), (3, 40), (5, 25)):
        letters["m", f"typos@{severity}"] = half(60, 52)
        letters["b", f"typos@{severity}"] = half(60, right)
    run = invented_run(letters)
    rows = run.comparisons()
    assert [row.set_key for row in rows] == [None, "typos@1", "typos@3", "typos@5"]
    pooled, *single = rows
    assert pooled.difference.value == pytest.approx(sum(row.difference.value for row in single) / 3)
    assert (pooled.difference.n, pooled.clusters) == (60, 60)  # three answers, one item
    assert pooled.verdict == "loses less"
    for row in single:
        assert row.p_holm is None
        assert row.verdict == "no supported difference"
        assert "without a test of its own" in row.reason


def test_pooled_severities_count_an_item_once(invented_run) -> None:
    base = {("m", CLEAN): "+" * 20, ("b", CLEAN): "+" * 20}
    once = invented_run({**base, ("m", "t@1"): "+" * 20, ("b", "t@1"): half(20, 14)})
    thrice = {**base}
    for severity in (1, 2, 3):
        thrice["m", f"t@{severity}"], thrice["b", f"t@{severity}"] = "+" * 20, half(20, 14)
    pooled = invented_run(thrice).comparisons()[0]
    assert pooled.p_value == once.comparisons()[0].p_value
    assert pooled.difference.low == pytest.approx(once.comparisons()[0].difference.low)


def test_difference_is_exactly_what_the_two_drops_differ_by(invented_run) -> None:
    run = invented_run(
        {
            ("m", CLEAN): "+++-++-+++",
            ("b", CLEAN): "++++-+++-+",
            ("m", "t@1"): "++--++-+++",
            ("m", "t@2"): "+---++-+-+",
            ("b", "t@1"): "+-++--++-+",
            ("b", "t@2"): "--++-f++-+",
            ("m", "imdb"): "++-+++",
            ("b", "imdb"): "-+-+-+",
        },
        unpaired=["imdb"],
        clusters=list("aabcdefgghiijj")[:10],
    )
    for row in run.comparisons():
        assert row.difference.value == pytest.approx(row.drop_baseline.value - row.drop_model.value)
        assert row.difference.value == pytest.approx(
            row.shifted_difference.value - row.clean_difference.value
        )


def test_an_example_that_failed_anywhere_leaves_every_arm(invented_run) -> None:
    run = invented_run(
        {
            ("m", CLEAN): "+++++++",
            ("b", CLEAN): "f++++++",
            ("m", "t@1"): "+f+++++",
            ("b", "t@1"): "+++++--",
            ("m", "t@2"): "+++++++",
            ("b", "t@2"): "++f++--",
        }
    )
    for row in run.comparisons():
        assert (row.left_out, row.difference.n, row.clean_model.n) == (3, 4, 4)


def test_failures_of_unpaired_sets_leave_both_models(invented_run) -> None:
    run = invented_run(
        {
            ("m", CLEAN): "+++f+",
            ("b", CLEAN): "+++++",
            ("m", "imdb"): "++-+-+",
            ("b", "imdb"): "f+++++",
        },
        unpaired=["imdb"],
    )
    (row,) = run.comparisons()
    assert row.left_out == 2
    assert (row.clean_model.n, row.clean_baseline.n) == (4, 4)
    assert (row.difference.n, row.shifted_difference.n) == (9, 5)


def test_unpaired_verdicts_come_from_one_statistic(invented_run) -> None:
    run = invented_run(
        {
            ("m", CLEAN): half(200, 180),
            ("b", CLEAN): half(200, 180),
            ("m", "imdb"): half(200, 178),
            ("b", "imdb"): half(200, 130),
        },
        unpaired=["imdb"],
    )
    (row,) = run.comparisons()
    assert (row.paired, row.test, row.verdict) == (False, "Welch t", "loses less")
    assert row.difference.value == pytest.approx(0.24)
    assert row.clusters == 400


@pytest.mark.parametrize("weak", ["m", "b"])
def test_a_model_near_chance_is_not_comparable_however_small_its_p(invented_run, weak: str) -> None:
    strong = "b" if weak == "m" else "m"
    run = invented_run(
        {
            (weak, CLEAN): half(400, 215),
            (weak, "typos"): half(400, 215),
            (strong, CLEAN): half(400, 360),
            (strong, "typos"): half(400, 240),
        }
    )
    (row,) = run.comparisons()
    assert row.p_holm is not None
    assert row.p_holm < 1e-9
    assert row.verdict == "not comparable"
    assert f"of {weak}, 53.8%" in row.reason
    assert "majority rate of 50.0%" in row.reason


def test_an_always_wrong_model_that_never_changes_its_answer_is_not_robust(invented_run) -> None:
    run = robust_against_fragile(invented_run, m_clean=half(100, 0), m_typos=half(100, 0))
    (row,) = run.comparisons()
    assert row.drop_model.value == 0
    assert row.verdict == "not comparable"


def test_one_class_only_is_never_comparable(invented_run) -> None:
    run = invented_run(
        {
            ("m", CLEAN): "+" * 50,
            ("b", CLEAN): "+" * 50,
            ("m", "typos"): "+" * 50,
            ("b", "typos"): half(50, 20),
        },
        targets="a" * 50,
    )
    (row,) = run.comparisons()
    assert row.verdict == "not comparable"
    assert "majority rate of 100.0%" in row.reason


def test_the_majority_is_that_of_the_items_compared(invented_run) -> None:
    # 100 items, half and half; 40 items of label b fail, which leaves 50 of 60 with label a.
    letters = {(m, k): "+" * 95 + "-" * 5 for m in "mb" for k in (CLEAN, "typos")}
    targets = "b" * 40 + "a" * 50 + "b" * 10
    whole = invented_run(letters, targets=targets)
    assert whole.comparisons()[0].verdict == "no supported difference"
    letters["m", "typos"] = "f" * 40 + "+" * 55 + "-" * 5
    (row,) = invented_run(letters, targets=targets).comparisons()
    assert row.verdict == "not comparable"
    assert "majority rate of 83.3%" in row.reason


def test_holm_runs_over_every_pooled_test_of_the_report(invented_run) -> None:
    letters = {}
    for name, lost in (("m", 0), ("m2", 2), ("b", 12), ("b2", 14)):
        letters[name, CLEAN] = half(100, 90)
        letters[name, "typos@1"] = half(100, 90 - lost)
        letters[name, "typos@3"] = half(100, 90 - lost)
        letters[name, "case"] = half(100, 90 - lost // 2)
    rows = invented_run(letters).comparisons()
    pooled = [row for row in rows if row.set_key is None]
    assert len(pooled) == 8  # two models, two baselines, two shifts
    theirs = multipletests([row.p_value for row in pooled], method="holm")[1]
    assert [row.p_holm for row in pooled] == pytest.approx(list(theirs))
    for row in pooled:
        claimed = row.verdict in ("loses less", "loses more")
        assert claimed == (row.p_holm < 0.05 and row.difference.low > 0)
        if not claimed and row.difference.low > 0:
            assert "on its own that leaves 0 out" in row.reason
    assert {row.verdict for row in pooled} == {"loses less", "no supported difference"}


def test_no_verdict_contradicts_the_interval_beside_it(invented_run) -> None:
    previous = None
    for lost in range(13):
        (row,) = robust_against_fragile(invented_run, b_typos=half(100, 90 - lost)).comparisons()
        if row.verdict == "loses less":
            assert row.difference.low > 0
        if row.p_holm < 0.05 and row.difference.low <= 0:
            assert "the interval holds 0" in row.reason
        assert previous is None or row.p_value <= previous
        previous = row.p_value


def test_a_higher_level_asks_for_more(invented_run) -> None:
    run = robust_against_fragile(invented_run, b_typos=half(100, 82))
    verdicts = [run.comparisons(level)[0] for level in (0.9, 0.95, 0.99, 0.9999)]
    assert verdicts[0].verdict == "loses less"
    assert verdicts[-1].verdict == "no supported difference"
    for looser, stricter in pairwise(verdicts):
        assert stricter.difference.low < looser.difference.low


def test_a_lower_is_better_metric_turns_every_drop_round(invented_run) -> None:
    run = robust_against_fragile(invented_run)
    errors = Metric("accuracy", higher_is_better=False)
    task = replace(run.dataset.task, metrics=(errors,))
    (row,) = replace(run, dataset=replace(run.dataset, task=task)).comparisons()
    assert row.difference.value == pytest.approx(-0.2)
    assert row.drop_baseline.value == pytest.approx(-0.2)
    assert row.verdict == "not comparable"  # an error rate of 0.9 does not beat naming one label


@pytest.mark.parametrize("n", [1, 2, 5])
def test_tiny_runs_give_wide_intervals_and_no_crash(invented_run, n: int) -> None:
    run = invented_run(
        {
            ("m", CLEAN): "+" * n,
            ("b", CLEAN): "+" * n,
            ("m", "t@1"): "+" * n,
            ("b", "t@1"): "-" * n,
            ("m", "imdb"): "+" * n,
            ("b", "imdb"): "-" * n,
        },
        unpaired=["imdb"],
    )
    for row in run.comparisons():
        assert row.difference.value == 1
        assert row.verdict in ("no supported difference", "not comparable")


def test_runs_without_a_baseline_or_without_sets_compare_nothing(invented_run) -> None:
    assert invented_run({("m", CLEAN): "++", ("m", "t"): "+-"}).comparisons() == ()
    assert invented_run({("m", CLEAN): "++", ("b", CLEAN): "+-"}).comparisons() == ()


def test_no_complete_case_is_one_clear_line(invented_run) -> None:
    letters = {("m", CLEAN): "++", ("b", CLEAN): "++", ("m", "t"): "f+", ("b", "t"): "+f"}
    with pytest.raises(
        StatisticsError, match=r"shift 't' was answered by both 'm' and 'b'.*2 were"
    ):
        invented_run(letters).comparisons()
    letters = {("m", CLEAN): "++", ("b", CLEAN): "++", ("m", "i"): "ff", ("b", "i"): "++"}
    with pytest.raises(StatisticsError, match="cannot be compared"):
        invented_run(letters, unpaired=["i"]).comparisons()


def test_a_shift_that_is_paired_in_part_is_refused(invented_run) -> None:
    letters = {(m, k): "++" for m in "mb" for k in (CLEAN, "t@1", "t@2")}
    with pytest.raises(StatisticsError, match="paired in part only"):
        invented_run(letters, unpaired=["t@2"]).comparisons()


def prompted(run, key: str, *without: str):
    """The run with one set made prompt-side, which these models do not have."""
    return replace(
        run,
        sets=tuple(
            replace(s, family="prompt", prompt_edit=f"{key}#0", doses=()) if s.key == key else s
            for s in run.sets
        ),
        predictions={
            (m, k): row for (m, k), row in run.predictions.items() if k != key or m not in without
        },
    )


def test_a_model_without_a_prompt_takes_no_place_in_the_family(invented_run) -> None:
    rows = {
        ("m", CLEAN): "+" * 40, ("m", "noise"): "+" * 30 + "-" * 10, ("m", "label-case"): "-" * 40,
        ("b", CLEAN): "+" * 40, ("b", "noise"): "-" * 30 + "+" * 10, ("b", "label-case"): "+" * 40,
        ("b2", CLEAN): "+" * 40, ("b2", "noise"): "+" * 40, ("b2", "label-case"): "+" * 40,
    }  # fmt: skip
    run = prompted(invented_run(rows), "label-case", "b", "b2")
    assert {(g.model, g.set_key) for g in run.gaps() if g.set_key == "label-case"} == {
        ("m", "label-case")
    }
    assert {(c.baseline, c.shift) for c in run.comparisons()} == {("b", "noise"), ("b2", "noise")}
    alone = invented_run({k: v for k, v in rows.items() if k[1] != "label-case"})
    assert run.comparisons() == alone.comparisons()


def test_two_prompted_models_are_compared_under_a_prompt_edit(invented_run) -> None:
    rows = {
        ("m", CLEAN): "+" * 40, ("m", "label-case"): "-" * 40,
        ("b", CLEAN): "+" * 40, ("b", "label-case"): "+" * 40,
    }  # fmt: skip
    (row,) = prompted(invented_run(rows), "label-case").comparisons()
    assert row.verdict == "loses more"
    assert row.difference.value == -1
