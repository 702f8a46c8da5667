"""Keyboard layouts: which keys touch, and what a typo may give."""

from __future__ import annotations

from random import Random

import pytest

from robust_eval.errors import RecipeError
from robust_eval.perturb import make
from robust_eval.perturb.keyboards import LAYOUTS, NEIGHBOURS, QWERTY, touching


def test_geometry_gives_the_map_written_by_hand() -> None:
    assert {key: set(keys) for key, keys in touching(LAYOUTS["qwerty"]).items()} == {
        key: set(keys) for key, keys in QWERTY.items()
    }


@pytest.mark.parametrize("layout", LAYOUTS)
def test_touching_is_mutual(layout: str) -> None:
    table = NEIGHBOURS[layout]
    assert all(key in table[other] for key, keys in table.items() for other in keys)


def test_a_layout_gives_its_own_typos() -> None:
    made = make("keyboard-typos", 5, layout="azerty").perturb("a" * 400, Random(1))
    assert set(made) == {"a", "z", "q"}


def test_a_misspelt_layout_is_named() -> None:
    with pytest.raises(RecipeError, match="unknown layout 'azert'; did you mean 'azerty'"):
        make("keyboard-typos", 3, layout="azert")
