"""Groups in gaps and comparisons: means over members, wider intervals, variance taken apart."""

from __future__ import annotations

from dataclasses import replace

import pytest

from robust_eval import score
from robust_eval.records import CLEAN
from robust_eval.score.comparisons import alike
from robust_eval.score.members import mean_scores


def letters(n: int, right: int) -> str:
    return "+" * right + "-" * (n - right)


@pytest.fixture
def grouped(invented_run):
    """Model m, and b of three seeds whose drops are 10, 20 and 30 points on 100 examples."""

    def make(*drops: int, unpaired: bool = False):
        answers = {("m", CLEAN): letters(100, 90), ("m", "typos"): letters(100, 90)}
        for i, drop in enumerate(drops):
            answers[f"b{i}", CLEAN] = letters(100, 90)
            answers[f"b{i}", "typos"] = letters(100, 90 - drop)
        run = invented_run(answers, unpaired=["typos"] if unpaired else [])
        cards = {card.name: card for card in run.models}
        names = tuple(f"b{i}" for i in range(len(drops)))
        group = replace(cards["b0"], name="b", role="baseline", kind="fine-tuned", members=names)
        model = replace(cards["m"], role="model")
        predictions = dict(run.predictions)
        for key in (CLEAN, "typos"):
            predictions["b", key] = predictions["b0", key]
        return run, (model, group), predictions

    return make


def figures(run, cards, predictions, **options):
    scores = mean_scores(cards, score.score_all(run.dataset, run.sets, predictions))
    arguments = (run.dataset, run.sets, cards, predictions, scores)
    return score.gaps(*arguments), score.comparisons(*arguments, **options)


@pytest.mark.parametrize("unpaired", [False, True])
def test_a_group_is_the_mean_of_its_members_and_its_interval_includes_them(
    grouped, unpaired: bool
) -> None:
    gaps, (row,) = figures(*grouped(10, 20, 30, unpaired=unpaired))
    _, (alone,) = figures(*grouped(20, 20, 20, unpaired=unpaired))
    assert row.drop_baseline.value == pytest.approx(0.2)
    assert row.difference.value == pytest.approx(0.2)
    assert row.difference.low < alone.difference.low
    assert row.difference.high > alone.difference.high
    assert row.p_value > alone.p_value
    assert "widened by seeds" in row.difference.method
    (gap,) = [g for g in gaps if g.model == "b"]
    assert gap.drop.value == pytest.approx(0.2)
    assert gap.drop.high - gap.drop.low > 0.3  # t on 2 degrees of freedom, not on 99


def test_components_say_where_the_variance_comes_from(grouped) -> None:
    _, (row,) = figures(*grouped(10, 20, 30))
    examples, seeds = row.components
    assert (examples.source, examples.count) == ("examples", 100)
    assert (seeds.source, seeds.count) == ("seeds of b", 3)
    assert seeds.deviation == pytest.approx(0.1)
    assert examples.share + seeds.share == pytest.approx(1.0)
    _, (alone,) = figures(*grouped(20, 20, 20))
    assert alone.components[1].share == pytest.approx(0.0)


def test_an_example_that_one_member_failed_on_leaves_the_group(grouped) -> None:
    run, cards, predictions = grouped(10, 20, 30)
    from robust_eval.records import Status

    failed = list(predictions["b1", "typos"])
    failed[0] = replace(failed[0], status=Status.FAILED, label=None)
    predictions["b1", "typos"] = tuple(failed)
    _, (row,) = figures(run, cards, predictions)
    assert row.left_out == 1


def test_equal_budgets_compare_alike_only(invented_run) -> None:
    run = invented_run({("m", CLEAN): "++", ("m", "typos"): "++"})
    card = run.models[0]

    def made(role: str, spec: str, **details: object):
        return replace(card, role=role, spec=spec, details=details)

    zero, sixteen = made("model", "p", budget=0), made("model", "p", budget=16)
    some = made("baseline", "f", budget=16)
    every = made("baseline", "f", budget=500, budget_is_all=True)
    models = (zero, sixteen, some, every)
    assert [alike(m, b, models) for m in (zero, sixteen) for b in (some, every)] == [
        False,
        False,
        True,
        True,
    ]
    assert alike(made("model", "scripted:oracle"), some, models)
