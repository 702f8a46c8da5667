"""Per-example metrics, against published per-example data where there is any."""

from __future__ import annotations

import ast
import gzip
import json
import os
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robust_eval.errors import StatisticsError
from robust_eval.records import (
    ACCURACY,
    EXACT_MATCH,
    F1,
    TASKS,
    Example,
    Metric,
    Prediction,
    Status,
    TaskKind,
)
from robust_eval.score import METRICS, score_prediction
from robust_eval.score.metrics import last_number, normalised


def asked(target) -> Example:
    return Example("1", {"question": "?"}, target, "1")


def text(answer: str | None, status: Status = Status.OK) -> Prediction:
    return Prediction("1", text=answer, status=status)


def test_every_metric_of_every_task_is_registered() -> None:
    assert {m.name for task in TASKS.values() for m in task.metrics} <= set(METRICS)


@pytest.mark.parametrize("name", sorted(METRICS))
@pytest.mark.parametrize("status", [Status.UNPARSED, Status.REFUSED, Status.TRUNCATED])
def test_an_answer_that_is_none_is_wrong_even_when_it_would_match(
    name: str, status: Status
) -> None:
    prediction = Prediction("1", label="yes", text="yes", status=status)
    assert score_prediction(Metric(name), prediction, asked("yes")) == 0
    assert score_prediction(Metric(name, higher_is_better=False), prediction, asked("yes")) == 1


@pytest.mark.parametrize("name", sorted(METRICS))
def test_a_failed_request_has_no_score(name: str) -> None:
    prediction = Prediction("1", label="no", text="no", status=Status.FAILED)
    assert score_prediction(Metric(name), prediction, asked("yes")) is None


@pytest.mark.parametrize("name", sorted(METRICS))
@given(answer=st.text(max_size=60), targets=st.lists(st.text(max_size=60), min_size=1, max_size=4))
def test_any_text_scores_between_zero_and_one(name: str, answer: str, targets: list[str]) -> None:
    for task in (None, TaskKind.MATH):
        prediction = Prediction("1", label=answer, text=answer)
        scored = score_prediction(Metric(name), prediction, asked(tuple(targets)), task)
        assert scored is not None
        assert 0 <= scored <= 1


def test_an_unknown_metric_is_named_with_its_nearest_neighbour() -> None:
    with pytest.raises(StatisticsError, match="did you mean 'accuracy'"):
        score_prediction(Metric("acuracy"), text("x"), asked("x"))


def test_accuracy_wants_the_label_itself() -> None:
    for label, expected in (("positive", 1), ("not positive", 0), ("Positive", 0), (None, 0)):
        prediction = Prediction("1", label=label, text="positive")
        assert score_prediction(ACCURACY, prediction, asked("positive")) == expected


@pytest.mark.parametrize(
    ("answer", "targets", "exact", "overlap"),
    [
        ("The Broncos!", ("broncos", "Denver Broncos"), 1, 1),
        ("Denver", ("Denver Broncos",), 0, 2 / 3),
        ("the the", ("a",), 1, 1),  # both empty once articles are gone
        ("", ("answer",), 0, 0),
        (None, ("answer",), 0, 0),
        ("red red blue", ("red blue blue",), 0, 2 / 3),
        ("U.S.A.", "usa", 1, 1),
        ("x", (), 0, 0),
    ],
)
def test_text_is_compared_after_squad_normalisation(answer, targets, exact, overlap) -> None:
    assert score_prediction(EXACT_MATCH, text(answer), asked(targets)) == exact
    assert score_prediction(F1, text(answer), asked(targets)) == pytest.approx(overlap)


def test_normalisation_keeps_words_that_only_begin_like_articles() -> None:
    assert normalised("  A Theme,  an antenna; the\tAnt ") == "theme antenna ant"


@pytest.mark.parametrize(
    ("said", "number"),
    [
        ("The answer is 42.", Fraction(42)),
        ("She pays $1,200.50 in all", Fraction("1200.5")),
        ("first 3, then 4", Fraction(4)),
        ("it is -7 degrees", Fraction(-7)),
        ("\N{MINUS SIGN}7", Fraction(-7)),
        ("from 10-12", Fraction(12)),
        ("3/4 of a cup", Fraction(3, 4)),
        (".5", Fraction(1, 2)),
        ("long chain 9\n#### 18", Fraction(18)),
        ("50%", Fraction(50)),
        ("version v2", None),
        ("1/0", None),
        ("no number", None),
        ("9" * 5000, None),
    ],
)
def test_the_last_number_of_an_answer(said: str, number: Fraction | None) -> None:
    assert last_number(said) == number


def test_math_compares_numbers_and_other_tasks_compare_text() -> None:
    example = asked("5 + 5 = <<5+5=10>>10\n#### 1,000")
    said = text("So he needs $1000.00.")
    assert score_prediction(EXACT_MATCH, said, example, TaskKind.MATH) == 1
    assert score_prediction(EXACT_MATCH, said, example, TaskKind.OPEN_QA) == 0
    assert score_prediction(EXACT_MATCH, text("about 999"), example, TaskKind.MATH) == 0
    assert score_prediction(EXACT_MATCH, text("none"), example, TaskKind.MATH) == 0
    assert score_prediction(EXACT_MATCH, text("Option B"), asked("option b"), TaskKind.MATH) == 1


def test_five_megabytes_of_answer_are_scored() -> None:
    assert score_prediction(EXACT_MATCH, text("1," * 2_500_000), asked("1"), TaskKind.MATH) == 1
    assert score_prediction(F1, text("word " * 1_000_000), asked("word")) == pytest.approx(
        2e-6, rel=0.01
    )


REFERENCE = os.environ.get("ROBUST_EVAL_TEST_REFERENCE")

PUBLISHED = {  # log -> exact matches and F1 sum over its first 100 answers
    "SourcePromptMRQABioASQDev_code002_8shot": (50, 77.6853),
    "triviaqa_probs_code002_16shot": (62, 68.3522),
    "contriever_top5_squad_code002_16shot": (60, 62.55),
    "KnowledgeConflict-NQ-PmQAm_code002_8shot": (78, 80.1095),
    "qqp_to_paws_code002_32shot": (75, None),
}


@pytest.mark.skipif(REFERENCE is None, reason="test data: set ROBUST_EVAL_TEST_REFERENCE")
@pytest.mark.parametrize("log", sorted(PUBLISHED))
def test_published_answers_of_si_2022_get_their_published_scores(log: str) -> None:
    assert REFERENCE is not None
    with gzip.open(Path(REFERENCE) / "si2022_sampled_predictions.jsonl.gz", "rt", "utf-8") as lines:
        rows = [row for row in map(json.loads, lines) if row["log"] == log][:100]
    matches = overlap = 0.0
    for row in rows:
        gold = row["gold"]
        target = tuple(ast.literal_eval(gold)) if gold.startswith("[") else gold
        answer = text(row["last_shot_and_output"].rpartition("Answer:")[2])
        exact = score_prediction(EXACT_MATCH, answer, asked(target))
        assert exact == float(row["em"])
        matches += exact
        overlap += score_prediction(F1, answer, asked(target)) or 0.0
    expected, sum_f1 = PUBLISHED[log]
    assert matches == expected
    assert sum_f1 is None or overlap == pytest.approx(sum_f1, abs=5e-5)
