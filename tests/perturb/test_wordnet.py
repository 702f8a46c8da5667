"""Synonyms from WordNet keep the contract of native perturbations, and say what is missing where it is."""

from __future__ import annotations

import itertools

import pytest

from robust_eval.errors import ModelError, RecipeError
from robust_eval.perturb import make, wordnet
from robust_eval.perturb.registry import OPTIONAL
from robust_eval.recipes import describe_perturbations, parse_shifts
from robust_eval.rng import stream

TEXT = "I like this good movie. It begins well, and the story has a big Surprise, not a small one."
HARD = ("", " ", "\ud800", "😀 e\u0301", "東京で映画", "a" * 5_000, "not never no")


def installed() -> bool:
    try:
        wordnet.wordnet()
    except (ModelError, RecipeError):
        return False
    return True


needs_wordnet = pytest.mark.skipif(not installed(), reason="NLTK data: NLTK_DATA has no wordnet")


@needs_wordnet
def test_words_become_synonyms_and_severities_nest() -> None:
    made = [make("wordnet-synonyms", s).perturb(TEXT, stream(3)).split() for s in range(1, 6)]
    original = TEXT.split()
    assert all(len(words) == len(original) for words in made)
    for milder, harsher in itertools.pairwise(made):
        for word, now, later in zip(original, milder, harsher, strict=True):
            assert now in (word, later)
    assert sum(a != b for a, b in zip(original, made[4], strict=True)) >= 4
    assert "not" in made[4]
    assert made[4][original.index("Surprise,")][0].isupper()


@needs_wordnet
@pytest.mark.parametrize("text", HARD)
def test_hard_texts_do_not_break_it(text: str) -> None:
    first = make("wordnet-synonyms", 5).perturb(text, stream(1))
    assert first == make("wordnet-synonyms", 5).perturb(text, stream(1))


@needs_wordnet
def test_it_is_asked_for_by_name_only() -> None:
    (plan,) = parse_shifts(["wordnet-synonyms@2"], seed=0)
    assert plan.key == "wordnet-synonyms@2"
    assert not any(p.shift in OPTIONAL for p in parse_shifts(["family:noise@1"], seed=0))
    assert "wordnet-synonyms" in {row[0] for row in describe_perturbations()}


def test_missing_data_name_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    class Corpus:
        class wordnet:  # noqa: N801 - NLTK's name
            @staticmethod
            def ensure_loaded() -> None:
                raise LookupError

    wordnet.wordnet.cache_clear()
    monkeypatch.setattr(wordnet.importlib, "import_module", lambda name: Corpus)
    with pytest.raises(ModelError, match=r"python -m nltk\.downloader wordnet"):
        make("wordnet-synonyms", 3)
    wordnet.wordnet.cache_clear()
