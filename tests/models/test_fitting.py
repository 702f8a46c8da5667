"""Texts are cut until the prompt fits: the longest first, at its end, no more than needed."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from robust_eval.errors import ModelError
from robust_eval.models.fitting import MAX_CHARS_PER_TOKEN, fitted


def length(texts: Mapping[str, str]) -> int:
    """A prompt of five tokens and one for each character."""
    return 5 + sum(map(len, texts.values()))


def test_what_fits_is_left_alone() -> None:
    assert fitted({"text": "abc"}, 8, length) == ({"text": "abc"}, False)


def test_the_longest_text_is_cut_to_the_last_character_that_fits() -> None:
    texts, cut = fitted({"context": "x" * 30, "question": "why?"}, 20, length)
    assert cut
    assert texts == {"context": "x" * 11, "question": "why?"}
    assert length(texts) == 20


def test_a_second_text_is_cut_where_leaving_out_the_longest_does_not_suffice() -> None:
    texts, cut = fitted({"context": "x" * 30, "question": "y" * 20}, 15, length)
    assert cut
    assert texts == {"context": "", "question": "y" * 10}


def test_a_text_far_too_long_is_never_measured_whole() -> None:
    seen: list[int] = []

    def measured(texts: Mapping[str, str]) -> int:
        seen.append(len(texts["text"]))
        return length(texts)

    texts, cut = fitted({"text": "z" * 5_000_000}, 10, measured)
    assert (texts, cut) == ({"text": "z" * 5}, True)
    assert max(seen) <= 10 * MAX_CHARS_PER_TOKEN


def test_a_prompt_that_is_too_long_by_itself_is_an_error_with_the_remedy() -> None:
    with pytest.raises(ModelError, match=r"has 5 tokens and the model takes 3; use fewer --shots"):
        fitted({"text": "abc"}, 3, length)
