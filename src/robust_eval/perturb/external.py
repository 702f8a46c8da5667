"""Augmenters of nlpaug and transformations of textattack, as perturbations that repeat exactly.

Both packages draw from Python's and numpy's global generators. Around every call their states are saved, seeded
from our stream and put back, under one lock: calls made here never disturb each other or the caller's draws.
Another thread that draws from those generators at the same moment, behind our back, would; use processes then.

Only the names below can be reached, with scalar parameters of the stated types: a recipe names no code.
Neither package promises nested severities.
"""

from __future__ import annotations

import importlib
import logging
import random
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import Any, ClassVar

from robust_eval.errors import ModelError, RecipeError, did_you_mean
from robust_eval.perturb.draws import Rates, check_severity
from robust_eval.rng import choice, shuffled

Scalar = bool | int | float | str

NLPAUG_REMEDY = "pip install 'robust-eval[nlpaug]'"
TEXTATTACK_REMEDY = "pip install 'robust-eval[textattack]' in an environment of its own"


@dataclass(frozen=True, slots=True)
class Augmenter:
    """An nlpaug class that may be named, and how a severity reaches it."""

    module: str
    rate: str  # the parameter that severity sets: share of words
    fixed: Mapping[
        str, Any
    ]  # no cap on the number of words: a severity would otherwise stop at ten
    parameters: Mapping[str, type]
    resources: tuple[str, ...] = ()  # NLTK data it reads


_CHARACTERS = {"aug_char_p": float, "aug_char_min": int, "aug_char_max": int, "min_char": int}
NLPAUG: Mapping[str, Augmenter] = {
    "KeyboardAug": Augmenter(
        "nlpaug.augmenter.char",
        "aug_word_p",
        {"aug_word_max": None},
        {
            **_CHARACTERS,
            "include_special_char": bool,
            "include_numeric": bool,
            "include_upper_case": bool,
            "lang": str,
        },
    ),
    "OcrAug": Augmenter("nlpaug.augmenter.char", "aug_word_p", {"aug_word_max": None}, _CHARACTERS),
    "RandomCharAug": Augmenter(
        "nlpaug.augmenter.char",
        "aug_word_p",
        {"aug_word_max": None},
        {**_CHARACTERS, "action": str, "swap_mode": str, "spec_char": str},
    ),
    "SpellingAug": Augmenter(
        "nlpaug.augmenter.word", "aug_p", {"aug_max": None}, {"include_reverse": bool}
    ),
    "RandomWordAug": Augmenter(
        "nlpaug.augmenter.word", "aug_p", {"aug_max": None}, {"action": str}
    ),
    "SplitAug": Augmenter("nlpaug.augmenter.word", "aug_p", {"aug_max": None}, {"min_char": int}),
    "SynonymAug": Augmenter(
        "nlpaug.augmenter.word",
        "aug_p",
        {"aug_max": None, "aug_src": "wordnet"},
        {},
        ("corpora/wordnet", "taggers/averaged_perceptron_tagger_eng"),
    ),
    # It turns meanings round on purpose: labels change, and the label check says so.
    "AntonymAug": Augmenter(
        "nlpaug.augmenter.word",
        "aug_p",
        {"aug_max": None},
        {},
        ("corpora/wordnet", "taggers/averaged_perceptron_tagger_eng"),
    ),
    "RandomSentAug": Augmenter(
        "nlpaug.augmenter.sentence",
        "aug_p",
        {"aug_max": None},
        {"mode": str},
        ("tokenizers/punkt_tab",),
    ),
}
FETCHED = ", which the package would fetch while a run goes on"
# Named so that whoever asks for them learns why not.
REFUSED: Mapping[str, str] = {
    "nlpaug:ContextualWordEmbsAug": f"the weights of a masked language model{FETCHED}",
    "nlpaug:ContextualWordEmbsForSentenceAug": f"the weights of GPT-2{FETCHED}",
    "nlpaug:BackTranslationAug": f"the weights of two translation models{FETCHED}",
    "nlpaug:AbstSummAug": f"the weights of T5{FETCHED}",
    "nlpaug:LambadaAug": f"the weights of a model that you trained{FETCHED}",
    "nlpaug:WordEmbsAug": f"word vectors{FETCHED}",
    "nlpaug:TfIdfAug": f"a TF-IDF model that you trained{FETCHED}",
    "textattack:WordSwapEmbedding": f"the counter-fitted word vectors{FETCHED}",
    "textattack:WordSwapMaskedLM": f"the weights of a masked language model{FETCHED}",
    "textattack:WordMergeMaskedLM": f"the weights of a masked language model{FETCHED}",
    "textattack:WordInsertionMaskedLM": f"the weights of a masked language model{FETCHED}",
    "textattack:WordSwapHowNet": f"the HowNet tables{FETCHED}",
    "textattack:WordSwapInflections": f"the weights of flair's tagger{FETCHED}",
    "textattack:WordSwapChangeName": f"the weights of flair's recogniser of names{FETCHED}",
    "textattack:WordSwapChangeLocation": f"the weights of flair's recogniser of names{FETCHED}",
    "textattack:BackTranslation": f"the weights of two translation models{FETCHED}",
    "textattack:BackTranscription": f"the weights of a speech model{FETCHED}",
    "textattack:WordSwapHomoglyphSwap": "a table that its package does not hold",
    "textattack:WordSwapWordNet": f"NLTK's omw-1.4{FETCHED}",
    "textattack:WordInsertionRandomSynonym": "to draw from a set whose order changes with every process, so it cannot repeat exactly",
}
INSTEAD = "nlpaug:SynonymAug and wordnet-synonyms do without"

_ENDS = {"skip_first_char": bool, "skip_last_char": bool}
# Those that work without a network; the rest fetch models or word vectors.
TEXTATTACK: Mapping[str, Mapping[str, type]] = {
    "WordSwapNeighboringCharacterSwap": _ENDS,
    "WordSwapRandomCharacterDeletion": _ENDS,
    "WordSwapRandomCharacterInsertion": _ENDS,
    "WordSwapRandomCharacterSubstitution": {},
    "WordSwapQWERTY": _ENDS,
    "WordSwapInvisibleCharacters": {},
    "WordSwapContract": {},
    "WordSwapExtend": {},
    "WordInnerSwapRandom": {},
    "WordDeletion": {},
    "WordSwapChangeNumber": {},
    "DeepWordBug": {},
}
# The four character edits of DeepWordBug, Gao et al. (2018), arXiv:1801.04354.
DEEP_WORD_BUG = (
    "WordSwapNeighboringCharacterSwap",
    "WordSwapRandomCharacterSubstitution",
    "WordSwapRandomCharacterDeletion",
    "WordSwapRandomCharacterInsertion",
)

_global_generators = threading.Lock()


def make_external(
    name: str, severity: int, parameters: Mapping[str, Any]
) -> NlpaugNoise | TextattackNoise:
    """The perturbation of this full name (`nlpaug:KeyboardAug`), its package imported and tried.

    Raises RecipeError for a name or parameter off the list or a package that is not installed, ModelError for
    NLTK data that is missing; each with the remedy.
    """
    provider, _, kind = name.partition(":")
    typed = parameters_of_external(provider, kind)
    check_severity(severity)
    given = {  # 1 is as good as 1.0 where a file says so
        key: float(value) if type(value) is int and typed.get(key) is float else value
        for key, value in parameters.items()
    }
    check_parameters(name, typed, given)
    frozen = tuple(sorted(given.items()))
    if provider == "nlpaug":
        made = NlpaugNoise(kind, severity, frozen)
        _augmenter(kind, made.rate, frozen)
        return made
    _transformation(kind, frozen)
    return TextattackNoise(kind, severity, frozen)


def parameters_of_external(provider: str, kind: str) -> Mapping[str, type]:
    """The scalar parameters that may be given to another package's augmenter, with their types.

    Raises RecipeError for a name off the list, with the nearest one, or with what it would fetch.
    """
    known = NLPAUG if provider == "nlpaug" else TEXTATTACK
    if why := REFUSED.get(f"{provider}:{kind}"):
        raise RecipeError(
            f"{provider}:{kind} is not offered: it needs {why}; perturb your file with {provider} itself and give it "
            f"with --ood NAME=paired:FILE ({INSTEAD})"
        )
    if kind not in known:
        raise RecipeError(f"unknown perturbation '{provider}:{kind}'{did_you_mean(kind, known)}")
    return NLPAUG[kind].parameters if provider == "nlpaug" else TEXTATTACK[kind]


def describe_external() -> list[tuple[str, str, str]]:
    """Rows of name, parameters with their types, and the NLTK data that it reads."""
    rows = [
        (
            f"nlpaug:{kind}",
            known.parameters,
            ", ".join(r.partition("/")[2] for r in known.resources),
        )
        for kind, known in NLPAUG.items()
    ] + [(f"textattack:{kind}", parameters, "") for kind, parameters in TEXTATTACK.items()]
    return [
        (name, ", ".join(f"{key} ({kind.__name__})" for key, kind in parameters.items()), needs)
        for name, parameters, needs in rows
    ]


def check_parameters(name: str, typed: Mapping[str, type], parameters: Mapping[str, Any]) -> None:
    for parameter, value in parameters.items():
        if parameter not in typed:
            raise RecipeError(
                f"{name} has no parameter {parameter!r}{did_you_mean(parameter, typed)}"
            )
        if type(value) is not typed[parameter]:
            raise RecipeError(
                f"{name}: {parameter} must be {typed[parameter].__name__}, not {value!r}"
            )


@contextmanager
def _seeded(rng: Random) -> Iterator[None]:
    """The global generators seeded from the stream inside the block, and as they were after it."""
    import numpy as np

    seed = int(rng.random() * 2**32)
    with _global_generators:
        python_state, numpy_state = random.getstate(), np.random.get_state()
        random.seed(seed)
        np.random.seed(seed)
        try:
            yield
        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)


@contextmanager
def _loggers_kept() -> Iterator[None]:
    """textattack silences every logger that exists when it is imported; those that spoke before speak after."""
    speaking = [
        log
        for log in logging.Logger.manager.loggerDict.values()
        if not getattr(log, "disabled", True)
    ]
    try:
        yield
    finally:
        for log in speaking:
            log.disabled = False  # type: ignore[union-attr]


def imported(module: str, remedy: str) -> Any:
    package = module.partition(".")[0]
    try:
        with warnings.catch_warnings(), _loggers_kept():
            warnings.simplefilter("ignore")  # both packages warn of their own dependencies
            return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise RecipeError(f"{package} is not installed ({error}); {remedy}") from error
    except LookupError as error:  # textattack reads NLTK data while it is imported
        raise ModelError(
            f"{package} needs NLTK data that is missing; python -m nltk.downloader stopwords omw-1.4 wordnet"
        ) from error
    except (ImportError, AttributeError) as error:
        raise RecipeError(f"{package} does not import here ({error}); {remedy}") from error


def require_nltk(name: str, resources: tuple[str, ...]) -> None:
    """Raises ModelError for what is missing, before the package would try to download it."""
    if not resources:
        return
    nltk = imported("nltk", "pip install nltk")
    for resource in resources:
        for form in (resource, f"{resource}.zip"):
            try:
                nltk.data.find(form)
            except LookupError:
                continue
            break
        else:
            wanted = resource.partition("/")[2]
            raise ModelError(
                f"{name} needs NLTK data {wanted!r}; python -m nltk.downloader {wanted}, or set NLTK_DATA"
            )


# --- nlpaug --------------------------------------------------------------------------------------


@lru_cache(maxsize=64)
def _augmenter(kind: str, rate: float, parameters: tuple[tuple[str, Scalar], ...]) -> Any:
    known = NLPAUG[kind]
    module = imported(known.module, NLPAUG_REMEDY)
    require_nltk(f"nlpaug:{kind}", known.resources)
    try:
        made = getattr(module, kind)(**{known.rate: rate, **known.fixed, **dict(parameters)})
    except (ValueError, TypeError, OSError, AssertionError) as error:
        raise RecipeError(f"nlpaug:{kind} does not take {dict(parameters)!r}: {error}") from error
    if kind == "SpellingAug":
        # Its options come from sets of strings, whose order changes with every process.
        made.model.dict.update({word: sorted(found) for word, found in made.model.dict.items()})
    return made


@dataclass(frozen=True, slots=True)
class NlpaugNoise:
    """An nlpaug augmenter; severity sets the share of words it may touch.

    Source: Ma (2019), https://github.com/makcedward/nlpaug. Its own tokenizer may normalise white space.
    """

    kind: str
    severity: int = 3
    parameters: tuple[tuple[str, Scalar], ...] = ()

    family: ClassVar[str] = "noise"
    group: ClassVar[str] = "external"
    nests: ClassVar[bool] = False
    unit: ClassVar[str] = "words"
    RATES: ClassVar[Rates] = (0.05, 0.10, 0.20, 0.35, 0.50)  # share of words, at least one

    @property
    def name(self) -> str:
        return f"nlpaug:{self.kind}"

    @property
    def rate(self) -> float:
        return self.RATES[self.severity - 1]

    def perturb(self, text: str, rng: Random) -> str:
        augmenter = _augmenter(self.kind, self.rate, self.parameters)
        with _seeded(rng):
            answers = augmenter.augment(text)
        # nlpaug answers with an empty list, or an empty text, where it finds nothing to do.
        answer = answers[0] if isinstance(answers, list) and answers else answers
        return answer if isinstance(answer, str) and answer else text


# --- textattack ----------------------------------------------------------------------------------


@lru_cache(maxsize=64)
def _transformation(kind: str, parameters: tuple[tuple[str, Scalar], ...]) -> Any:
    transformations = imported("textattack.transformations", TEXTATTACK_REMEDY)
    if kind == "DeepWordBug":
        parts = [getattr(transformations, part)() for part in DEEP_WORD_BUG]
        return transformations.CompositeTransformation(parts)
    return getattr(transformations, kind)(**dict(parameters))


@dataclass(frozen=True, slots=True)
class TextattackNoise:
    """A textattack transformation applied to words drawn at random; severity is their share.

    No model and no search: the transformation alone, one candidate drawn per word.

    Source: Morris et al. (2020), arXiv:2005.05909.
    """

    kind: str
    severity: int = 3
    parameters: tuple[tuple[str, Scalar], ...] = ()

    family: ClassVar[str] = "noise"
    group: ClassVar[str] = "external"
    nests: ClassVar[bool] = False
    unit: ClassVar[str] = "words"
    RATES: ClassVar[Rates] = (0.05, 0.10, 0.20, 0.35, 0.50)  # share of words, at least one

    @property
    def name(self) -> str:
        return f"textattack:{self.kind}"

    def perturb(self, text: str, rng: Random) -> str:
        transformation = _transformation(self.kind, self.parameters)
        attacked_text = imported("textattack.shared", TEXTATTACK_REMEDY).AttackedText
        with _seeded(rng):
            # A text of none of its words makes textattack fail rather than answer "nothing to do".
            current = attacked_text(text)
            if not current.words:
                return text
            wanted = max(1, round(self.RATES[self.severity - 1] * len(current.words)))
            # From the last word to the first: a word deleted moves only those behind it.
            chosen = sorted(shuffled(rng, range(len(current.words)))[:wanted], reverse=True)
            for index in chosen:
                candidates = transformation(
                    current, pre_transformation_constraints=[], indices_to_modify={index}
                )
                if candidates:
                    current = choice(rng, sorted(candidates, key=lambda c: str(c.text)))
            return str(current.text)
