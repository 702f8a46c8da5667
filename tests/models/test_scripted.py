"""The scripted fakes: what each is for."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from robust_eval.errors import ModelError
from robust_eval.models import load_model
from robust_eval.models.context import ModelContext
from robust_eval.records import Example, Prediction, Status


@pytest.fixture
def script(review_context: Callable[..., ModelContext]) -> Callable[..., list[Prediction]]:
    """Answers of a scripted model to these examples, in their order."""

    def ask(kind: str, examples: tuple[Example, ...]) -> list[Prediction]:
        model = load_model(f"scripted:{kind}", "model", review_context())
        found: dict[int, Prediction] = {}
        for job in model.jobs(examples):
            found.update(zip(job.indices, job.answer(), strict=True))
        return [found[i] for i in range(len(examples))]

    return ask


Reviews = Callable[..., tuple[Example, ...]]
Script = Callable[..., list[Prediction]]


def right(answers: list[Prediction], examples: tuple[Example, ...]) -> float:
    return sum(a.label == e.target for a, e in zip(answers, examples, strict=True)) / len(examples)


def test_the_oracle_is_always_right(script: Script, reviews: Reviews) -> None:
    assert right(script("oracle", reviews(40)), reviews(40)) == 1.0


def test_the_constant_is_right_half_of_the_time(script: Script, reviews: Reviews) -> None:
    assert right(script("constant", reviews(40)), reviews(40)) == 0.5
    labels = {a.label for a in script("constant?label=positive", reviews(4))}
    assert labels == {"positive"}


def test_length_depends_on_the_text_alone(script: Script) -> None:
    examples = tuple(Example(str(i), {"text": "x" * i}, "positive", str(i)) for i in range(4))
    assert [a.label for a in script("length", examples)] == ["negative", "positive"] * 2


def test_noisy_is_right_about_as_often_as_asked_and_nests(script: Script, reviews: Reviews) -> None:
    examples = reviews(2000)
    low, high = script("noisy?accuracy=0.6", examples), script("noisy?accuracy=0.9", examples)
    assert right(low, examples) == pytest.approx(0.6, abs=0.04)
    assert right(high, examples) == pytest.approx(0.9, abs=0.03)
    for worse, better, example in zip(low, high, examples, strict=True):
        assert worse.label != example.target or better.label == example.target


def test_noisy_loses_on_unknown_words(script: Script, reviews: Reviews) -> None:
    clean = reviews(400)
    typos = tuple(
        Example(e.id, {"text": e.inputs["text"].replace("o", "0")}, e.target, e.source_id)
        for e in clean
    )
    kind = "noisy?accuracy=0.9&loss=0.8"
    assert right(script(kind, clean), clean) == pytest.approx(0.9, abs=0.06)
    assert right(script(kind, typos), typos) < right(script(kind, clean), clean) - 0.05


def test_flaky_fails_a_share_and_always_the_same(script: Script, reviews: Reviews) -> None:
    one, two = script("flaky?share=0.2", reviews(500)), script("flaky?share=0.2", reviews(500))
    assert one == two
    failed = sum(a.status is Status.FAILED for a in one)
    assert 60 < failed < 140


def test_mute_names_no_label(script: Script, reviews: Reviews) -> None:
    assert {a.status for a in script("mute", reviews(5))} == {Status.UNPARSED}


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("oracel", "did you mean 'oracle'"),
        ("noisy?acuracy=0.8", "did you mean 'accuracy'"),
        ("noisy?accuracy=2", "must be from 0 to 1, not 2"),
        ("noisy?accuracy=nan", "must be from 0 to 1"),
        ("noisy?accuracy=much", "not a number"),
        ("noisy?accuracy", "name=value"),
        ("constant?label=positve", "did you mean 'positive'"),
    ],
)
def test_a_wrong_kind_or_option_is_an_error(
    review_context: Callable[..., ModelContext], kind: str, says: str
) -> None:
    with pytest.raises(ModelError) as caught:
        load_model(f"scripted:{kind}", "model", review_context())
    assert says in str(caught.value)
