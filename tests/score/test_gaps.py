"""What a model loses on a set, from invented answers."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from robust_eval import score
from robust_eval.errors import StatisticsError
from robust_eval.records import CLEAN, TASKS, Dataset, Example, Metric, Prediction, TaskKind
from robust_eval.stats.intervals import bonett_price, newcombe, wilson
from robust_eval.stats.paired import mcnemar

CLEAN_8 = "+++++++-"


def test_a_paired_gap_counts_flips_and_uses_the_tests_for_counts(invented_run) -> None:
    run = invented_run({("m", CLEAN): CLEAN_8, ("m", "typos"): "++++---+"}, unchanged=(0, 1))
    (gap,) = run.gaps()
    assert (gap.model, gap.set_key, gap.metric, gap.paired) == ("m", "typos", "accuracy", True)
    assert gap.clean == wilson(7, 8)
    assert gap.shifted == wilson(5, 8)
    assert gap.drop == bonett_price(3, 1, 8)
    assert (gap.p_value, gap.test) == (mcnemar(3, 1), "exact McNemar")
    assert (gap.right_to_wrong, gap.wrong_to_right, gap.left_out) == (3, 1, 0)
    assert gap.drop_changed == bonett_price(3, 1, 6)


def test_an_unpaired_gap_is_two_sample(invented_run) -> None:
    run = invented_run({("m", CLEAN): CLEAN_8, ("m", "imdb"): "++-f-"}, unpaired=["imdb"])
    (gap,) = run.gaps()
    assert gap.drop == newcombe(7, 8, 2, 4)
    assert (gap.test, gap.left_out) == ("Fisher exact", 1)
    assert (gap.drop_changed, gap.right_to_wrong, gap.wrong_to_right) == (None, None, None)


def test_an_unpaired_gap_counts_what_failed_on_either_side(invented_run) -> None:
    run = invented_run({("m", CLEAN): "ff++-", ("m", "imdb"): "f+-"}, unpaired=["imdb"])
    (gap,) = run.gaps()
    assert (gap.left_out, gap.clean.n, gap.shifted.n) == (3, 3, 2)


def test_a_failed_request_leaves_both_sides_and_is_never_wrong(invented_run) -> None:
    run = invented_run({("m", CLEAN): "f++++++-", ("m", "typos"): "-+f+++--"})
    (gap,) = run.gaps()
    assert gap.left_out == 2
    assert gap.clean == wilson(5, 6)
    assert gap.shifted == wilson(4, 6)
    assert gap.clean.value - gap.shifted.value == pytest.approx(gap.drop.value)


def test_other_statuses_are_wrong_and_counted_apart(invented_run) -> None:
    run = invented_run({("m", CLEAN): "++++u", ("m", "typos"): "+urtf"}, cut=[("m", "typos")])
    (gap,) = run.gaps()
    assert gap.statuses == {"ok": 1, "unparsed": 1, "refused": 1, "truncated": 1, "failed": 1}
    assert gap.clean_statuses["unparsed"] == 1
    assert (gap.truncated_inputs, gap.clean_truncated_inputs) == (5, 0)
    assert gap.shifted == wilson(1, 4)


def test_a_true_score_of_zero_is_a_score(invented_run) -> None:
    run = invented_run({("m", CLEAN): "----", ("m", "typos"): "----"})
    (gap,) = run.gaps()
    assert (gap.clean.value, gap.shifted.value, gap.drop.value) == (0, 0, 0)
    assert gap.p_value == 1
    assert gap.drop.low < 0 < gap.drop.high


def test_nothing_changed_means_no_drop_on_changed_examples(invented_run) -> None:
    run = invented_run({("m", CLEAN): "++", ("m", "typos"): "+-"}, unchanged=(0, 1))
    assert run.gaps()[0].drop_changed is None


def test_one_example_is_reported_with_an_interval_that_says_how_little_it_is(invented_run) -> None:
    (gap,) = invented_run({("m", CLEAN): "+", ("m", "typos"): "-"}).gaps()
    assert gap.drop.value == 1
    assert gap.drop.low < 0
    assert gap.p_value == 1


def test_copies_of_one_source_are_clustered(invented_run) -> None:
    names = ["x"] * 4 + ["y"] * 4
    run = invented_run({("m", CLEAN): "++++++++", ("m", "typos"): "----++++"}, clusters=names)
    (gap,) = run.gaps()
    assert "clustered t" in gap.drop.method
    assert "sign-flip" in gap.test
    assert gap.p_value == 1  # one cluster moved, one did not
    assert gap.right_to_wrong == 4
    alone = invented_run({("m", CLEAN): "++++++++", ("m", "typos"): "----++++"}).gaps()[0]
    assert gap.drop.high - gap.drop.low > alone.drop.high - alone.drop.low


def test_a_metric_that_is_better_when_lower_drops_when_it_rises(invented_run, monkeypatch) -> None:
    run = invented_run(
        {("m", CLEAN): "----+", ("m", "typos"): "--+++", ("m", "imdb"): "++++"}, unpaired=["imdb"]
    )
    errors = Metric("accuracy", higher_is_better=False)  # "right" here plays the part of an error
    task = replace(run.dataset.task, metrics=(errors,))
    run = replace(run, dataset=replace(run.dataset, task=task))
    paired, unpaired = run.gaps()
    assert paired.drop == bonett_price(2, 0, 5)
    assert (paired.right_to_wrong, paired.wrong_to_right) == (2, 0)
    assert paired.shifted.value > paired.clean.value
    assert unpaired.drop == newcombe(4, 4, 1, 5)


def test_every_metric_of_a_task_has_its_gap_and_shares_take_the_t_interval() -> None:
    examples = tuple(Example(f"q{i}", {"question": "?"}, ("red fox",), f"q{i}") for i in range(6))
    dataset = Dataset("qa", TASKS[TaskKind.OPEN_QA], (), examples, "0", "0")
    run_sets = (_paired_set(examples),)
    said = {CLEAN: ["red fox"] * 6, "typos": ["red fox", "red", "fox", "cat", "red fox", "red"]}
    predictions = {
        ("m", key): tuple(Prediction(e.id, text=t) for e, t in zip(examples, row, strict=True))
        for key, row in said.items()
    }
    scores = score.score_all(dataset, run_sets, predictions)
    exact, overlap = score.gaps(dataset, run_sets, [_card("m")], predictions, scores)
    assert (exact.metric, overlap.metric) == ("exact-match", "f1")
    assert (exact.drop.value, overlap.drop.value) == pytest.approx((4 / 6, 2 / 6))
    assert (overlap.right_to_wrong, overlap.wrong_to_right) == (None, None)
    assert overlap.drop.method.startswith("t with")


def test_order_of_examples_changes_no_bit(invented_run) -> None:
    draw = random.Random(3)
    letters = lambda: "".join("+-f"[int(draw.random() * 2.2)] for _ in range(40))  # noqa: E731
    run = invented_run(
        {(m, k): letters() for m in ("m", "b") for k in (CLEAN, "typos@1", "typos@3", "case")},
        clusters=[f"c{i % 15}" for i in range(40)],
    )
    order = sorted(range(40), key=lambda i: i * 17 % 40)
    shuffled = run.shuffled(order)
    assert shuffled.gaps() == run.gaps()
    assert shuffled.comparisons() == run.comparisons()


def test_nothing_answered_on_both_sides_is_one_clear_line(invented_run) -> None:
    run = invented_run({("m", CLEAN): "+f", ("m", "typos"): "f+"})
    with pytest.raises(
        StatisticsError, match=r"'typos' has an answer of 'm'.*1 of 2 requests failed"
    ):
        run.gaps()
    run = invented_run({("m", CLEAN): "++", ("m", "imdb"): "ff"}, unpaired=["imdb"])
    with pytest.raises(StatisticsError, match="2 of 2 requests failed"):
        run.gaps()


def test_ids_that_the_clean_set_does_not_hold_are_an_error(invented_run) -> None:
    run = invented_run({("m", CLEAN): "++", ("m", "typos"): "+-+"})
    with pytest.raises(StatisticsError, match="1 of its ids are not in the clean set, 'e0002'"):
        run.gaps()


def test_a_paired_set_may_hold_a_part_of_the_clean_set(invented_run) -> None:
    (gap,) = invented_run({("m", CLEAN): "++-", ("m", "typos"): "+-"}).gaps()
    assert (gap.clean.n, gap.left_out) == (2, 0)


def test_answers_out_of_order_are_refused(invented_run) -> None:
    run = invented_run({("m", CLEAN): "++", ("m", "typos"): "+-"})
    run.predictions["m", "typos"] = run.predictions["m", "typos"][::-1]
    with pytest.raises(StatisticsError, match="'e0001' stands where 'e0000'"):
        run.scores()
    run.predictions["m", "typos"] = run.predictions["m", "typos"][:1]
    with pytest.raises(StatisticsError, match="1 answers to the 2 examples"):
        run.scores()


def test_predictions_on_an_unknown_set_or_missing_ones_are_errors(invented_run) -> None:
    run = invented_run({("m", CLEAN): "++", ("m", "typos"): "+-"})
    answers = run.predictions.pop(("m", "typos"))
    with pytest.raises(StatisticsError, match="no predictions on 'typos'"):
        run.gaps()
    run.predictions["m", "tpyos"] = answers
    with pytest.raises(StatisticsError, match="'tpyos' that is not in this run"):
        run.scores()


def test_two_sets_of_one_key_and_two_models_of_one_name_are_errors(invented_run) -> None:
    run = invented_run({("m", CLEAN): "++", ("m", "typos"): "+-"})
    with pytest.raises(StatisticsError, match="two sets have the key 'typos'"):
        replace(run, sets=run.sets * 2).scores()
    with pytest.raises(StatisticsError, match="two models have one name"):
        replace(run, models=run.models * 2).gaps()


def test_doses_that_do_not_match_their_examples_are_an_error(invented_run) -> None:
    run = invented_run({("m", CLEAN): "++", ("m", "typos"): "+-"})
    broken = replace(run, sets=(replace(run.sets[0], doses=run.sets[0].doses[:1]),))
    with pytest.raises(StatisticsError, match="1 doses for 2 examples"):
        broken.gaps()


def _card(name: str):
    from robust_eval.records import ModelCard

    return ModelCard(name, name, "model", "scripted", name, True)


def _paired_set(examples):
    from robust_eval.records import ShiftedSet

    return ShiftedSet("noise", "typos", "typos", None, 0, True, tuple(examples))
