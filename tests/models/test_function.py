"""`python:module:callable`: what a user's function may return, and what is said when it may not."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from robust_eval.errors import InfrastructureError, ModelError
from robust_eval.models import load_model
from robust_eval.models.cache import PredictionCache
from robust_eval.models.context import ModelContext
from robust_eval.models.predict import Request, predict
from robust_eval.records import TASKS, Example, Prediction, Status, TaskKind

SOURCE = """
import math
calls = []
def seen(texts):
    calls.append(texts)
    return ["positive" if "good" in str(text) else "negative" for text in texts]
def probabilities(texts): return [(0.2, 0.8) for _ in texts]
def logits(texts): return [[1.0, -1.0] for _ in texts]
def zero(texts): return [[0, 1] for _ in texts]
def table(texts): return [{"positive": 3.0, "negative": 1.0} for _ in texts]
def generator(texts): return (label for label in seen(texts))
def nothing(texts): return [None for _ in texts]
def short(texts): return ["positive"] * (len(texts) - 1)
def text(texts): return "positive"
def none(texts): return None
def unknown(texts): return ["positve" for _ in texts]
def nan(texts): return [(math.nan, 1.0) for _ in texts]
def three(texts): return [(1.0, 2.0, 3.0) for _ in texts]
def wrong_table(texts): return [{"good": 1.0} for _ in texts]
def number(texts): return [1 for _ in texts]
def words(texts): return [("a", "b") for _ in texts]
def broken(texts): raise RuntimeError("no server\\nhere")
def picky(texts):
    if any("poor" in text for text in texts): raise ValueError("poor text")
    return seen(texts)
class Grader:
    @staticmethod
    def grade(texts): return seen(texts)
value = 3
"""


@pytest.fixture
def my_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A module in the working folder, under a name of its own."""
    name = f"graders_{abs(hash(tmp_path))}"
    (tmp_path / f"{name}.py").write_text(SOURCE)
    (tmp_path / f"{name}_raises.py").write_text("raise RuntimeError('at import')")
    (tmp_path / f"{name}_needs.py").write_text("import no_such_package_at_all")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield name
    for module in [m for m in sys.modules if m.startswith(name)]:
        del sys.modules[module]


@pytest.fixture
def answers(
    my_module: str,
    review_context: Callable[..., ModelContext],
    reviews: Callable[..., tuple[Example, ...]],
    tmp_path: Path,
) -> Callable[..., list[Prediction]]:
    """The answers of one of the module's functions to four reviews."""

    def ask(function: str, **changes: object) -> list[Prediction]:
        model = load_model(f"python:{my_module}:{function}", "model", review_context(**changes))
        with PredictionCache.open(tmp_path / "cache") as cache:
            return predict(model, [Request(e, "clean") for e in reviews(4)], cache)

    return ask


@pytest.mark.parametrize("function", ["seen", "generator", "Grader.grade"])
def test_labels_are_taken_as_they_are(
    answers: Callable[..., list[Prediction]], function: str
) -> None:
    assert [a.label for a in answers(function)] == ["positive", "negative", "negative", "negative"]


def test_probabilities_keep_their_values(answers: Callable[..., list[Prediction]]) -> None:
    answer = answers("probabilities")[0]
    assert answer.label == "positive"
    assert answer.scores == pytest.approx((math.log(0.2), math.log(0.8)))


def test_other_scores_are_logits(answers: Callable[..., list[Prediction]]) -> None:
    answer = answers("logits")[0]
    assert answer.label == "negative"
    assert answer.scores is not None
    assert answer.scores[0] - answer.scores[1] == pytest.approx(2.0)
    assert math.fsum(map(math.exp, answer.scores)) == pytest.approx(1.0)


def test_a_probability_of_zero_is_still_a_number(answers: Callable[..., list[Prediction]]) -> None:
    scores = answers("zero")[0].scores
    assert scores is not None
    assert scores[0] < -600
    assert math.isfinite(scores[0])


def test_a_dict_of_scores_is_read_by_label(answers: Callable[..., list[Prediction]]) -> None:
    assert answers("table")[0].label == "positive"


def test_none_is_an_answer_that_names_no_label(answers: Callable[..., list[Prediction]]) -> None:
    assert {a.status for a in answers("nothing")} == {Status.UNPARSED}


@pytest.mark.parametrize(
    ("function", "says"),
    [
        ("short", "returned 3 answers for 4 texts"),
        ("text", "returned str, not a list"),
        ("none", "returned NoneType, not a list"),
        ("unknown", "'positve'; did you mean 'positive'"),
        ("nan", "each must be finite"),
        ("three", "3 scores for 2 labels"),
        ("wrong_table", "not for the labels negative, positive"),
        ("number", "return a label, 2 scores"),
        ("words", "not numbers"),
    ],
)
def test_a_wrong_answer_names_the_function_and_the_remedy(
    answers: Callable[..., list[Prediction]], function: str, says: str
) -> None:
    with pytest.raises(ModelError) as caught:
        answers(function)
    assert says in str(caught.value)
    assert f":{function} " in str(caught.value)


def test_a_function_that_always_raises_ends_the_run_as_infrastructure(
    answers: Callable[..., list[Prediction]],
) -> None:
    with pytest.raises(
        InfrastructureError, match=r"RuntimeError: no server here for every one of 4"
    ):
        answers("broken")


def test_one_text_that_raises_fails_alone(
    answers: Callable[..., list[Prediction]], reviews: Callable[..., tuple[Example, ...]]
) -> None:
    given = answers("picky")
    hit = ["poor" in e.inputs["text"] for e in reviews(4)]
    assert any(hit)
    assert [a.status is Status.FAILED for a in given] == hit
    assert next(a.raw for a in given if a.raw and "ValueError" in a.raw) == "ValueError: poor text"


def test_answers_are_kept_between_runs_only_under_a_named_version(
    answers: Callable[..., list[Prediction]], my_module: str
) -> None:
    answers("seen")
    answers("seen")
    calls = sys.modules[my_module].calls
    assert len(calls) == 2
    answers("seen", model_version="v1")
    answers("seen", model_version="v1")
    assert len(calls) == 3
    answers("seen", model_version="v2")
    assert len(calls) == 4


def test_pairs_arrive_as_dicts(
    my_module: str, review_context: Callable[..., ModelContext], tmp_path: Path
) -> None:
    context = review_context(task=TASKS[TaskKind.PAIR])
    model = load_model(f"python:{my_module}:seen", "model", context)
    pair = {"premise": "a good film", "hypothesis": "it was good"}
    (job,) = model.jobs([Example("p", pair, "positive", "p")])
    assert [a.label for a in job.answer()] == ["positive"]
    assert sys.modules[my_module].calls == [[pair]]


def test_tasks_without_labels_take_texts(
    my_module: str, review_context: Callable[..., ModelContext]
) -> None:
    context = review_context(task=TASKS[TaskKind.OPEN_QA], labels=())
    model = load_model(f"python:{my_module}:unknown", "model", context)
    (job,) = model.jobs([Example("q", {"question": "why?"}, ("because",), "q")])
    assert [a.text for a in job.answer()] == ["positve"]


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("{m}", "is not python:MODULE:CALLABLE"),
        ("{m}:seen()", "is not python:MODULE:CALLABLE"),
        ("../{m}:seen", "is not python:MODULE:CALLABLE"),
        ("no_such_module_here:f", "no module 'no_such_module_here'"),
        ("{m}:seeen", "did you mean 'seen'"),
        ("{m}:value", "cannot be called"),
        ("{m}_raises:f", "raised RuntimeError: at import"),
        ("{m}_needs:f", "needs 'no_such_package_at_all'"),
    ],
)
def test_a_function_that_cannot_be_found_says_why(
    my_module: str, review_context: Callable[..., ModelContext], target: str, says: str
) -> None:
    with pytest.raises(ModelError) as caught:
        load_model(f"python:{target.format(m=my_module)}", "model", review_context())
    assert says in str(caught.value)


def test_the_path_is_left_as_it_was(
    my_module: str, review_context: Callable[..., ModelContext]
) -> None:
    before = list(sys.path)
    load_model(f"python:{my_module}:seen", "model", review_context())
    assert sys.path == before
