"""Numbers said in words, and written in digits."""

from __future__ import annotations

import pytest

from robust_eval.perturb import make
from robust_eval.rng import stream


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("It took 20 minutes.", "It took twenty minutes."),
        ("On 5 May 2020, and on May 5, 2020, at 10:30.", "On 5 May 2020, and on May 5, 2020, at 10:30."),
        ("It costs $5, or 3.5 of 42 points.", "It costs $5, or 3.5 of forty-two points."),
    ],
)  # fmt: skip
def test_numerals_are_said_in_words_but_not_in_dates_times_and_prices(text: str, said: str) -> None:
    assert make("number-words", 5).perturb(text, stream(0)) == said
