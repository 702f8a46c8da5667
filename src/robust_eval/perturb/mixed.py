"""Several kinds of noise at once, as real carelessness has them."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import ClassVar

from robust_eval.perturb.characters import CharDrops, CharSwaps, KeyboardTypos
from robust_eval.perturb.draws import Rated, Rates
from robust_eval.perturb.lexical import Misspellings
from robust_eval.perturb.surface import LowerCase, PunctuationDrops, SpaceDrops


@dataclass(frozen=True, slots=True)
class MixedNoise(Rated):
    """Type carelessly: misspellings, then typos, swaps, drops, lost spaces, capitals and punctuation.

    Each part runs on what the part before it left, so the severities of a mix do not nest. Noise on letters runs
    milder here than alone, because several add up: `PARTS` has each part's severity, 0 where it rests. The rate
    shown is that of keyboard typos.
    """

    name: ClassVar[str] = "mixed-noise"
    group: ClassVar[str] = "surface"
    nests: ClassVar[bool] = False
    unit: ClassVar[str] = "letters, for keyboard typos"
    RATES: ClassVar[Rates] = (0.01, 0.01, 0.03, 0.06, 0.12)
    PARTS: ClassVar[tuple[tuple[type[Rated], tuple[int, int, int, int, int]], ...]] = (
        (Misspellings, (1, 2, 3, 4, 5)),
        (KeyboardTypos, (1, 1, 2, 3, 4)),
        (CharSwaps, (0, 1, 1, 2, 3)),
        (CharDrops, (0, 0, 1, 2, 3)),
        (SpaceDrops, (0, 1, 1, 2, 3)),
        (LowerCase, (1, 2, 3, 4, 5)),
        (PunctuationDrops, (1, 2, 3, 4, 5)),
    )

    def perturb(self, text: str, rng: Random) -> str:
        for part, severities in self.PARTS:
            if severity := severities[self.severity - 1]:
                text = part(severity).perturb(text, rng)
        return text
