"""Text to token ids and back, the same way under every version of transformers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from robust_eval.errors import ModelError
from robust_eval.models.causal_files import CausalFiles
from robust_eval.models.gguf_file import read_header
from robust_eval.models.gguf_tokenizer import gguf_tokenizer

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Ids = tuple[int, ...]


class Tokens:
    """A tokenizer that puts BOS in front where the model expects it, and nothing behind.

    A special token spelled out in a text ("<eos>") is read as text: data must not steer the model.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        probe_with = tokenizer.encode("a", add_special_tokens=True).ids
        probe = tokenizer.encode("a", add_special_tokens=False).ids
        at = next(
            (
                i
                for i in range(len(probe_with) - len(probe) + 1)
                if probe_with[i : i + len(probe)] == probe
            ),
            0,
        )
        self.start: Ids = tuple(probe_with[:at])
        self._tokenizer = tokenizer
        self._tokenizer.encode_special_tokens = True
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()

    def encode(self, texts: Sequence[str]) -> list[Ids]:
        """Ids of each text, same order."""
        found = self._tokenizer.encode_batch(list(texts), add_special_tokens=False)
        return [self.start + tuple(encoding.ids) for encoding in found]

    def plain(self, text: str, *, special: bool = False) -> Ids:
        """Ids of a part of a text, nothing put in front; `special` reads special tokens spelled out."""
        self._tokenizer.encode_special_tokens = not special
        try:
            return tuple(self._tokenizer.encode(text, add_special_tokens=False).ids)
        finally:
            self._tokenizer.encode_special_tokens = True

    def decode(self, ids: Sequence[int]) -> str:
        """Text of the ids, special tokens left out."""
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=True))


def load_tokens(weights: CausalFiles, cache_dir: Path) -> Tokens:
    """The tokenizer that belongs to the weights.

    Raises:
        ModelError: a folder without a fast tokenizer, or a vocabulary that is not known.
    """
    if weights.kind == "gguf":
        return Tokens(gguf_tokenizer(read_header(weights.path), weights.sha256, cache_dir))
    from transformers import AutoTokenizer

    try:
        wrapped = AutoTokenizer.from_pretrained(str(weights.path), trust_remote_code=False)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise ModelError(
            f"'{weights.path}' has no tokenizer that can be loaded "
            f"({str(error).splitlines()[0]}); a tokenizer.json is needed"
        ) from error
    backend = getattr(wrapped, "backend_tokenizer", None)
    if backend is None:
        raise ModelError(f"'{weights.path}' has a slow tokenizer only; a tokenizer.json is needed")
    return Tokens(backend)
