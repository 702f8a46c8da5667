"""Every native perturbation by name, and `make`, the one way from a name to a perturbation."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from robust_eval.errors import RecipeError, did_you_mean
from robust_eval.perturb import addsent, characters, distractors, lexical, mixed, surface, words
from robust_eval.perturb.draws import Rated
from robust_eval.records import Perturbation

DEFAULT_SEVERITY = 3
PROVIDERS = ("nlpaug", "textattack")

_ALL: tuple[type[Rated], ...] = (
    characters.KeyboardTypos,
    characters.CharSwaps,
    characters.CharDrops,
    characters.CharInsertions,
    characters.CharRepeats,
    characters.OcrConfusions,
    characters.Homoglyphs,
    characters.Leetspeak,
    characters.Diacritics,
    words.WordDrops,
    words.WordRepeats,
    words.WordSwaps,
    words.Fillers,
    words.Stutters,
    words.Elongations,
    words.VowelDrops,
    words.InnerShuffles,
    words.Hashtags,
    lexical.Misspellings,
    lexical.Homophones,
    lexical.Contractions,
    lexical.Expansions,
    lexical.ArticleDrops,
    lexical.Texting,
    lexical.SpellingVariants,
    lexical.GDroppings,
    surface.RandomCase,
    surface.UpperCase,
    surface.LowerCase,
    surface.ExtraSpaces,
    surface.SpaceDrops,
    surface.WordSplits,
    surface.LetterSpacing,
    surface.PunctuationDrops,
    surface.PunctuationNoise,
    surface.PunctuationRepeats,
    surface.ApostropheDrops,
    surface.InvisibleCharacters,
    surface.Mojibake,
    surface.HtmlResidue,
    mixed.MixedNoise,
    distractors.IrrelevantSentences,
    distractors.Tautologies,
    distractors.NumericDistractors,
    addsent.AddsentDistractors,
)

REGISTRY: Mapping[str, type[Rated]] = MappingProxyType({kind.name: kind for kind in _ALL})


def make(name: str, severity: int | None = None, **parameters: Any) -> Perturbation:
    """The perturbation of this name; severity 3 unless given.

    `nlpaug:KeyboardAug` and `textattack:WordSwapQWERTY` name other packages' augmenters.
    Raises RecipeError for an unknown name, parameter or severity, with the nearest known one.
    """
    chosen = DEFAULT_SEVERITY if severity is None else severity
    provider, colon, _ = name.partition(":")
    if colon:
        if provider not in PROVIDERS:
            raise RecipeError(
                f"unknown provider {provider!r} in {name!r}{did_you_mean(provider, PROVIDERS)}"
            )
        from robust_eval.perturb.external import make_external

        return make_external(name, chosen, parameters)
    kind = REGISTRY.get(name)
    if kind is None:
        raise RecipeError(f"unknown perturbation {name!r}{did_you_mean(name, REGISTRY)}")
    _check_parameters(kind, parameters)
    return kind(severity=chosen, **parameters)


def parameters_of(kind: type[Rated]) -> Mapping[str, type]:
    """A perturbation's own parameters and their types, severity not among them."""
    return {
        field.name: type(field.default)
        for field in dataclasses.fields(kind)
        if field.name != "severity"
    }


def _check_parameters(kind: type[Rated], parameters: Mapping[str, Any]) -> None:
    known = parameters_of(kind)
    for parameter, value in parameters.items():
        if parameter not in known:
            raise RecipeError(
                f"{kind.name} has no parameter {parameter!r}{did_you_mean(parameter, known)}"
                + ("" if known else "; it takes a severity only")
            )
        # `type` and not isinstance: True would pass for the number 1.
        if type(value) is not known[parameter]:
            raise RecipeError(
                f"{kind.name}: {parameter} must be {known[parameter].__name__}, not {value!r}"
            )
