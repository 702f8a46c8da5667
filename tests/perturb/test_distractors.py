"""Distractors add sentences, keep what was there, and never give the answer away."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from robust_eval.build import build_sets
from robust_eval.data import load
from robust_eval.errors import DataError, RecipeError
from robust_eval.perturb import make, perturb_example, protections
from robust_eval.perturb.addsent import changed_question, other_number, plain, statement
from robust_eval.recipes import parse_shifts
from robust_eval.records import Example, TaskKind
from robust_eval.rng import stream

PROBLEM = "Joan found 70 shells on the beach. She gave Sam 27. How many are left?"
ADDING = ("irrelevant-sentences", "tautologies", "numeric-distractors")
SQUAD = Path(os.environ.get("ROBUST_EVAL_TEST_DATA", ""), "squad_xquad_en", "test.jsonl.gz")
CONTEXT = "The bridge over the Tamar was opened by Brunel in 1859. It carries the railway."


def qa(question: str, answers: tuple[str, ...], context: str = CONTEXT) -> Example:
    return Example("q", {"context": context, "question": question}, answers, "q")


def shifted(
    name: str, example: Example, severity: int = 5, *fields: str, **options: object
) -> Example:
    return perturb_example(
        [make(name, severity, **options)], example, seed=3, fields=fields or ("question",)
    )[0]


@pytest.mark.parametrize("name", ADDING)
def test_every_severity_adds_one_more_and_keeps_the_text(name: str) -> None:
    lengths = []
    for severity in range(1, 6):
        made = make(name, severity).perturb(PROBLEM, stream(1, name))
        left = re.escape(PROBLEM).replace(r"\ ", r"(?:\ .*?)?\ ")
        assert re.search(left, made), made
        lengths.append(len(made))
    assert lengths == sorted(set(lengths))


@pytest.mark.parametrize("name", ADDING)
def test_protected_spans_do_not_multiply_the_sentences(name: str) -> None:
    example = Example("m", {"question": PROBLEM}, "43", "m")
    free, _ = perturb_example([make(name, 2)], example, seed=0, fields=["question"])
    kept, _ = perturb_example(
        [make(name, 2)],
        example,
        seed=0,
        fields=["question"],
        protect=protections(TaskKind.MATH, example),
    )
    assert kept == free


def test_irrelevant_sentences_share_no_content_word_with_the_text() -> None:
    text = "The bus, the library, the river and the bakery all close on Fridays."
    added = [
        make("irrelevant-sentences", 5, where="after").perturb(text, stream(i))[len(text) :]
        for i in range(200)
    ]
    assert len({sentence for made in added for sentence in made.split(".")}) > 30
    assert not re.search(r"\b(bus|library|river|bakery|fridays)\b", " ".join(added), re.IGNORECASE)


def test_an_nli_hypothesis_stays_and_other_pairs_get_the_same_on_both_sides() -> None:
    texts = {"premise": "A man sleeps.", "hypothesis": "He is awake."}
    nli = Example("p", texts, "contradiction", "p")
    made = shifted("irrelevant-sentences", nli, 3, "premise", "hypothesis").inputs
    assert made["hypothesis"] == texts["hypothesis"]
    assert made["premise"] != texts["premise"]
    pair = Example("p", texts, "duplicate", "p")
    made = shifted("irrelevant-sentences", pair, 3, "premise", "hypothesis").inputs
    assert made["premise"].replace("A man sleeps.", "*") == made["hypothesis"].replace(
        "He is awake.", "*"
    )
    assert "A man sleeps." in made["premise"]


def test_in_extractive_qa_sentences_stand_at_the_context() -> None:
    example = qa("Who opened the bridge?", ("Brunel",))
    made = shifted("irrelevant-sentences", example).inputs
    assert made["question"] == example.inputs["question"]
    assert CONTEXT in made["context"]
    assert len(made["context"]) > len(CONTEXT) + 100


def test_a_tautology_stands_before_the_full_stop_and_behind_a_question() -> None:
    one = make("tautologies", 1, kind="negation")
    assert one.perturb('He said "it is good."', stream(0)) == (
        'He said "it is good and false is not true."'
    )
    assert one.perturb("Is it good?", stream(0)) == "Is it good? False is not true."
    assert one.perturb("no full stop", stream(0)) == "no full stop and false is not true"


def test_numbers_that_are_not_needed_stand_before_the_question_about_others() -> None:
    text = "Nora has 4 pens. Felix has 6. How many pens are there?"
    made = make("numeric-distractors", 5).perturb(text, stream(0))
    assert made.startswith("Nora has 4 pens. Felix has 6. ")
    assert made.endswith(" How many pens are there?")
    added = made[len("Nora has 4 pens. Felix has 6. ") : -len("How many pens are there?")]
    assert len(re.findall(r"\d+", added)) == 5
    assert not re.search("Nora|Felix", added)


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("Who opened Kestrel in 1850?", "X opened Kestrel in 1850."),
        ("What is the name of Kestrel?", "X is the name of Kestrel."),
        ("Which fort was rebuilt in 1965?", "the fort of X was rebuilt in 1965."),
        ("When did Kestrel win the cup?", "Kestrel did win the cup in X."),
        ("Why is Kestrel old?", "if somebody asks “Why is Kestrel old?”, the answer is X."),
    ],
)
def test_questions_become_statements(question: str, said: str) -> None:
    assert statement(question, "X") == said


def test_a_question_that_names_nothing_gets_no_look_alike() -> None:
    assert changed_question("what is a clade?", 0.5) is None
    example = qa("what is a clade?", ("a branch",))
    assert shifted("addsent-distractors", example) == example


@pytest.mark.parametrize("digits", ["0", "7", "10", "1990", "2000", "12345", "09"])
def test_another_number_is_another_of_as_many_digits(digits: str) -> None:
    for seed in range(20):
        assert other_number(digits, seed) != digits
        assert len(other_number(digits, seed)) == len(digits)


def test_more_look_alikes_stand_at_a_higher_severity() -> None:
    example = qa("Who opened the bridge over the Tamar in 1859?", ("Brunel",))
    made = [shifted("addsent-distractors", example, s).inputs["context"] for s in range(1, 6)]
    assert [text.count("opened the bridge over") for text in made] == [1, 2, 3, 4, 5]
    assert all(CONTEXT in text for text in made)


@pytest.mark.skipif(not SQUAD.is_file(), reason="test data: ROBUST_EVAL_TEST_DATA is not set")
def test_no_look_alike_gives_a_gold_answer_on_real_questions() -> None:
    dataset = load(str(SQUAD))
    hit = 0
    for example in dataset.examples:
        made = shifted("addsent-distractors", example, 5)
        context = example.inputs["context"].strip()
        assert context in made.inputs["context"]
        added = made.inputs["context"].replace(context, "")
        hit += bool(added.strip())
        question = plain(example.inputs["question"])
        for answer in map(plain, example.target):
            if answer and f" {answer} " not in f" {question} ":
                assert f" {answer} " not in f" {plain(added)} ", (example.id, added)
    assert hit > 0.6 * len(dataset.examples)


def test_a_distractor_that_needs_a_context_refuses_other_data(tmp_path: Path) -> None:
    path = tmp_path / "texts.csv"
    path.write_text("text,label\none,a\ntwo,b\n", encoding="utf-8")
    plans = parse_shifts(["addsent-distractors"], seed=0)
    with pytest.raises(DataError, match=r"needs a context; .* has text"):
        build_sets(load(str(path)), plans, ood={}, limit=None, seed=0)


def test_wrong_parameters_are_refused_with_the_nearest_one() -> None:
    with pytest.raises(RecipeError, match="did you mean 'before'"):
        make("irrelevant-sentences", 1, where="befor")
    with pytest.raises(RecipeError, match="did you mean 'negation'"):
        make("tautologies", 1, kind="negations")
