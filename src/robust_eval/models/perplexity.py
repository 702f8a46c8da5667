"""How likely a text is to a local language model: what a constraint on fluency compares."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from robust_eval.errors import ModelError
from robust_eval.models.causal_files import CausalFiles, local_files
from robust_eval.models.placement import place
from robust_eval.models.tokens import Ids, Tokens, load_tokens

if TYPE_CHECKING:
    from robust_eval.models.prefix import Network

PROVIDERS: Final = ("demo", "hf", "gguf")
TOKENS: Final = 256  # of a text that are read
POSITIONS: Final = 256  # scored in one batch: a row of the vocabulary is about a megabyte
KEPT: Final = 50_000  # texts whose figure is remembered


class LanguageModel:
    """Perplexities of texts; weights are read when the first text is asked for."""

    def __init__(self, files: CausalFiles, cache_dir: Path, device: str = "auto") -> None:
        self._files, self._cache_dir, self._device = files, cache_dir, device
        self._loaded: tuple[Tokens, Network] | None = None
        self._known: dict[str, float] = {}

    def perplexities(self, texts: Sequence[str]) -> list[float]:
        """exp of the mean loss a token, one for each text; 1 for a text of no token to predict.

        A batch moves the last digits, so they are given to three significant ones behind the point.
        """
        missing = [text for text in dict.fromkeys(texts) if text not in self._known]
        if missing:
            if len(self._known) > KEPT:
                self._known.clear()
            self._known.update(zip(missing, self._computed(missing), strict=True))
        return [self._known[text] for text in texts]

    def _computed(self, texts: Sequence[str]) -> list[float]:
        tokens, network = self._model()
        read = [text.encode("utf-8", "replace").decode("utf-8") for text in texts]
        rows = [ids[:TOKENS] for ids in tokens.encode(read)]
        first = max(1, len(tokens.start))  # the first token that has one before it
        found: dict[int, float] = {i: 1.0 for i, row in enumerate(rows) if len(row) <= first}
        batch: list[int] = []
        for i in sorted(range(len(rows)), key=lambda i: (len(rows[i]), rows[i])):
            if i in found:
                continue
            if batch and (len(batch) + 1) * (len(rows[i]) - first) > POSITIONS:
                found |= _losses(network, rows, batch, first)
                batch = []
            batch.append(i)
        if batch:
            found |= _losses(network, rows, batch, first)
        return [found[i] for i in range(len(rows))]

    def _model(self) -> tuple[Tokens, Network]:
        if self._loaded is None:
            from robust_eval.models.prefix import load_network

            tokens = load_tokens(self._files, self._cache_dir)
            placement = place(self._device, "auto")
            scratch = self._cache_dir / "scratch"
            self._loaded = tokens, load_network(self._files, placement, scratch)
        return self._loaded


def _losses(
    network: Network, rows: Sequence[Ids], batch: Sequence[int], first: int
) -> dict[int, float]:
    import torch

    at = [(row, column - 1) for row, i in enumerate(batch) for column in range(first, len(rows[i]))]
    logits, _ = network.forward([rows[i] for i in batch], None, at, keep=False)
    wanted = torch.tensor([t for i in batch for t in rows[i][first:]], device=logits.device)
    losses = torch.nn.functional.cross_entropy(logits, wanted, reduction="none").tolist()
    found, start = {}, 0
    for i in batch:
        count = len(rows[i]) - first
        found[i] = round(math.exp(min(50.0, math.fsum(losses[start : start + count]) / count)), 3)
        start += count
    return found


def language_model(spec: str, cache_dir: Path, *, offline: bool = False) -> LanguageModel:
    """The local model of a spec (`demo:`, `hf:`, `gguf:`), one for each spec and folder; raises ModelError."""
    provider, colon, name = spec.partition(":")
    if not colon or provider not in PROVIDERS or not name:
        raise ModelError(
            f"perplexity needs a local language model, demo:gemma-3-270m, hf:ID-OR-FOLDER or gguf:FILE, not {spec!r}"
        )
    return _opened(spec, cache_dir, offline)


@lru_cache(maxsize=2)
def _opened(spec: str, cache_dir: Path, offline: bool) -> LanguageModel:
    return LanguageModel(local_files(spec, cache_dir, offline=offline), cache_dir)
