"""Which files a prompted model's spec means, and what is known of them without loading any."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from robust_eval.errors import ModelError
from robust_eval.models import demo
from robust_eval.models.gguf_file import read_header
from robust_eval.models.weights import (
    EncoderFiles,
    hub_name,
    read_json,
    require_own_shards,
    sha256_of,
)
from robust_eval.rng import hexdigest

HUB_FILES = ("*.safetensors", "*.json", "tokenizer*", "LICENSE*", "*.model", "*.txt")
WINDOW_KEYS = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "n_ctx")


@dataclass(frozen=True, slots=True)
class CausalFiles:
    """A model on disk. `sha256` covers every weight file; `setup` config and tokenizer."""

    kind: Literal["safetensors", "gguf"]
    path: Path  # the folder, or the GGUF file
    sha256: str
    setup: str
    parameters: int
    embeddings: int  # of the parameters
    context_length: int | None
    revision: str | None = None


def local_files(spec: str, cache_dir: Path, *, offline: bool) -> CausalFiles:
    """What `hf:ID-OR-FOLDER`, `gguf:FILE` or `demo:NAME` means; raises ModelError for anything else."""
    provider, _, name = spec.partition(":")
    if provider == "gguf":
        return gguf_files(Path(name).expanduser(), cache_dir)
    if provider == "hf":
        return hf_files(name, cache_dir, offline=offline)
    if provider != "demo":
        raise ModelError(f"'{spec}' names no local language model; use hf:, gguf: or demo:")
    files = gguf_files(demo.demo_file(name, cache_dir), cache_dir)
    if files.sha256 != demo.demo(name).sha256:
        raise ModelError(
            f"'{files.path}' is not the file that demo:{name} means; delete it, it is made "
            "again from the package"
        )
    return files


def gguf_files(path: Path, cache_dir: Path) -> CausalFiles:
    """A GGUF file; raises ModelError when it is missing or damaged."""
    header = read_header(path)
    return CausalFiles(
        kind="gguf",
        path=path,
        sha256=sha256_of([path], cache_dir)[path],
        setup="",
        parameters=header.parameters,
        embeddings=header.embeddings,
        context_length=header.context_length,
    )


def hf_files(name: str, cache_dir: Path, *, offline: bool) -> CausalFiles:
    """A local folder, or `id[@revision]` on the Hub, fetched when not yet here.

    Raises:
        ModelError: no such model, no safetensors, or a model that needs code of its own.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder_files(folder, cache_dir)
    if folder.is_file():
        hint = f"gguf:{name}" if folder.suffix == ".gguf" else "the folder it lies in"
        raise ModelError(f"'{name}' is a file, not a model folder; use {hint}")
    repository = name.partition("@")[0]
    if name.startswith((".", "/", "~")) or repository.count("/") > 1 or "\\" in name:
        raise ModelError(f"model folder '{name}' does not exist; check the path")
    folder = _snapshot(*hub_name(name), offline=offline)
    return folder_files(folder, cache_dir, revision=folder.name)


def folder_files(folder: Path, cache_dir: Path, *, revision: str | None = None) -> CausalFiles:
    """A folder of safetensors with its config.json."""
    if not (folder / "config.json").is_file():
        raise ModelError(f"'{folder}' has no config.json; is it a model folder?")
    config = read_json(folder / "config.json")
    shards = sorted(folder.glob("*.safetensors"))
    if not shards:
        raise ModelError(
            f"'{folder}' has no .safetensors file; pickled weights (.bin, .pt) are never loaded: "
            "convert them with save_pretrained(safe_serialization=True)"
        )
    _refuse_own_code(config, folder)
    require_own_shards(folder)
    setup = [
        path
        for path in sorted(folder.iterdir())
        if path.name in ("config.json", "generation_config.json", "added_tokens.json")
        or path.name.startswith("tokenizer")
        or path.suffix in (".model", ".txt")
    ]
    hashes = sha256_of([*shards, *(path for path in setup if path.is_file())], cache_dir)
    weights = [hashes[path] for path in shards]
    return CausalFiles(
        kind="safetensors",
        path=folder,
        sha256=weights[0] if len(weights) == 1 else hexdigest(*weights, size=32),
        setup=hexdigest(*(f"{path.name}={hashes[path]}" for path in setup if path in hashes)),
        parameters=EncoderFiles(folder, "folder").parameters(),
        embeddings=EncoderFiles(folder, "folder").embeddings(),
        context_length=_window(config),
        revision=revision,
    )


def _refuse_own_code(config: dict[str, Any], folder: Path) -> None:
    if not config.get("auto_map"):
        return
    from transformers import CONFIG_MAPPING

    if config.get("model_type") not in CONFIG_MAPPING:
        raise ModelError(
            f"'{folder}' needs Python code that comes with the model, which is never run; serve it "
            "elsewhere, or use a model that transformers has built in"
        )


def _window(config: dict[str, Any]) -> int | None:
    for table in (config, config.get("text_config")):
        if isinstance(table, dict):
            for key in WINDOW_KEYS:
                if isinstance(length := table.get(key), int) and length > 0:
                    return length
    return None


def _snapshot(name: str, revision: str | None, *, offline: bool) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    shown = f"{name}@{revision}" if revision else name
    remedy = "give a local folder (hf:./folder), or demo:gemma-3-270m"
    try:
        return Path(
            snapshot_download(
                name,
                revision=revision,
                allow_patterns=list(HUB_FILES),
                local_files_only=offline,
            )
        )
    except HFValidationError as error:
        raise ModelError(f"'{shown}' is neither a folder nor a model id; {remedy}") from error
    except GatedRepoError as error:
        raise ModelError(
            f"model '{shown}' asks for its licence to be accepted on the Hub: accept it there and "
            "log in with 'hf auth login'"
        ) from error
    except RevisionNotFoundError as error:
        raise ModelError(f"model '{name}' has no revision '{revision}'; check it") from error
    except LocalEntryNotFoundError as error:
        why = "offline mode is on" if offline else "the Hub cannot be reached"
        raise ModelError(f"model '{shown}' is not on this machine and {why}; {remedy}") from error
    except RepositoryNotFoundError as error:
        raise ModelError(f"the Hub has no model '{shown}'; check the name or {remedy}") from error
    except Exception as error:  # every transport under the Hub client has errors of its own
        raise ModelError(f"cannot get model '{shown}': {error!s:.200}; {remedy}") from error
