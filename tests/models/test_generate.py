"""Reading labels, numbers and refusals from what a model wrote."""

from __future__ import annotations

import pytest

from robust_eval.models.generate import Continuation, is_refusal, parse_label, parse_number
from robust_eval.models.reading import read_answer
from robust_eval.models.templates import load_template
from robust_eval.records import Status, TaskKind

WORDS = (("NEG", "negative"), ("NOT", "not positive"), ("POS", "positive"))


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("positive", "POS"),
        (" Positive.", "POS"),
        ("**POSITIVE**", "POS"),
        ("not positive", "NOT"),
        ("It is not  positive, I think", "NOT"),
        ("positive because it moved me", "POS"),
        ("The sentiment is negative.", "NEG"),
        ("positive or negative", None),
        ("positively", None),
        ("never negative", None),
        ("it isn't negative", None),
        ("", None),
        ("great", None),
    ],
)
def test_labels_are_read_strictly_and_then_leniently(text: str, label: str | None) -> None:
    assert parse_label(text, WORDS) == label


def test_a_label_with_pattern_characters_is_read_as_text() -> None:
    words = (("a", "c++"), ("b", "c"))
    assert parse_label("c++", words) == "a"
    assert parse_label("c", words) == "b"
    assert parse_label("anything", (("x", ".+"), ("y", "z"))) is None


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("42", "42"),
        ("The answer is 1,234.50 dollars", "1234.5"),
        ("3 + 4 = 7.", "7"),
        ("-5", "-5"),
        ("so #### 18 (not 20)", "20"),
        (".5", ".5"),
        ("10.0", "10"),
        ("none", None),
    ],
)
def test_the_last_number_is_the_answer(text: str, number: str | None) -> None:
    assert parse_number(text) == number


def test_refusals_are_told_from_answers() -> None:
    assert is_refusal("I'm sorry, but I cannot help with that")
    assert is_refusal("As an AI language model, I have no opinion")
    assert not is_refusal("sorry to say it is dull")


@pytest.mark.parametrize(
    ("text", "finished", "kind", "words", "status"),
    [
        ("positive", True, TaskKind.CLASSIFICATION, WORDS, Status.OK),
        ("positive", False, TaskKind.CLASSIFICATION, WORDS, Status.OK),
        ("hmm", True, TaskKind.CLASSIFICATION, WORDS, Status.UNPARSED),
        ("hmm and so", False, TaskKind.CLASSIFICATION, WORDS, Status.TRUNCATED),
        ("I cannot say", False, TaskKind.CLASSIFICATION, WORDS, Status.REFUSED),
        ("Paris", True, TaskKind.OPEN_QA, (), Status.OK),
        ("Paris, the capital of", False, TaskKind.OPEN_QA, (), Status.TRUNCATED),
        ("", True, TaskKind.OPEN_QA, (), Status.UNPARSED),
        ("I cannot answer this", True, TaskKind.OPEN_QA, (), Status.REFUSED),
        ("4", True, TaskKind.MATH, (), Status.OK),
        ("2 + 2 is", False, TaskKind.MATH, (), Status.TRUNCATED),
    ],
)
def test_every_written_answer_has_the_status_that_it_earns(
    text: str,
    finished: bool,
    kind: TaskKind,
    words: tuple[tuple[str, str], ...],
    status: Status,
) -> None:
    prediction = read_answer("e", Continuation(text, finished), kind, words, cut=False)
    assert prediction.status is status
    assert (prediction.label or prediction.text) is None or status is Status.OK
    assert prediction.raw == text


@pytest.mark.parametrize(
    ("text", "kind", "words", "answer", "strict"),
    [
        ("negative", TaskKind.CLASSIFICATION, WORDS, "NEG", True),
        (" Negative. ", TaskKind.CLASSIFICATION, WORDS, "NEG", True),
        ("It is negative", TaskKind.CLASSIFICATION, WORDS, "NEG", False),
        ("1,200", TaskKind.MATH, (), "1200", True),
        ("$12.50.", TaskKind.MATH, (), "12.5", True),
        ("it takes 3 days", TaskKind.MATH, (), "3", False),
        ("3 + 4 = 7", TaskKind.MATH, (), "7", False),
        ("Paris", TaskKind.OPEN_QA, (), "Paris", True),
    ],
)
def test_an_answer_says_which_parser_read_it(
    text: str, kind: TaskKind, words: tuple[tuple[str, str], ...], answer: str, strict: bool
) -> None:
    found = read_answer("e", Continuation(text, True), kind, words, cut=False)
    assert (found.label if words else found.text) == answer
    assert found.strict is strict


@pytest.mark.parametrize(
    ("chain", "finished", "kind", "words", "answer", "strict"),
    [
        ("3 + 4 = 7\nThe answer is 7.", True, TaskKind.MATH, (), "7", True),
        ("The answer is 5 maybe.\nNo.\nThe answer is $1,007.", True, TaskKind.MATH, (), "1007", True),
        ("The answer is 7 apples.", True, TaskKind.MATH, (), "7", False),
        ("so there are 7 left", True, TaskKind.MATH, (), "7", False),
        ("The answer is 1", False, TaskKind.MATH, (), None, None),
        ("The answer is 18.", False, TaskKind.MATH, (), "18", True),
        ("The answer is 18\nQuest", False, TaskKind.MATH, (), "18", True),
        ("3 + 4 = 7, and then", False, TaskKind.MATH, (), None, None),
        ("He ran.\nThe answer is yes.", True, TaskKind.BOOLEAN_QA, (("no", "no"), ("yes", "yes")), "yes", True),
        ("no wait\nso yes", True, TaskKind.BOOLEAN_QA, (("no", "no"), ("yes", "yes")), "yes", False),
        ("x = 2\nThe answer is (B).", True, TaskKind.MULTIPLE_CHOICE, (("A", "A"), ("B", "B")), "B", False),
        ("It is on the Seine.\nThe answer is Paris.", True, TaskKind.OPEN_QA, (), "Paris", True),
        ("", True, TaskKind.MATH, (), None, None),
        ("The answer is", True, TaskKind.MATH, (), None, None),
    ],
)  # fmt: skip
def test_the_answer_of_a_chain_is_what_its_mark_says(
    chain: str,
    finished: bool,
    kind: TaskKind,
    words: tuple[tuple[str, str], ...],
    answer: str | None,
    strict: bool | None,
) -> None:
    template = load_template("math-cot")
    found = read_answer(
        "e", Continuation(chain, finished), kind, words, cut=False, template=template
    )
    assert (found.label if words else found.text) == answer
    assert found.strict is strict
    if answer is None:
        assert found.status is (Status.UNPARSED if finished else Status.TRUNCATED)
