"""Every native perturbation by name, and `make`, the one way from a name to a perturbation."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from robust_eval.errors import RecipeError, did_you_mean
from robust_eval.perturb import (
    addsent,
    characters,
    codepoints,
    dialects,
    distractors,
    entities,
    learners,
    lexical,
    mixed,
    registers,
    speech,
    surface,
    web,
    wordnet,
    words,
)
from robust_eval.perturb.draws import Rated
from robust_eval.records import Perturbation

Scalar = bool | int | float | str
DEFAULT_SEVERITY = 3
PROVIDERS = ("nlpaug", "textattack")
AT_THE_END = re.compile(r"@[1-5](?:,[1-5])*$")

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
    codepoints.CombiningMarks,
    codepoints.BidiControls,
    codepoints.UnicodeForms,
    codepoints.AsciiFolding,
    codepoints.ShiftSlips,
    codepoints.DoubledLetters,
    codepoints.StyledWords,
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
    lexical.Abbreviations,
    lexical.SpellingVariants,
    lexical.GDroppings,
    learners.PrepositionErrors,
    learners.ArticleErrors,
    learners.AgreementErrors,
    learners.InflectionErrors,
    speech.FalseStarts,
    speech.SelfCorrections,
    speech.PhoneticSpellings,
    speech.SoundAlikes,
    speech.PhoneticMisspellings,
    speech.NumberWords,
    speech.DigitNumbers,
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
    web.Emoji,
    web.Mentions,
    web.Links,
    web.MarkdownResidue,
    web.QuoteStyles,
    web.LineBreaks,
    web.HyphenatedBreaks,
    registers.FormalRegister,
    registers.InformalRegister,
    registers.ArchaicRegister,
    registers.BiblicalRegister,
    registers.LegalBoilerplate,
    registers.TechnicalBoilerplate,
    registers.ContextPadding,
    registers.Translationese,
    dialects.AfricanAmericanEnglish,
    dialects.IndianEnglish,
    dialects.ScottishEnglish,
    dialects.IrishEnglish,
    dialects.SouthernAmericanEnglish,
    entities.PersonNames,
    entities.PlaceNames,
    entities.LocaleFormats,
    entities.UnitConversions,
    entities.TemporalRewordings,
    mixed.MixedNoise,
    distractors.IrrelevantSentences,
    distractors.Tautologies,
    distractors.NumericDistractors,
    addsent.AddsentDistractors,
)

REGISTRY: Mapping[str, type[Rated]] = MappingProxyType({kind.name: kind for kind in _ALL})
# Native too, but only where their data are installed: asked for by name, never part of a family.
OPTIONAL: Mapping[str, type[Rated]] = MappingProxyType(
    {wordnet.WordnetSynonyms.name: wordnet.WordnetSynonyms}
)
NATIVE: Mapping[str, type[Rated]] = MappingProxyType({**REGISTRY, **OPTIONAL})


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
    kind = NATIVE.get(name)
    if kind is None:
        raise RecipeError(f"unknown perturbation {name!r}{did_you_mean(name, NATIVE)}")
    if name in OPTIONAL:
        wordnet.wordnet()  # says what is missing before any text is touched
    _check_parameters(kind, parameters)
    return kind(severity=chosen, **parameters)


def typed(name: str, query: str) -> dict[str, Scalar]:
    """`action=delete&aug_char_p=0.5` as parameters of this perturbation, in the types that it declares.

    Raises RecipeError for a part without `=`, an unknown parameter, or a value that is not of its type.
    """
    provider, colon, kind = name.partition(":")
    known: Mapping[str, type]
    if colon:
        from robust_eval.perturb.external import parameters_of_external

        known = parameters_of_external(provider, kind)
    else:
        known = parameters_of(NATIVE[name]) if name in NATIVE else {}
    return parameters_from(name, query, known)


def parameters_from(name: str, query: str, known: Mapping[str, type]) -> dict[str, Scalar]:
    """The same for parameters of these names and types. Raises RecipeError."""
    if AT_THE_END.search(query):
        rest, _, severity = query.rpartition("@")
        raise RecipeError(f"{name}?{query}: the severity comes first, {name}@{severity}?{rest}")
    found: dict[str, Scalar] = {}
    for part in query.split("&"):
        key, equals, value = part.partition("=")
        if not equals or not key or key in found:
            raise RecipeError(f"{name}?{query}: write ?NAME=VALUE&NAME=VALUE, each name once")
        if key not in known:
            raise RecipeError(f"{name} has no parameter {key!r}{did_you_mean(key, known)}")
        found[key] = _scalar(name, key, value, known[key])
    return found


def _scalar(name: str, key: str, value: str, kind: type) -> Scalar:
    try:
        if kind is bool:
            return {"true": True, "false": False}[value.lower()]
        made: Scalar = kind(value)
    except (KeyError, ValueError):
        wanted = "true or false" if kind is bool else kind.__name__
        raise RecipeError(f"{name}: {key} must be {wanted}, not {value!r}") from None
    return made


def parameters_of(kind: type[Rated]) -> Mapping[str, type]:
    """A perturbation's own parameters and their types, severity not among them."""
    return {
        field.name: type(field.default)
        for field in dataclasses.fields(kind)
        if field.name != "severity"
    }


def parameters_shown(kind: type[Rated]) -> str:
    """` ?layout=qwerty|qwertz|...`: the parameters as they stand in a shift, the default first; empty where there are none."""
    shown = []
    for field in dataclasses.fields(kind):
        if field.name != "severity":
            truths = (True, False) if isinstance(field.default, bool) else ()
            options = dict.fromkeys([field.default, *kind.CHOICES.get(field.name, truths)])
            written = (str(o).lower() if isinstance(o, bool) else str(o) for o in options)
            shown.append(f"{field.name}={'|'.join(written)}")
    return f" ?{'&'.join(shown)}" if shown else ""


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
