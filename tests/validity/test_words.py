"""Words that became others are told from words that are merely written otherwise."""

from __future__ import annotations

import pytest

from robust_eval.perturb import make
from robust_eval.rng import stream
from robust_eval.validity.words import change, without_additions, words_of

TEXT = "The director's second film is really wonderful, and it was not boring at all."
KNOWN = frozenset(
    [
        *words_of(TEXT),
        "awful",
        "terrible",
        "great",
        "mice",
        "nice",
        "boring",
        "never",
        "book",
        "people",
        "bus",
        "stop",
        "bakery",
    ]
)


def test_another_word_in_place_of_one_is_a_replacement() -> None:
    found = change(TEXT, TEXT.replace("wonderful", "awful"), KNOWN)
    assert (found.replaced, found.lost, found.added, found.negation) == (1, 0, 0, False)
    assert found.share == pytest.approx(1 / found.content)


@pytest.mark.parametrize(
    "written",
    [
        TEXT.replace("wonderful", "wondreful"),
        TEXT.replace("second film", "secondfilm"),
        TEXT.replace("wonderful", "wonder ful"),
        TEXT.replace("wonderful", "w0nd3rful"),
        TEXT.replace("director's", "directors"),
        TEXT.upper(),
        TEXT.replace(" not ", " nto "),
        TEXT.replace("is really wonderful", "wonderful really is"),
        TEXT.replace("film", "film film"),
        TEXT.replace("is really", "is, honestly, really"),
    ],
)
def test_noise_is_no_other_word(written: str) -> None:
    found = change(TEXT, written, KNOWN)
    assert (found.share, found.negation) == (0, False)


def test_a_word_left_out_counts_half() -> None:
    found = change(TEXT, TEXT.replace(" film", ""), KNOWN)
    assert (found.lost, found.share) == (1, pytest.approx(0.5 / found.content))


@pytest.mark.parametrize(
    "turned",
    [TEXT.replace("not ", ""), TEXT.replace("is really", "is never really")],
)
def test_a_negation_that_comes_or_goes_is_seen(turned: str) -> None:
    assert change(TEXT, turned, KNOWN).negation
    assert change(TEXT, turned, frozenset()).negation  # negations are known without any list


@pytest.mark.parametrize("name", ["irrelevant-sentences", "tautologies", "numeric-distractors"])
@pytest.mark.parametrize("text", [TEXT, "no mark at the end", "Is it? It is."])
def test_distractors_are_taken_off_again(name: str, text: str) -> None:
    for severity in (1, 3, 5):
        made = make(name, severity).perturb(text, stream(severity))
        assert without_additions(text, made).strip() == text


@pytest.mark.parametrize(
    "made", [f"It is not the case that {TEXT}", TEXT.replace("is really", "is not at all really")]
)
def test_what_changes_a_sentence_is_not_taken_off(made: str) -> None:
    assert without_additions(TEXT, made) == made
    assert change(TEXT, made, KNOWN).negation


def test_empty_and_hostile_texts_are_compared_too() -> None:
    for original, shifted in (("", "a b"), ("a", ""), ("...", "\ud800"), ("😀", "😀 ok"), ("", "")):
        assert 0 <= change(original, shifted, KNOWN).share <= 1
        assert isinstance(without_additions(original, shifted), str)
