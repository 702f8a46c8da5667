"""Tables made from a pronouncing dictionary: letters aligned with sounds, and words that sound alike."""

from __future__ import annotations

from pathlib import Path

import pytest

from robust_eval.perturb import pronounce
from robust_eval.perturb.tables import words_table
from robust_eval.perturb.words import negates

ENTRIES = """\
phone F OW1 N
phase F EY1 Z
foam F OW1 M
fate F EY1 T
fit F IH1 T
fix F IH1 K S
mix M IH1 K S
tax T AE1 K S
taxes T AE1 K S IH0 Z # a comment
taxes(2) T AE1 K S AH0 Z
sight S AY1 T
site S AY1 T
night N AY1 T
knight N AY1 T
knot N AA1 T
not N AA1 T
color K AH1 L ER0
colour K AH1 L ER0
tight T AY1 T
light L AY1 T
mat M AE1 T
net N EH1 T
"""


@pytest.fixture
def said(tmp_path: Path) -> dict[str, pronounce.Sounds]:
    path = tmp_path / "cmudict.dict"
    path.write_text(ENTRIES, "utf-8")
    return pronounce.dictionary(path)


def test_the_first_pronunciation_counts_and_comments_do_not(
    said: dict[str, pronounce.Sounds],
) -> None:
    assert said["taxes"] == ("T", "AE1", "K", "S", "IH0", "Z")
    assert "taxes(2)" not in said


def test_letters_are_aligned_with_their_sounds(said: dict[str, pronounce.Sounds]) -> None:
    chunks = pronounce.aligned(said)
    assert chunks["phone"][0] == ("ph", "F")
    assert chunks["knight"][0] == ("kn", "N")
    assert ("x", "K S") in chunks["fix"]
    for word, pieces in chunks.items():
        assert "".join(letters for letters, _ in pieces) == word
        assert " ".join(sounds for _, sounds in pieces) == " ".join(said[word])


def test_words_that_sound_alike_are_found_but_no_negation_and_no_spelling_variant(
    said: dict[str, pronounce.Sounds],
) -> None:
    found = pronounce.sound_alikes(said, said)
    assert found == {"sight": ["site"], "site": ["sight"], "night": ["knight"], "knight": ["night"]}


def test_a_misspelling_keeps_the_first_letter_and_is_no_word(
    said: dict[str, pronounce.Sounds], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pronounce, "COMMON", 0)
    monkeypatch.setattr(pronounce, "READ", 0.0)
    chunks = pronounce.aligned(said)
    known = pronounce.model(chunks.values())
    made = {word: pronounce.misspelt(chunks[word], known, said) for word in said}
    assert any(made.values())
    for word, found in made.items():
        assert all(other[0] == word[0] and other not in said for other in found)


@pytest.mark.parametrize("name", ["sound-alikes", "by-ear", "abbreviations"])
def test_the_tables_touch_no_negation(name: str) -> None:
    table = words_table(name)
    assert not [word for word in table if negates(word)]
    assert not [option for found in table.values() for option in found if negates(option)]
