"""GGUF files: what the header says, and the weights as a transformers model.

The header is read here and not by the `gguf` package, whose reader builds an array for each of the
vocabulary's entries: 20 s for 262,144 of them, against 0.3 s.

Source of the format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md (version 3, 2024).
"""

from __future__ import annotations

import math
import mmap
import shutil
import struct
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from robust_eval.errors import InfrastructureError, ModelError
from robust_eval.models.weights import is_embedding

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

MAGIC = b"GGUF"
VERSIONS = (2, 3)
STRING, ARRAY = 8, 9
SCALARS = {
    0: "B",
    1: "b",
    2: "H",
    3: "h",
    4: "I",
    5: "i",
    6: "f",
    7: "?",
    10: "Q",
    11: "q",
    12: "d",
}
# A header is hostile input: real files stay far below these.
MAX_ENTRIES = 65_536
MAX_ARRAY = 4_000_000
MAX_STRING = 16 * 1024 * 1024
MAX_DIMENSIONS = 8
VOCABULARY_PREFIX = "tokenizer."


@dataclass(frozen=True, slots=True)
class Header:
    """What a GGUF file says of itself, without its weights."""

    path: Path
    values: Mapping[str, Any]
    spans: Mapping[str, tuple[int, int]]  # where each key with its value stands in the file
    parameters: int
    embeddings: int  # how many of them are tables that a token reads one row of
    tensor_start: int  # where the descriptions of the tensors begin
    data_start: int  # where the weights begin
    tensors: int
    version: int

    @property
    def architecture(self) -> str:
        return str(self.values.get("general.architecture", ""))

    @property
    def context_length(self) -> int | None:
        length = self.values.get(f"{self.architecture}.context_length")
        return int(length) if isinstance(length, int) else None


class _Cursor:
    """Reads a mapped file from front to back; every read is checked against the end."""

    def __init__(self, data: mmap.mmap) -> None:
        self.data, self.at = data, 0

    def take(self, count: int) -> bytes:
        if count < 0 or self.at + count > len(self.data):
            raise EOFError
        self.at += count
        return self.data[self.at - count : self.at]

    def unpack(self, codes: str) -> tuple[Any, ...]:
        return struct.unpack("<" + codes, self.take(struct.calcsize("<" + codes)))

    def text(self) -> str:
        (count,) = self.unpack("Q")
        if count > MAX_STRING:
            raise ValueError(f"a text of {count} bytes")
        return self.take(count).decode("utf-8", "replace")

    def value(self, kind: int) -> Any:
        if kind == STRING:
            return self.text()
        if kind == ARRAY:
            inner, count = self.unpack("IQ")
            if count > MAX_ARRAY or inner == ARRAY:
                raise ValueError(f"an array of {count} entries")
            if inner == STRING:
                return [self.text() for _ in range(count)]
            return list(self.unpack(f"{count}{SCALARS[inner]}"))
        return self.unpack(SCALARS[kind])[0]


def read_header(path: Path) -> Header:
    """The header of a GGUF file.

    Raises:
        ModelError: not a GGUF file, an unknown version, or one that ends too early.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _read(path, _Cursor(data))
    except (OSError, ValueError, EOFError, KeyError, struct.error) as error:
        if isinstance(error, ModelError):
            raise
        if isinstance(error, FileNotFoundError):
            raise ModelError(f"GGUF file '{path}' does not exist; check the path") from error
        if isinstance(error, OSError):
            raise ModelError(f"GGUF file '{path}' cannot be read: {error.strerror}") from error
        reason = str(error) or "it ends too early"
        raise ModelError(
            f"GGUF file '{path}' is damaged ({reason}); download or copy it again"
        ) from error


def _read(path: Path, cursor: _Cursor) -> Header:
    if cursor.take(4) != MAGIC:
        raise ModelError(f"'{path}' is not a GGUF file; for a model folder use hf:{path}")
    version, tensors, entries = cursor.unpack("IQQ")
    if version not in VERSIONS:
        raise ModelError(
            f"GGUF file '{path}' has version {version}; versions "
            f"{', '.join(map(str, VERSIONS))} are known: convert it again with llama.cpp"
        )
    if tensors > MAX_ENTRIES or entries > MAX_ENTRIES:
        raise ValueError(f"{tensors} tensors and {entries} keys")
    values: dict[str, Any] = {}
    spans: dict[str, tuple[int, int]] = {}
    for _ in range(entries):
        start = cursor.at
        key = cursor.text()
        (kind,) = cursor.unpack("I")
        values[key] = cursor.value(kind)
        spans[key] = (start, cursor.at)
    tensor_start = cursor.at
    parameters = embeddings = 0
    for _ in range(tensors):
        name = cursor.text()
        (dimensions,) = cursor.unpack("I")
        if dimensions > MAX_DIMENSIONS:
            raise ValueError(f"a tensor of {dimensions} dimensions")
        shape = cursor.unpack(f"{dimensions}Q")
        cursor.unpack("IQ")
        parameters += math.prod(shape)
        embeddings += math.prod(shape) if is_embedding(name) else 0
    alignment = _alignment(values)
    data_start = -(-cursor.at // alignment) * alignment
    if tensors and data_start >= len(cursor.data):
        raise EOFError
    return Header(
        path, values, spans, parameters, embeddings, tensor_start, data_start, tensors, version
    )


def _alignment(values: Mapping[str, Any]) -> int:
    alignment = values.get("general.alignment", 32)
    if not isinstance(alignment, int) or not 1 <= alignment <= 65_536:
        raise ValueError(f"alignment {alignment!r}")
    return alignment


def write_without_vocabulary(header: Header, out: BinaryIO) -> None:
    """The same model without its tokenizer, whose size is kept as `<architecture>.vocab_size`.

    transformers reads such a file in seconds and the whole one in a minute, because it reads the
    header with the `gguf` package, twice.
    """
    size_key = f"{header.architecture}.vocab_size"
    kept = [
        span
        for key, span in header.spans.items()
        if not key.startswith(VOCABULARY_PREFIX) and key != size_key
    ]
    special = [
        span
        for key, span in header.spans.items()
        if key.startswith(VOCABULARY_PREFIX) and key.endswith("_token_id")
    ]
    size = len(header.values.get("tokenizer.ggml.tokens", ()))
    added = b""
    if size:
        name = size_key.encode()
        added = struct.pack("<Q", len(name)) + name + struct.pack("<II", 4, size)
    elif size_key in header.spans:
        kept.append(header.spans[size_key])
    with header.path.open("rb") as file:
        out.write(MAGIC)
        entries = len(kept) + len(special) + (1 if added else 0)
        out.write(struct.pack("<IQQ", header.version, header.tensors, entries))
        for start, end in kept + special:
            file.seek(start)
            out.write(file.read(end - start))
        out.write(added)
        file.seek(header.tensor_start)
        out.write(_tensor_descriptions(file, header))
        alignment = _alignment(header.values)
        out.write(b"\0" * (-out.tell() % alignment))
        file.seek(header.data_start)
        shutil.copyfileobj(file, out, 16 * 1024 * 1024)


def _tensor_descriptions(file: BinaryIO, header: Header) -> bytes:
    # Offsets in the descriptions count from the start of the data, so they stay as they are; the
    # zeros that pad them to the alignment are cut and written anew.
    file.seek(header.tensor_start)
    raw = file.read(header.data_start - header.tensor_start)
    at = 0
    for _ in range(header.tensors):
        (name,) = struct.unpack_from("<Q", raw, at)
        (dimensions,) = struct.unpack_from("<I", raw, at + 8 + name)
        at += 8 + name + 4 + 8 * dimensions + 4 + 8
    return raw[:at]


def load_gguf(path: Path, dtype: torch.dtype, scratch: Path) -> PreTrainedModel:
    """The model in a GGUF file, dequantised, on the CPU, in evaluation mode.

    `scratch` holds a copy of the weights while they are read.

    Raises:
        ModelError: a damaged file, an architecture that transformers cannot read, or weights that
            the file lacks: transformers would fill those with random numbers.
        InfrastructureError: no room for the copy.
    """
    import transformers
    from transformers import AutoModelForCausalLM, modeling_gguf_pytorch_utils
    from transformers.utils import logging

    header = read_header(path)
    # Releases that can compute on packed blocks do so where a kernel is installed: other numbers, and nothing to fine-tune.
    packing = getattr(transformers, "GgufConfig", None)
    unpacked = {} if packing is None else {"quantization_config": packing(dequantize=True)}
    logging.disable_progress_bar()
    silenced = modeling_gguf_pytorch_utils.tqdm  # obeys no setting, and would draw over our own bar
    modeling_gguf_pytorch_utils.tqdm = partial(silenced, disable=True)
    try:
        scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=scratch, prefix="gguf-") as folder:
            with (Path(folder) / "model.gguf").open("wb") as out:
                write_without_vocabulary(header, out)
            model, report = AutoModelForCausalLM.from_pretrained(
                folder, gguf_file="model.gguf", dtype=dtype, output_loading_info=True, **unpacked
            )
    except OSError as error:
        if error.errno is not None:
            raise InfrastructureError(
                f"cannot unpack '{path}' into '{scratch}': {error.strerror}; make room there or "
                "set ROBUST_EVAL_CACHE to another disk"
            ) from error
        raise ModelError(f"GGUF file '{path}' cannot be loaded: {error}") from error
    except (ValueError, KeyError, IndexError, RuntimeError, NotImplementedError) as error:
        raise ModelError(
            f"GGUF file '{path}' (architecture '{header.architecture}') cannot be loaded: "
            f"{str(error).splitlines()[0] if str(error) else type(error).__name__}; use the "
            "model's safetensors with hf:, or serve it with llama.cpp"
        ) from error
    finally:
        modeling_gguf_pytorch_utils.tqdm = silenced
        logging.enable_progress_bar()
    missing = sorted(name for name in report.get("missing_keys", ()) if name != "lm_head.weight")
    if missing or report.get("mismatched_keys"):
        raise ModelError(
            f"GGUF file '{path}' lacks weights of its architecture '{header.architecture}' "
            f"({', '.join(missing[:3])}); it cannot be used"
        )
    loaded: PreTrainedModel = model.eval()
    return loaded
