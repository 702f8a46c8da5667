"""Examples perturbed: keyed streams, protected spans, realised dose."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

from robust_eval.errors import RecipeError
from robust_eval.perturb import dose, literal, make, perturb_example, protections
from robust_eval.perturb.apply import EXACT_CHARACTERS, edits
from robust_eval.perturb.draws import Edit, alone, apply, hits, pick, settle
from robust_eval.records import Example, TaskKind
from robust_eval.rng import stream

TEXT = "Sarah didn't buy 12 apples for $3.50 each, but twenty-one pears and half a melon."


def one(text: str, name: str = "1", target: str | tuple[str, ...] = "") -> Example:
    return Example(name, {"text": text, "other": text}, target, "source", {"kept": 1})


def test_id_source_target_and_other_fields_stay() -> None:
    shifted, realised = perturb_example(
        [make("keyboard-typos", 5)], one(TEXT), seed=0, fields=["text"]
    )
    assert (shifted.id, shifted.source_id, shifted.target) == ("1", "source", "")
    assert shifted.meta == {"kept": 1}
    assert shifted.inputs["other"] == TEXT
    assert shifted.inputs["text"] != TEXT
    assert realised.changed


def test_seed_id_and_field_each_give_other_noise() -> None:
    chain = [make("keyboard-typos", 5)]
    plain = perturb_example(chain, one(TEXT), seed=0, fields=["text"])[0].inputs["text"]
    assert perturb_example(chain, one(TEXT), seed=1, fields=["text"])[0].inputs["text"] != plain
    assert (
        perturb_example(chain, one(TEXT, "2"), seed=0, fields=["text"])[0].inputs["text"] != plain
    )
    assert perturb_example(chain, one(TEXT), seed=0, fields=["other"])[0].inputs["other"] != plain


def test_the_same_perturbation_twice_in_a_chain_draws_anew() -> None:
    noise = make("char-insertions", 5)
    once = perturb_example([noise], one(TEXT), seed=0, fields=["text"])[0].inputs["text"]
    twice = perturb_example([noise, noise], one(TEXT), seed=0, fields=["text"])[0].inputs["text"]
    assert len(twice) > len(once)


@pytest.mark.parametrize("name", ["keyboard-typos", "word-drops", "leetspeak", "mixed-noise"])
def test_numbers_of_a_math_question_are_never_touched(name: str) -> None:
    patterns = protections(TaskKind.MATH, one(TEXT, target=("50",)))
    for i in range(30):
        shifted, _ = perturb_example(
            [make(name, 5)], one(TEXT, str(i)), seed=0, fields=["text"], protect=patterns
        )
        text = shifted.inputs["text"]
        for word in ("12", "$3.50", "twenty", "one", "half", "each"):
            assert word in text


def test_gold_answers_of_extractive_qa_are_never_touched() -> None:
    example = one(
        "The tower (in Paris, France) is old. Paris, France is big.",
        target=("Paris, France", "Paris"),
    )
    patterns = protections(TaskKind.EXTRACTIVE_QA, example)
    shifted, realised = perturb_example(
        [make("upper-case", 5)], example, seed=0, fields=["text"], protect=patterns
    )
    assert shifted.inputs["text"] == "THE TOWER (IN Paris, France) IS OLD. Paris, France IS BIG."
    assert realised.changed


def test_an_answer_full_of_pattern_signs_is_only_text() -> None:
    example = one("is it (a+)+$ or [b", target=("(a+)+$", "[b"))
    patterns = protections(TaskKind.EXTRACTIVE_QA, example)
    shifted, _ = perturb_example(
        [make("upper-case", 5)], example, seed=0, fields=["text"], protect=patterns
    )
    assert shifted.inputs["text"] == "IS IT (a+)+$ OR [b"


def test_a_protected_word_does_not_protect_longer_ones() -> None:
    guarded = [literal("art")]
    shifted, _ = perturb_example(
        [make("upper-case", 5)], one("art party"), seed=0, fields=["text"], protect=guarded
    )
    assert shifted.inputs["text"] == "art PARTY"


def test_classification_protects_nothing_by_pattern() -> None:
    assert protections(TaskKind.CLASSIFICATION, one(TEXT)) == ()


def test_negations_survive_word_drops_unless_asked_for() -> None:
    text = "I don't like it and never will, no, not at all; it isn’t nice"
    kept = [
        perturb_example([make("word-drops", 5)], one(text, str(i)), seed=0, fields=["text"])[0]
        for i in range(40)
    ]
    for shifted in kept:
        for negation in ("don't", "never", "no,", "not", "isn’t"):
            assert negation in shifted.inputs["text"].split()
    dropped = [
        perturb_example(
            [make("word-drops", 5, keep_negations=False)],
            one(text, str(i)),
            seed=0,
            fields=["text"],
        )[0]
        for i in range(40)
    ]
    assert any("never" not in shifted.inputs["text"] for shifted in dropped)


def test_dose_is_edits_over_the_longer_text() -> None:
    realised = dose([("kitten", "sitting"), ("a b", "a b c")])
    assert realised.edit_rate == (3 + 2) / (7 + 5)
    assert realised.words_added == 1
    assert realised.changed
    unchanged = dose([("same", "same"), ("", "")])
    assert (unchanged.edit_rate, unchanged.words_added, unchanged.changed) == (0.0, 0, False)


def test_dose_of_nothing_is_nothing() -> None:
    assert dose([("", "")]).edit_rate == 0.0
    assert dose([("", "ab")]).edit_rate == 1.0


def test_long_texts_get_nearly_the_exact_distance_and_never_less() -> None:
    words = [
        "one",
        "sentence",
        "after",
        "another",
        "makes",
        "this",
        "text",
        "longer",
        "than",
        "the",
        "exact",
        "limit",
        "is",
    ]
    rng = stream(0, "long")
    text = " ".join(words[int(rng.random() * len(words))] for _ in range(9_000))
    assert len(text) > 2 * EXACT_CHARACTERS
    shifted = make("word-drops", 3).perturb(make("char-drops", 3).perturb(text, rng), rng)
    exact = Levenshtein.distance(text, shifted)
    assert exact <= edits(text, shifted) <= exact * 1.05


def test_a_megabyte_text_gets_a_dose() -> None:
    text = "a plain line of words that goes on and on without any end in sight, " * 15_000
    assert len(text) > 1_000_000
    shifted = make("upper-case", 5).perturb(text, stream(0))
    assert 0.5 < dose([(text, shifted)]).edit_rate < 1.0


@given(st.text(max_size=30), st.text(max_size=30))
@settings(max_examples=50, deadline=None)
def test_distance_of_short_texts_is_exact(first: str, second: str) -> None:
    assert edits(first, second) == Levenshtein.distance(first, second)


def test_a_hit_needs_a_draw_below_the_rate() -> None:
    assert hits(stream(0), 1000, 0.0) == []
    assert len(hits(stream(0), 1000, 1.0)) == 1000


def test_picks_are_fair_even_at_a_small_rate() -> None:
    counts = [0, 0, 0]
    for draw, _ in hits(stream(0), 300_000, 0.01):
        counts[pick(draw, (0, 1, 2))] += 1
    assert sum(counts) > 2_500
    assert max(counts) < 1.2 * min(counts)


def test_overlaps_go_to_the_smaller_draw_wherever_it_stands() -> None:
    edits_ = [
        Edit(0.3, 0, 2, "A"),
        Edit(0.1, 1, 3, "B"),
        Edit(0.2, 2, 4, "C"),
        Edit(0.05, 5, 5, "D"),
    ]
    kept = settle(edits_)
    assert [edit.replacement for edit in kept] == ["B", "D"]
    assert apply("abcdef", kept) == "aBdeDf"


def test_parts_of_a_longer_character_are_not_alone() -> None:
    accented = "e\u0301a"
    assert [alone(accented, i) for i in range(3)] == [False, False, True]
    family = "👩\u200d👧"
    assert not any(alone(family, i) for i in range(3))


@pytest.mark.parametrize("name", ["char-drops", "char-swaps", "char-repeats", "keyboard-typos"])
def test_accents_stay_on_their_letters(name: str) -> None:
    text = "re\u0301sume\u0301 cafe\u0301 nai\u0308ve " * 20
    shifted = make(name, 5).perturb(text, stream(3))
    for i, char in enumerate(shifted):
        if char in "\u0301\u0308":
            assert shifted[i - 1] in ("e", "i")
    assert shifted.count("e\u0301") == text.count("e\u0301")


def test_a_key_is_never_its_own_typo() -> None:
    from robust_eval.perturb.characters import (
        ACCENTED,
        HOMOGLYPHS,
        LEET,
        OCR_SINGLES,
    )
    from robust_eval.perturb.keyboards import QWERTY_NEIGHBOURS

    for table in (QWERTY_NEIGHBOURS, HOMOGLYPHS, LEET, ACCENTED, OCR_SINGLES):
        for char, options in table.items():
            assert char not in options
    for key, neighbours in QWERTY_NEIGHBOURS.items():
        assert all(key in QWERTY_NEIGHBOURS[other] for other in neighbours), key


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        (
            "keybord-typos",
            {},
            "unknown perturbation 'keybord-typos'; did you mean 'keyboard-typos'?",
        ),
        ("word-drops", {"keep_negation": True}, "did you mean 'keep_negations'?"),
        ("word-drops", {"keep_negations": 1}, "must be bool, not 1"),
        ("char-drops", {"rate": 0.5}, "takes a severity only"),
        ("nlpug:KeyboardAug", {}, "did you mean 'nlpaug'?"),
        ("nlpaug:KeybordAug", {}, "did you mean 'KeyboardAug'?"),
        ("nlpaug:KeyboardAug", {"model_path": "x"}, "no parameter 'model_path'"),
        ("nlpaug:KeyboardAug", {"aug_char_p": "0.3"}, "must be float"),
        ("textattack:WordSwapEmbeding", {}, "unknown perturbation"),
        ("textattack:WordSwapQWERTY", {"random_one": False}, "no parameter"),
        ("os:system", {}, "unknown provider"),
    ],
)
def test_wrong_names_and_parameters_suggest_the_right_ones(
    name: str, parameters: dict[str, object], message: str
) -> None:
    with pytest.raises(RecipeError, match=re.escape(message)):
        make(name, 3, **parameters)
