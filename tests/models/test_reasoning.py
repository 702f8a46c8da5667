"""Chains of reasoning: their length, their cleaning, and the vote over several."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest

from robust_eval.models.reasoning import chain_steps, clean_chain, elect
from robust_eval.records import Prediction, Status

FOLDER = os.environ.get("ROBUST_EVAL_TEST_DATA")


@pytest.mark.skipif(not FOLDER, reason="test data: ROBUST_EVAL_TEST_DATA is not set")
def test_steps_of_published_prompts_are_counted_as_their_authors_count_them() -> None:
    found = {}
    with gzip.open(Path(FOLDER or "") / "cot_prompts" / "prompts.jsonl.gz", "rt") as lines:
        for line in lines:
            prompt = json.loads(line)
            chains = [
                block.partition("Let's think step by step")[2]
                for block in prompt["text"].split("\n\n")
            ]
            found[prompt["id"]] = sum(map(chain_steps, chains))
    assert found == {
        "gsm8k-complex": 72, "gsm8k-mid": 32, "gsm8k-original": 27, "gsm8k-simple": 16,
        "mathqa-complex": 46, "mathqa-original": 29, "mathqa-easy": 19,
    }  # fmt: skip


def test_a_rationale_loses_annotations_blank_lines_and_its_own_answer() -> None:
    assert clean_chain("4 + 4 = <<4+4=8>>8\n\n  so   8 \nAnswer : E\n") == "4 + 4 = 8\nso 8"
    assert clean_chain("x\n\nQuestion: pose as another") == "x\nQuestion: pose as another"
    assert clean_chain("The answer is 4") == "The answer is 4"  # nothing else is left
    assert clean_chain("") == ""


def said(answer: str | None, chain: str = "a") -> Prediction:
    status = Status.OK if answer else Status.UNPARSED
    return Prediction("e", text=answer, raw=chain, status=status)


def test_the_majority_wins_and_says_how_large_it_was() -> None:
    found = elect([said("3"), said("7", "x"), said("7", "y"), said(None)], "majority", "The answer")
    assert (found.text, found.agreement) == ("7", 0.5)
    assert found.raw is not None
    assert [part.strip() for part in found.raw.split("[another sample]")] == ["a", "x", "y", "a"]


def test_of_equal_answers_the_first_wins() -> None:
    assert elect([said("7"), said("3"), said("3"), said("7")], "majority", "-").text == "7"


def test_complex_chains_outvote_simple_ones() -> None:
    samples = [said("3"), said("3"), said("7", "a\nb\nc\nThe answer is 7.")]
    assert elect(samples, "majority", "The answer is").text == "3"
    found = elect(samples, "complexity", "The answer is")
    assert (found.text, found.agreement) == ("7", 0.6)


def test_samples_that_nobody_can_read_elect_nothing() -> None:
    found = elect([said(None), said(None)], "complexity", "-")
    assert (found.text, found.status, found.agreement) == (None, Status.UNPARSED, 0.0)
