"""Multiple choice, yes or no, and rationales, as files write them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from robust_eval.data import load
from robust_eval.errors import DataError
from robust_eval.records import TaskKind


@pytest.fixture
def write(tmp_path: Path):
    def written(*rows: dict) -> str:
        path = tmp_path / "data.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return str(path)

    return written


@pytest.mark.parametrize(
    ("options", "answer", "letter"),
    [
        (["A)21", "B)21.5", "C)22"], "B", "B"),
        (["21", "21.5", "22"], "C", "C"),
        (["(a) 21", "(b) 21.5", "(c) 22"], "b", "B"),
        (["21", "21.5", "22"], 2, "C"),
        ({"text": ["21", "21.5", "22"], "label": ["1", "2", "3"]}, "1", "A"),
        ('["21", "21.5", "22"]', "A", "A"),
    ],
)
def test_options_are_lettered_whatever_the_source_calls_them(
    write, options, answer, letter
) -> None:
    rows = [
        {"question": f"q{i}", "options": options, "answer": a}
        for i, a in enumerate((answer, answer))
    ]
    data = load(write(*rows), task="multiple-choice")
    assert data.labels == ("A", "B", "C")
    assert data.examples[0].target == letter
    assert data.examples[0].inputs == {"question": "q0", "options": "A) 21 B) 21.5 C) 22"}


@pytest.mark.parametrize(
    ("options", "answer", "why"),
    [
        (["x"], "A", "list of 2 to 10"),
        ("x, y", "A", "list of 2 to 10"),
        (["x", " "], "A", "an option is empty"),
        (["x", "y"], "C", "names none of the options A, B"),
        ({"text": ["x", "y"], "label": ["1"]}, "1", "1 names for 2 options"),
    ],
)
def test_options_that_make_no_question_are_refused(write, options, answer, why) -> None:
    with pytest.raises(DataError, match=why):
        load(write({"question": "q", "options": options, "answer": answer}), task="multiple-choice")


def test_yes_or_no_takes_a_passage_where_there_is_one(write) -> None:
    rows = [
        {"question": f"q{i}", "answer": a, "rationale": "r"} for i, a in enumerate(("yes", "no"))
    ]
    bare = load(write(*rows), task="boolean-qa")
    assert bare.task.kind is TaskKind.BOOLEAN_QA
    assert bare.labels == ("no", "yes")
    assert bare.examples[0].inputs == {"context": "", "question": "q0"}
    assert bare.examples[0].meta == {"rationale": "r"}
    assert bare.notes == ()
    read = load(
        write(*({"context": "c", "question": r["question"], "label": r["answer"]} for r in rows)),
        task="boolean-qa",
    )
    assert read.examples[1].inputs == {"context": "c", "question": "q1"}
