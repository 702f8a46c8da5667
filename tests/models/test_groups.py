"""Seeds and draws: members that differ in chance alone, under names of their own."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from inspect import getattr_static
from pathlib import Path

import pytest

from robust_eval.errors import UsageError
from robust_eval.models.cache import PredictionCache
from robust_eval.models.context import ModelContext
from robust_eval.models.groups import Curves, Group, Named, load_groups, pooled_answers, subset
from robust_eval.models.predict import Request, predict
from robust_eval.records import Demonstrated, Model, Prediction, Prompted, Status

Context = Callable[..., ModelContext]


def test_a_baseline_is_taken_once_a_size_and_seed(
    tiny_encoder: Path, review_context: Context
) -> None:
    context = review_context()
    spec = f"ft:{tiny_encoder}"
    curves = Curves(seeds=3, sizes=(8, 32, None))
    oracle, *found = load_groups(("scripted:oracle",), (spec,), context, curves)
    assert [len(oracle.members), oracle.card.members] == [1, ()]
    assert [g.name for g in found] == [
        f"{spec} (8 examples)",
        f"{spec} (32 examples)",
        f"{spec} (all 80 examples)",
    ]
    for group in found:
        assert group.card.members == tuple(f"{group.name}, seed {i}" for i in range(3))
        assert len({model.card.fingerprint for model in group.members}) == 3
        assert group.card.details["seeds"] == 3
        assert all(isinstance(model, Model) for model in group.members)
    assert [g.card.details["budget"] for g in found] == [8, 32, 80]
    assert [g.card.details.get("budget_is_all") for g in found] == [None, None, True]


def test_only_what_is_drawn_is_drawn_again(review_context: Context) -> None:
    specs = ("scripted:oracle", "bow")
    curves = Curves(seeds=4, draws=4)
    groups = load_groups(specs[:1], specs[1:], review_context(), curves)
    assert [len(g.members) for g in groups] == [1, 1]
    with pytest.raises(UsageError, match="compared with itself"):
        load_groups(("bow",), ("bow",), review_context(), curves)


def test_a_part_of_the_training_data_is_balanced_seeded_and_within_its_budget(
    review_context: Context,
) -> None:
    context = review_context()
    small = subset(context, 8)
    assert (len(small.train), small.dev) == (8, ())
    assert sum(e.target == "positive" for e in small.train) == 4
    large = subset(context, 70)
    assert (len(large.train), len(large.dev)) == (63, 7)
    assert not {e.id for e in large.train} & {e.id for e in large.dev}
    ids = {e.id for e in small.train}
    assert ids == {e.id for e in subset(context, 8).train}
    assert ids != {e.id for e in subset(replace(context, seed=1), 8).train}


def test_a_member_answers_as_its_model_does_and_shares_its_cache(
    review_context: Context, reviews: Callable[..., tuple], tmp_path: Path
) -> None:
    context = review_context()
    (group,) = load_groups((), ("bow",), context, Curves(sizes=(8,)))
    model = group.members[0]
    requests = [Request(example, "clean") for example in reviews(12)]
    with PredictionCache.open(tmp_path) as cache:
        given = predict(model, requests, cache)
        stored = cache.stored
        assert predict(model, requests, cache) == given
        assert cache.stored == stored == 12
    assert model.card.name == group.name == "bow (8 examples)"


def test_a_member_can_do_what_its_model_can_and_nothing_else(review_context: Context) -> None:
    class Bare:
        card = load_groups((), ("bow",), review_context(), Curves())[0].card

        def jobs(self, examples: object) -> Iterator[object]:
            return iter(())

    class Able(Bare):
        def with_prompt(self, edit: str) -> object:
            return "it does not apply" if edit == "no" else Able()

        def with_demonstrations(self, pool: object) -> object:
            return Able()

    bare, able = Named(Bare(), "bare", {}), Named(Able(), "able, draw 1", {"budget": 4})
    for protocol in (Prompted, Demonstrated):
        assert not isinstance(bare, protocol)
        assert isinstance(able, protocol)
    # From Python 3.12 on, isinstance() reads members in this way.
    assert getattr_static(able, "with_prompt", None) is not None
    assert getattr_static(bare, "with_prompt", None) is None
    assert able.with_prompt("no") == "it does not apply"
    for changed in (able.with_prompt("yes"), able.with_demonstrations(())):
        assert (changed.card.name, changed.card.details["budget"]) == ("able, draw 1", 4)
        assert isinstance(changed, Demonstrated)


def answer(label: str | None, share: float, status: Status = Status.OK) -> Prediction:
    scores = (math.log(share), math.log(1 - share)) if label else None
    return Prediction("e", label=label, scores=scores, status=status)


@pytest.mark.parametrize(
    ("given", "label", "share", "status"),
    [
        ([answer("a", 0.9), answer("b", 0.2), answer("a", 0.7)], "a", 0.6, Status.OK),
        ([answer("b", 0.4), answer("a", 0.9)], "b", 0.65, Status.OK),  # the first of equal ones
        ([answer("a", 0.9), answer(None, 0, Status.FAILED)], None, None, Status.FAILED),
        ([answer("a", 0.9), answer(None, 0, Status.UNPARSED)], "a", None, Status.OK),
    ],
)
def test_members_say_together_what_most_say(
    given: list[Prediction], label: str | None, share: float | None, status: Status
) -> None:
    class Fake:
        def __init__(self, name: str) -> None:
            self.card = type("Card", (), {"name": name})

    names = [f"m{i}" for i in range(len(given))]
    group = Group("m", tuple(Fake(name) for name in names), "seeds")  # type: ignore[arg-type]
    answered = {(name, "clean"): (p,) for name, p in zip(names, given, strict=True)}
    (said,) = pooled_answers(group, answered)["m", "clean"]
    assert (said.label, said.status) == (label, status)
    if share is None:
        assert said.scores is None
    else:
        assert said.scores is not None
        assert math.exp(said.scores[0]) == pytest.approx(share)
    alone = Group("m", (Fake("m0"),))  # type: ignore[arg-type]
    assert pooled_answers(alone, answered) == {}
