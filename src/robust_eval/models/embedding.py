"""Texts as vectors by the local MiniLM sentence encoder, not fine-tuned; each vector is kept on disk.

A text's vector must not depend on the texts beside it: batches have one size, lengths are padded to a few fixed
ones, and what is read back from disk is what was computed.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from robust_eval.errors import ModelError
from robust_eval.models.classifier import quiet
from robust_eval.models.placement import place
from robust_eval.models.weights import EncoderFiles, demo_minilm
from robust_eval.records import Progress, silent
from robust_eval.rng import digest, hexdigest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FILE: Final = "embeddings-v1.sqlite3"
TOKENS: Final = 128  # longest input: what the encoder was trained on
STEP: Final = 16  # lengths are padded to multiples of it
BATCH: Final = 32
CHARACTERS: Final = 8 * TOKENS  # more cannot matter after the cut
READ: Final = 500  # keys in one query
BUSY_SECONDS: Final = 30.0
_SURROGATES: Final = re.compile("[\ud800-\udfff]")


class SentenceEncoder:
    """Mean-pooled, normalised vectors of 384 numbers; loaded when a vector is not on disk yet."""

    def __init__(self, files: EncoderFiles, cache_dir: Path, device: str = "auto") -> None:
        self.name = files.source
        self._files = files
        self._cache_dir = cache_dir
        self._device = device
        self._loaded: tuple[Any, Any, str] | None = None
        self.fingerprint = hexdigest("sentences", files.fingerprint(cache_dir), TOKENS)

    def embed(self, texts: Sequence[str], progress: Progress = silent) -> NDArray[np.float32]:
        """One row a text, same order; the dot product of two rows is their cosine."""
        import numpy as np

        keys = [digest(self.fingerprint, text[:CHARACTERS]) for text in texts]
        wanted = dict(zip(keys, texts, strict=True))
        vectors = self._read(list(wanted))
        missing = {key: text for key, text in wanted.items() if key not in vectors}
        if missing:
            with progress("embedding texts", len(missing)) as advance:
                for new in self._computed(missing):
                    vectors.update(new)
                    self._write(new)
                    advance(len(new))
        width = len(next(iter(vectors.values()), b"")) // 4
        rows = [np.frombuffer(vectors[key], dtype="<f4") for key in keys]
        return np.stack(rows) if rows else np.zeros((0, width), dtype=np.float32)

    def vocabulary(self) -> frozenset[str]:
        """The whole words among the encoder's tokens, in lower case; no weights are loaded."""
        try:
            lines = (self._files.folder / "vocab.txt").read_text("utf-8", "replace").splitlines()
        except OSError:
            return frozenset()
        return frozenset(line.lower() for line in lines if line.isalpha() and len(line) > 1)

    # --- computing -------------------------------------------------------------------------------

    def _model(self) -> tuple[Any, Any, str]:
        if self._loaded is None:
            with quiet():
                import torch
                from transformers import AutoModel, AutoTokenizer

                folder = self._files.folder
                device = place(self._device, "float32").device
                try:
                    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
                    network = AutoModel.from_pretrained(
                        folder, local_files_only=True, use_safetensors=True, dtype=torch.float32
                    )
                except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
                    raise ModelError(
                        f"cannot load the sentence encoder ({error!s:.200}); --validity words does without"
                    ) from error
                network.to(device).eval()
            self._loaded = (tokenizer, network, device)
        return self._loaded

    def _computed(self, texts: Mapping[bytes, str]) -> Iterator[dict[bytes, bytes]]:
        tokenizer, _, _ = self._model()
        keys = list(texts)
        with quiet():
            encoded = tokenizer(
                [_SURROGATES.sub("\ufffd", texts[key][:CHARACTERS]) for key in keys],
                truncation=True,
                max_length=TOKENS,
            )["input_ids"]
        by_length: dict[int, list[int]] = {}
        for i, ids in enumerate(encoded):
            by_length.setdefault(-(-len(ids) // STEP) * STEP, []).append(i)
        for length, members in sorted(by_length.items()):
            for start in range(0, len(members), BATCH):
                part = members[start : start + BATCH]
                rows = self._vectors([encoded[i] for i in part], length)
                yield {
                    keys[i]: row.astype("<f4").tobytes() for i, row in zip(part, rows, strict=True)
                }

    def _vectors(self, encoded: Sequence[Sequence[int]], length: int) -> NDArray[np.float32]:
        import numpy as np
        import torch

        tokenizer, network, device = self._model()
        filled = [*encoded, *[encoded[0]] * (BATCH - len(encoded))]
        pad = tokenizer.pad_token_id
        ids = torch.tensor([[*row, *[pad] * (length - len(row))] for row in filled], device=device)
        lengths = torch.tensor([len(row) for row in filled], device=device)
        mask = (torch.arange(length, device=device)[None] < lengths[:, None]).long()
        with torch.inference_mode():
            states = network(input_ids=ids, attention_mask=mask).last_hidden_state.float()
            summed = (states * mask[:, :, None]).sum(dim=1)
            rows = torch.nn.functional.normalize(summed, dim=1).cpu().numpy()
        return np.asarray(rows[: len(encoded)], dtype=np.float32)

    # --- keeping: what cannot be read or written costs time, nothing else ------------------------

    @contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        self._cache_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._cache_dir / FILE
        path.touch(mode=0o600)
        with closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as connection, connection:
            connection.execute(
                "CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB) WITHOUT ROWID"
            )
            yield connection

    def _read(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        found: dict[bytes, bytes] = {}
        width = 4 * int(self._files.config.get("hidden_size", 0))
        try:
            with self._database() as connection:
                for start in range(0, len(keys), READ):
                    part = keys[start : start + READ]
                    marks = ",".join("?" * len(part))
                    query = f"SELECT key, vector FROM vectors WHERE key IN ({marks})"  # noqa: S608 - marks only
                    found.update(connection.execute(query, part).fetchall())
        except (sqlite3.Error, OSError):
            return {}
        return {k: v for k, v in found.items() if isinstance(v, bytes) and len(v) == width}

    def _write(self, vectors: Mapping[bytes, bytes]) -> None:
        try:
            with self._database() as connection:
                connection.executemany(
                    "INSERT OR REPLACE INTO vectors VALUES (?, ?)", vectors.items()
                )
        except (sqlite3.Error, OSError):
            return


def installed_encoder(cache_dir: Path, device: str = "auto") -> SentenceEncoder | None:
    """The MiniLM encoder of the demo packages; None where they are not installed."""
    try:
        return SentenceEncoder(demo_minilm(), cache_dir, device)
    except ModelError:
        return None
