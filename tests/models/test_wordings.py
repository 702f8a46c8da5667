"""Replacing a prompt's wording: what fits it, what does not, and what stays protected."""

from __future__ import annotations

import re

import pytest

from robust_eval.errors import RecipeError
from robust_eval.models.prompt import Prompt
from robust_eval.models.prompt_edits import edited
from robust_eval.models.templates import Template
from robust_eval.models.wordings import kept_fields, protected_words, wording, wording_edit

ASKED = Prompt(
    Template("t", "Review: {text}\nSentiment: {answer}", instruction="Is each review {labels}?"),
    (("n", "bad"), ("p", "good")),
)
BARE = Prompt(Template("bare", "Review: {text}\nSentiment: {answer}"))


def test_what_asks_is_the_instruction_or_without_one_the_words_around_the_text() -> None:
    assert wording(ASKED) == ("instruction", "Is each review {labels}?")
    assert wording(BARE) == ("example", "Review: {text}\nSentiment: {answer}")


def test_a_wording_replaces_its_part_alone_and_shows_in_the_fingerprint() -> None:
    changed = edited(ASKED, wording_edit("instruction", 'Ist each "rewiev" {labels}?'))
    assert isinstance(changed, Prompt)
    assert changed.instruction() == 'Ist each "rewiev" bad, good?'
    assert changed.template.example == ASKED.template.example
    assert changed.fingerprint() != ASKED.fingerprint()
    same = edited(ASKED, wording_edit("instruction", ASKED.template.instruction))
    assert isinstance(same, Prompt)
    assert same.fingerprint() == ASKED.fingerprint()


@pytest.mark.parametrize(
    "text", ["Is each review?", "{labels} {labels}", "{label}", "{labels", "{labels!r}", "{0}", ""]
)
def test_a_wording_with_other_fields_does_not_fit(text: str) -> None:
    assert edited(ASKED, wording_edit("instruction", text)) == "its instruction has other fields"


@pytest.mark.parametrize("text", ["{text}{answer} x", "{answer} {text}", "Review: {text}"])
def test_the_answer_stays_at_the_end(text: str) -> None:
    assert not kept_fields(BARE.template.example, text)


def test_doubled_braces_are_text() -> None:
    assert kept_fields("Say {labels}", "Say {{x}} {labels}")


def test_a_prompt_without_that_part_is_told_apart() -> None:
    assert edited(BARE, wording_edit("instruction", "Hm.")) == "its instruction has other fields"


@pytest.mark.parametrize("edit", ["wording:", "wording:[]", 'wording:{"stop": "x"}', "wording:{}"])
def test_what_is_no_wording_is_refused(edit: str) -> None:
    with pytest.raises(RecipeError, match="is no wording of a prompt"):
        edited(ASKED, edit)


def test_fields_and_label_words_are_protected() -> None:
    guard = re.compile("|".join(f"(?:{p})" for p in protected_words(ASKED)), re.IGNORECASE)
    found = [m.group() for m in guard.finditer("Is it {labels}: Good or badly?")]
    assert found == ["{labels}", "Good"]
