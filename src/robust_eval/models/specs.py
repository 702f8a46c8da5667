"""The one grammar that names a model: `provider:name`, or a bare encoder id for a baseline."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from robust_eval.errors import ModelError, did_you_mean

Role = Literal["model", "baseline"]

PROVIDERS: dict[str, str] = {
    "hf": "hf:ID-OR-PATH, a local causal language model, prompted",
    "gguf": "gguf:FILE, a local quantised language model, prompted",
    "openai": "openai:MODEL, any OpenAI-compatible server: with --base-url, key from the environment",
    "litellm": "litellm:PROVIDER/MODEL, other providers through the litellm package",
    "demo": "demo:gemma-3-270m, demo:smollm2-135m, demo:minilm or demo:roberta-mini, weights that arrive as packages",
    "ft": "ft:ID-OR-PATH, an encoder that is fine-tuned here",
    "lora": "lora:CAUSAL, a local language model (hf:, gguf:, demo: or an id), fine-tuned with LoRA",
    "full": "full:CAUSAL, the same with all its weights fine-tuned",
    "bow": "bow, TF-IDF and logistic regression: the floor",
    "python": "python:MODULE:CALLABLE, your own function",
    "scripted": "scripted:KIND, a deterministic fake for tests and documentation",
}
CAUSAL_DEMOS = ("gemma-3-270m", "smollm2-135m")
DEMO_MODELS = (*CAUSAL_DEMOS, "minilm", "roberta-mini")

_PROVIDER = re.compile(r"[A-Za-z][A-Za-z0-9_-]+\Z")  # one letter is a Windows drive
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
MAX_LENGTH = 4096  # characters: longer than any path that a system takes


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """`text` is what the user wrote; `provider` and `name` are what it means."""

    text: str
    provider: str
    name: str


def parse_spec(text: str, role: Role) -> ModelSpec:
    """The provider and name that a `--model` or `--baseline` value means.

    A bare id or path is an encoder to fine-tune (`ft:`) as baseline, and refused as model: whether
    it should be prompted or fine-tuned is not ours to guess. Raises ModelError with the remedy.
    """
    if not text.strip():
        raise ModelError(f"empty --{role}; give one, for instance {_example(role)}")
    if len(text) > MAX_LENGTH or _CONTROL.search(text):
        raise ModelError(
            f"--{role} {text[:60]!r} is too long or holds control characters; give {_example(role)}"
        )
    head, colon, name = text.partition(":")
    if text == "bow":
        return ModelSpec(text, "bow", "")
    if not colon or not _PROVIDER.match(head):
        return _bare(text, role)
    if head not in PROVIDERS:
        raise ModelError(f"unknown provider {head!r} in {text!r}{did_you_mean(head, PROVIDERS)}")
    if head == "bow":
        raise ModelError(f"{text!r}: bow takes no name; write bow")
    if not name.strip():
        raise ModelError(f"{text!r} names no model; write {PROVIDERS[head]}")
    if head in ("lora", "full"):
        _check_causal(text, name)
    if head == "demo" and name not in DEMO_MODELS:
        raise ModelError(f"unknown demo model {name!r}{did_you_mean(name, DEMO_MODELS)}")
    return ModelSpec(text, head, name)


def _check_causal(text: str, inner: str) -> None:
    """Raises ModelError unless the inner spec can be a local language model."""
    provider, colon, name = inner.partition(":")
    if not colon or not _PROVIDER.match(provider) or provider in ("hf", "gguf"):
        return
    if provider == "demo" and name in CAUSAL_DEMOS:
        return
    raise ModelError(
        f"{text!r}: {inner!r} is no local language model; write hf:ID-OR-PATH, gguf:FILE or "
        f"demo:{CAUSAL_DEMOS[0]} behind it, or {inner!r} by itself"
    )


def _bare(text: str, role: Role) -> ModelSpec:
    if role == "baseline":
        return ModelSpec(text, "ft", text)
    bare_known = {**{f"demo:{name}": "" for name in DEMO_MODELS}, "bow": "", **PROVIDERS}
    hint = did_you_mean(text, bare_known) if len(text) < 40 else ""
    if not hint.startswith("; did you mean"):
        hint = ""
    elsewhere = next((f"demo:{name}" for name in DEMO_MODELS if text == name), None)
    if elsewhere:
        hint = f"; did you mean {elsewhere!r}?"
    raise ModelError(
        f"--model {text!r} has no provider; write hf:{text} to prompt it, "
        f"or ft:{text} to fine-tune it{hint}"
    )


def _example(role: Role) -> str:
    return "demo:gemma-3-270m" if role == "model" else "roberta-base or demo:minilm"
