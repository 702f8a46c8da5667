"""What an attack may put in a word's place: synonyms, neighbours in embedding space, words that a masked model
would write there, our own perturbations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import TYPE_CHECKING, Any, ClassVar, Self

from robust_eval.attack.draft import Draft
from robust_eval.attack.proposals import Proposal, put
from robust_eval.attack.tools import Tools
from robust_eval.errors import ModelError, RecipeError
from robust_eval.models.weights import demo_minilm
from robust_eval.perturb import make

if TYPE_CHECKING:
    import numpy as np

WORDNET_REMEDY = (
    "the attack's synonyms need NLTK and its WordNet: pip install nltk, python -m nltk.downloader wordnet, "
    "or set NLTK_DATA to a folder that holds corpora/wordnet"
)


@dataclass(frozen=True, slots=True)
class WordnetSynonym:
    """Every single-word lemma of every sense of the word in WordNet, alphabetically; the first letter's case is kept.

    Source: Miller (1995), WordNet; all parts of speech, as in Ren et al. (2019).
    """

    name: ClassVar[str] = "wordnet-synonym"
    whole: ClassVar[bool] = False
    most: int = 1000

    def equipped(self, tools: Tools) -> Self:
        _wordnet()  # raises what is missing
        return self

    def drafts(self, draft: Draft, position: int, rng: Random) -> Sequence[Draft]:
        word = draft.words[position]
        return put(draft, position, [_cased(word, s) for s in _synonyms(word.lower())[: self.most]])


@dataclass(frozen=True, slots=True)
class EmbeddingNeighbour:
    """The words nearest in the input embeddings of the embedded MiniLM, at least `similarity` alike, nearest first.

    Static embeddings know likeness of use, not sameness of sense: antonyms are near. A recipe that uses them should
    constrain meaning too.
    """

    name: ClassVar[str] = "embedding-neighbour"
    whole: ClassVar[bool] = False
    most: int = 20
    similarity: float = 0.5

    def equipped(self, tools: Tools) -> Self:
        demo_minilm()  # raises what is missing
        return self

    def drafts(self, draft: Draft, position: int, rng: Random) -> Sequence[Draft]:
        word = draft.words[position]
        near = [w for w, likeness in _neighbours(word.lower()) if likeness >= self.similarity]
        return put(draft, position, [_cased(word, w) for w in near[: self.most]])


@dataclass(frozen=True, slots=True)
class MaskedWord:
    """The words that a masked language model finds likeliest in the word's place, likeliest first.

    `model` is a folder or the id of a model with safetensors weights; nothing is chosen in its place.
    """

    name: ClassVar[str] = "masked-word"
    whole: ClassVar[bool] = False
    model: str = ""
    most: int = 20

    def __post_init__(self) -> None:
        if not self.model.strip():
            raise RecipeError(
                'masked-word needs a masked language model: model = "FOLDER" or an id such as '
                '"bert-base-uncased"'
            )

    def equipped(self, tools: Tools) -> Self:
        _infill(self.model)  # raises what is missing
        return self

    def drafts(self, draft: Draft, position: int, rng: Random) -> Sequence[Draft]:
        infill = _infill(self.model)
        masked = draft.with_word(position, infill.mask)
        field = draft.slots[position].field
        words = infill.words(masked.inputs[field], self.most)
        return put(draft, position, [_cased(draft.words[position], word) for word in words])


def require_own(proposal: str, of: str, severity: int, on: str) -> None:
    """Raises RecipeError unless there is a perturbation of this name and severity that goes `on` what the proposal changes."""
    try:
        made = make(of, severity)
    except ValueError as error:
        raise RecipeError(f"{proposal}: {error}") from error
    if not hasattr(made, "perturb"):
        raise RecipeError(f"{proposal}: {of!r} reads the whole example, not {on}")


@dataclass(frozen=True, slots=True)
class OwnPerturbation:
    """The word under one of our own perturbations, `draws` times; the ones that change nothing are left out."""

    name: ClassVar[str] = "perturbation"
    whole: ClassVar[bool] = False
    of: str = "keyboard-typos"
    severity: int = 5
    draws: int = 4

    def __post_init__(self) -> None:
        require_own(self.name, self.of, self.severity, "a word")

    def drafts(self, draft: Draft, position: int, rng: Random) -> Sequence[Draft]:
        kind: Any = make(self.of, self.severity)
        word = draft.words[position]
        return put(draft, position, [kind.perturb(word, rng) for _ in range(self.draws)])


def _cased(old: str, new: str) -> str:
    """The new word in the old one's case: all capitals, a first capital, or as it is."""
    if len(old) > 1 and old.isupper():
        return new.upper()
    return new[:1].upper() + new[1:] if old[:1].isupper() else new


# --- WordNet ---------------------------------------------------------------------------------------


@lru_cache(maxsize=100_000)
def _synonyms(word: str) -> tuple[str, ...]:
    found = {
        lemma
        for synset in _wordnet().synsets(word)
        for lemma in synset.lemma_names()
        if "_" not in lemma and lemma.lower() != word
    }
    return tuple(sorted(found))


@lru_cache(maxsize=1)
def _wordnet() -> Any:
    try:
        from nltk.corpus import wordnet

        wordnet.ensure_loaded()
    except (ImportError, LookupError) as error:
        raise ModelError(WORDNET_REMEDY) from error
    return wordnet


# --- static embeddings -----------------------------------------------------------------------------


@lru_cache(maxsize=20_000)
def _neighbours(word: str) -> tuple[tuple[str, float], ...]:
    """(word, cosine) of the 50 nearest whole words; none for a word that is not in the vocabulary."""
    import numpy as np

    words, rows = _embeddings()
    at = words.get(word)
    if at is None:
        return ()
    # Rounded, so that a tie in the last digits is one on every machine, and resolved by the word.
    likeness = np.round(rows @ rows[at], 4)
    names = list(words)
    near = sorted(range(len(names)), key=lambda i: (-likeness[i], names[i]))[:51]
    return tuple((names[i], float(likeness[i])) for i in near if i != at)


@lru_cache(maxsize=1)
def _embeddings() -> tuple[dict[str, int], np.ndarray[Any, np.dtype[np.float32]]]:
    import numpy as np
    from safetensors import safe_open
    from tokenizers import Tokenizer

    folder = demo_minilm().folder
    vocabulary = Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab()
    kept = sorted(
        (w, i) for w, i in vocabulary.items() if w.isascii() and w.isalpha() and len(w) > 1
    )
    with safe_open(folder / "model.safetensors", framework="np") as weights:
        names = list(weights.keys())
        name = next(n for n in names if n.endswith("embeddings.word_embeddings.weight"))
        table = weights.get_tensor(name).astype(np.float32)
    rows = table[[i for _, i in kept]]
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return {w: at for at, (w, _) in enumerate(kept)}, rows


# --- masked language model -------------------------------------------------------------------------


class _Infill:
    def __init__(self, model: str) -> None:
        import torch
        from transformers import AutoModelForMaskedLM, AutoTokenizer

        self._torch = torch
        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(model)
            self._model: Any = AutoModelForMaskedLM.from_pretrained(
                model, use_safetensors=True
            ).eval()
        except (OSError, ValueError) as error:
            raise ModelError(
                f"masked-word: cannot load the masked language model {model!r}: {str(error)[:160]}"
            ) from error
        self.mask = str(self._tokenizer.mask_token)

    def words(self, text: str, most: int) -> list[str]:
        """The likeliest whole words for the mask in the text, likeliest first."""
        read = self._tokenizer(text, return_tensors="pt", truncation=True, max_length=512)
        places = (read["input_ids"][0] == self._tokenizer.mask_token_id).nonzero()
        if not len(places):
            return []
        with self._torch.inference_mode():
            scores = self._model(**read).logits[0, int(places[0])]
        # More than are wanted: pieces of words and punctuation are left out.
        best = self._torch.topk(scores, min(4 * most, scores.numel())).indices.tolist()
        names = [self._tokenizer.decode([i]).strip() for i in best]
        raw = self._tokenizer.convert_ids_to_tokens(best)
        whole = [
            n for n, r in zip(names, raw, strict=True) if n.isalpha() and not r.startswith("##")
        ]
        return whole[:most]


@lru_cache(maxsize=2)
def _infill(model: str) -> _Infill:
    return _Infill(model)


SUBSTITUTES: tuple[type[Proposal], ...] = (
    WordnetSynonym,
    EmbeddingNeighbour,
    MaskedWord,
    OwnPerturbation,
)
