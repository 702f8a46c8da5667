"""Constraints that read a text: the part of speech of a word in it, its likeness to the original, its fluency."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Self

from robust_eval.attack.constraints import DraftConstraint, original_text
from robust_eval.attack.draft import Draft
from robust_eval.attack.tools import Tools
from robust_eval.errors import ModelError
from robust_eval.models.embedding import SentenceEncoder
from robust_eval.models.perplexity import LanguageModel, language_model
from robust_eval.models.weights import demo_minilm

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TAGGER_REMEDY = (
    "the constraint part-of-speech needs NLTK and its tagger: pip install nltk, python -m nltk.downloader "
    "averaged_perceptron_tagger_eng, or set NLTK_DATA to a folder that holds taggers/averaged_perceptron_tagger_eng"
)
AROUND = 4  # words on each side that the tagger reads, as in TextAttack


@dataclass(frozen=True, slots=True)
class PartOfSpeech:
    """A word becomes one of the same class: noun, verb, adjective, adverb, or the tag itself of others.

    With `verb_noun` a verb may become a noun, and the other way round, as in TextFooler.

    Source: Jin et al. (2020), arXiv:1907.11932; the tagger is NLTK's averaged perceptron for English.
    """

    name: ClassVar[str] = "part-of-speech"
    verb_noun: bool = False

    def equipped(self, tools: Tools) -> Self:
        _tagger()
        return self

    def accepts(self, drafts: Sequence[Draft]) -> Sequence[bool]:
        return [
            draft.rewritten
            or all(self._alike(draft.was, draft.words, place) for place in draft.changed)
            for draft in drafts
        ]

    def _alike(self, was: Sequence[str], now: Sequence[str], place: int) -> bool:
        old, new = _class_of(was, place), _class_of(now, place)
        both = {old, new}
        return len(both) == 1 or (self.verb_noun and both == {"noun", "verb"})


@dataclass(frozen=True, slots=True)
class EmbeddingSimilarity:
    """The text stays at least `least` alike to the original: cosine of MiniLM's sentence vectors, whole texts.

    The sentence encoder is the one that the label check uses, not the Universal Sentence Encoder of the papers: its
    cosines are lower and not comparable with theirs.
    """

    name: ClassVar[str] = "embedding-similarity"
    least: float = 0.8
    encoder: SentenceEncoder | None = field(default=None, repr=False, compare=False)

    def equipped(self, tools: Tools) -> Self:
        return replace(self, encoder=SentenceEncoder(demo_minilm(), tools.folder))

    def accepts(self, drafts: Sequence[Draft]) -> Sequence[bool]:
        import numpy as np

        if self.encoder is None:
            raise ModelError("embedding-similarity has no encoder; run the attack by attack_all")
        originals = [original_text(draft) for draft in drafts]
        distinct = list(dict.fromkeys([*originals, *(draft.text for draft in drafts)]))
        rows: NDArray[np.float32] = self.encoder.embed(distinct)
        vector = dict(zip(distinct, rows, strict=True))
        likeness = [
            float(np.dot(vector[original], vector[draft.text]))
            for original, draft in zip(originals, drafts, strict=True)
        ]
        # Rounded, so that the last digits of another machine decide nothing.
        return [round(value, 4) >= self.least for value in likeness]


@dataclass(frozen=True, slots=True)
class Perplexity:
    """The text is at most `most` times as perplexing as the original to a local language model.

    Perplexity is that of the text alone, a token; of long texts the first 256 tokens.

    Source: a language model as judge of fluency, Alzantot et al. (2018), arXiv:1804.07998; there it ranks the words for one place.
    """

    name: ClassVar[str] = "perplexity"
    most: float = 2.0
    model: str = "demo:gemma-3-270m"
    loaded: LanguageModel | None = field(default=None, repr=False, compare=False)

    def equipped(self, tools: Tools) -> Self:
        return replace(self, loaded=language_model(self.model, tools.folder))

    def accepts(self, drafts: Sequence[Draft]) -> Sequence[bool]:
        if self.loaded is None:
            raise ModelError("perplexity has no language model; run the attack by attack_all")
        originals = [original_text(draft) for draft in drafts]
        found = self.loaded.perplexities([*originals, *(draft.text for draft in drafts)])
        before, after = found[: len(drafts)], found[len(drafts) :]
        return [new <= self.most * old for old, new in zip(before, after, strict=True)]


READING_CONSTRAINTS: tuple[type[DraftConstraint], ...] = (
    PartOfSpeech,
    EmbeddingSimilarity,
    Perplexity,
)


def _class_of(words: Sequence[str], place: int) -> str:
    """The class of the word at this place; "" where it was deleted. Empty words are not there for the tagger."""
    before = [word for word in words[max(0, place - AROUND) : place] if word]
    after = [word for word in words[place + 1 : place + 1 + AROUND] if word]
    if not words[place]:
        return ""
    return _tagged((*before, words[place], *after), len(before))


@lru_cache(maxsize=200_000)
def _tagged(words: tuple[str, ...], place: int) -> str:
    tag = str(_tagger().tag(list(words))[place][1])
    return _CLASSES.get(tag[:2], tag)


_CLASSES = {"NN": "noun", "VB": "verb", "JJ": "adjective", "RB": "adverb"}


@lru_cache(maxsize=1)
def _tagger() -> Any:
    try:
        from nltk.tag.perceptron import PerceptronTagger

        return PerceptronTagger(lang="eng")
    except (ImportError, LookupError) as error:
        raise ModelError(TAGGER_REMEDY) from error
