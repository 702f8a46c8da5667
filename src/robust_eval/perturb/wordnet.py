"""Synonyms from WordNet, where NLTK's copy of it is installed."""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import Any, ClassVar

from robust_eval.errors import ModelError, RecipeError
from robust_eval.perturb.draws import Edit, Rated, Rates, apply, hits, matching_case, pick
from robust_eval.perturb.tables import list_table

WORD = re.compile(r"[A-Za-z]{3,}")
SYNONYM = re.compile(r"[a-z]{3,}")  # one lower-case word: no names, no phrases
REMEDY = "python -m nltk.downloader wordnet, or set NLTK_DATA to a folder with corpora/wordnet"


@dataclass(frozen=True, slots=True)
class WordnetSynonyms(Rated):
    """Replace words by a synonym of their most frequent sense in WordNet.

    Only base forms of three letters and more, by single words of the same synonym set, so no ending changes; negations stay. The sense
    is not told from the text: some synonyms do not fit, which the label check flags as other words. Needs NLTK and its WordNet.

    Source: Fellbaum (1998), WordNet; synonym replacement as in Zhang et al. (2015), arXiv:1509.01626.
    """

    name: ClassVar[str] = "wordnet-synonyms"
    group: ClassVar[str] = "words"
    unit: ClassVar[str] = "words that WordNet knows"
    RATES: ClassVar[Rates] = (0.10, 0.25, 0.45, 0.70, 1.00)

    def perturb(self, text: str, rng: Random) -> str:
        found = [
            (match.start(), match.group(), options)
            for match in WORD.finditer(text)
            if (options := synonyms(match.group().lower()))
        ]
        edits = []
        for draw, k in hits(rng, len(found), self.rate):
            start, word, options = found[k]
            edits.append(
                Edit(draw, start, start + len(word), matching_case(word, pick(draw, options)))
            )
        return apply(text, edits)


@lru_cache(maxsize=65_536)
def synonyms(word: str) -> tuple[str, ...]:
    """Single-word synonyms of the word's first sense, sorted; none for other forms than the base form."""
    if word in list_table("negations"):
        return ()
    senses = wordnet().synsets(word)
    if not senses:
        return ()
    uses = [sum(lemma.count() for lemma in s.lemmas() if lemma.name() == word) for s in senses]
    lemmas = set(senses[uses.index(max(uses))].lemma_names())
    if word not in lemmas:
        return ()
    return tuple(sorted(name for name in lemmas - {word} if SYNONYM.fullmatch(name)))


@lru_cache(maxsize=1)
def wordnet() -> Any:
    """NLTK's reader. Raises RecipeError without NLTK, ModelError without the data; nothing is downloaded."""
    try:
        corpus = importlib.import_module("nltk.corpus")
    except ModuleNotFoundError as error:
        raise RecipeError("wordnet-synonyms needs NLTK; pip install nltk") from error
    try:
        corpus.wordnet.ensure_loaded()
    except LookupError as error:
        raise ModelError(f"wordnet-synonyms needs NLTK data 'wordnet'; {REMEDY}") from error
    return corpus.wordnet
