from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robust_eval.report.diffs import BLOCK, WINDOW, Segment, diff, plain


def spelled(segments: tuple[Segment, ...], *kinds: str) -> str:
    return "".join(p.text for s in segments if s.kind in kinds for p in s.pieces)


def shape(segments: tuple[Segment, ...]) -> list[tuple[str, str]]:
    return [(s.kind, "".join(p.text for p in s.pieces)) for s in segments]


def test_a_typo_marks_its_letter_and_leaves_the_word_around_it():
    assert shape(diff("a great film", "a grwat film")) == [
        ("same", "a gr"),
        ("removed", "e"),
        ("added", "w"),
        ("same", "at film"),
    ]


def test_a_dropped_word_is_removed_whole():
    assert shape(diff("not a good film", "not good film")) == [
        ("same", "not "),
        ("removed", "a "),
        ("same", "good film"),
    ]


def test_equal_texts_have_one_unchanged_segment_and_empty_ones_none():
    assert shape(diff("same", "same")) == [("same", "same")]
    assert diff("", "") == ()


WORDS = st.text(st.sampled_from("ab cd\u00e9e .,x"), max_size=80)


@given(WORDS, WORDS)
def test_segments_spell_both_texts(clean, shifted):
    # Without line breaks and hidden characters each piece is the text itself, spaces alone aside.
    segments = diff(clean, shifted)
    assert spelled(segments, "same", "removed").replace("␣", " ") == clean
    assert spelled(segments, "same", "added").replace("␣", " ") == shifted


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_text_gives_segments_that_can_be_written(clean, shifted):
    for segment in diff(clean, shifted):
        for piece in segment.pieces:
            piece.text.encode("utf-8")
            assert not set(piece.text) & set(
                "\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u200b\0\x1b"
            )


@pytest.mark.parametrize(
    "hidden", ["\u200b", "\u202e", "\ufeff", "\u00ad", "\u3164", "\0", "\ud800", "\U000e0041"]
)
def test_an_invisible_insertion_is_shown_with_its_code_point(hidden):
    (mark,) = [p for s in diff("good", f"go{hidden}od") for p in s.pieces if p.mark]
    assert mark.text == f"U+{ord(hidden):04X}"


def test_a_homoglyph_says_which_character_it_is():
    (added,) = [s for s in diff("a car", "a c\u0430r") if s.kind == "added"]
    assert added.note == "U+0430 CYRILLIC SMALL LETTER A"


def test_an_added_space_and_a_line_break_can_be_seen():
    assert ("added", "␣") in shape(diff("a b", "a  b"))
    assert any(p.text == "↵\n" for s in diff("a b", "a\nb") for p in s.pieces)


def test_a_joiner_inside_an_emoji_stays_a_joiner():
    family = "\U0001f468\u200d\U0001f469"
    assert spelled(plain(family), "same") == family


def test_a_megabyte_of_text_is_cut_to_what_is_near_the_first_edit():
    clean = "word " * 200_000
    shifted = clean[:500_000] + "X" + clean[500_001:]
    segments = diff(clean, shifted)
    assert segments[0].kind == segments[-1].kind == "elided"
    assert ("added", "X") in shape(segments)
    assert sum(len(p.text) for s in segments for p in s.pieces) < WINDOW + 200


def test_one_endless_word_is_replaced_not_compared_letter_by_letter():
    segments = diff("a" * (2 * BLOCK), "b" * (2 * BLOCK))
    assert [s.kind for s in segments] == ["removed", "added"]


def test_a_long_unchanged_stretch_is_cut_in_its_middle():
    segments = diff("x " + "same words here " * 40 + "y", "z " + "same words here " * 40 + "w")
    assert [s.kind for s in segments].count("elided") == 1
