"""The grammar of model names."""

from __future__ import annotations

import importlib.util

import pytest

from robust_eval.errors import ModelError
from robust_eval.models import LOADERS, default_baseline
from robust_eval.models.specs import DEMO_MODELS, PROVIDERS, parse_spec


@pytest.mark.parametrize(
    ("text", "role", "provider", "name"),
    [
        ("hf:Qwen/Qwen3-8B", "model", "hf", "Qwen/Qwen3-8B"),
        ("hf:./folder:with:colons", "model", "hf", "./folder:with:colons"),
        ("gguf:a b.gguf", "model", "gguf", "a b.gguf"),
        ("demo:gemma-3-270m", "model", "demo", "gemma-3-270m"),
        ("demo:minilm", "baseline", "demo", "minilm"),
        ("roberta-base", "baseline", "ft", "roberta-base"),
        ("./my encoder", "baseline", "ft", "./my encoder"),
        ("C:/encoders/mine", "baseline", "ft", "C:/encoders/mine"),
        ("ft:roberta-base", "model", "ft", "roberta-base"),
        ("bow", "baseline", "bow", ""),
        ("python:my.module:predict", "model", "python", "my.module:predict"),
        ("scripted:noisy?accuracy=0.8", "model", "scripted", "noisy?accuracy=0.8"),
    ],
)
def test_a_spec_means_a_provider_and_a_name(text: str, role: str, provider: str, name: str) -> None:
    parsed = parse_spec(text, role)  # type: ignore[arg-type]
    assert (parsed.text, parsed.provider, parsed.name) == (text, provider, name)


@pytest.mark.parametrize(
    ("text", "role", "says"),
    [
        ("roberta-base", "model", "write hf:roberta-base"),
        ("gemma-3-270m", "model", "did you mean 'demo:gemma-3-270m'"),
        ("hff:x", "model", "did you mean 'hf'"),
        ("pyton:a:b", "model", "did you mean 'python'"),
        ("demo:gemma", "model", "gemma-3-270m"),
        ("demo:minilm2", "baseline", "did you mean 'minilm'"),
        ("lora:demo:minilm", "baseline", "is no local language model"),
        ("full:openai:x", "baseline", "is no local language model"),
        ("bow:x", "baseline", "write bow"),
        ("hf:", "model", "names no model"),
        ("  ", "model", "empty --model"),
        ("hf:a\nb", "model", "control characters"),
        ("hf:" + "x" * 5000, "model", "too long"),
    ],
)
def test_a_wrong_spec_says_the_remedy(text: str, role: str, says: str) -> None:
    with pytest.raises(ModelError) as caught:
        parse_spec(text, role)  # type: ignore[arg-type]
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_provider_and_demo_model_has_a_loader_that_exists() -> None:
    named = {*(p for p in PROVIDERS if p != "demo"), *(f"demo:{d}" for d in DEMO_MODELS)}
    assert named == set(LOADERS)
    for module in set(LOADERS.values()):
        assert importlib.util.find_spec(module) is not None, module


@pytest.mark.parametrize(
    ("models", "baseline"),
    [
        (["demo:gemma-3-270m"], "demo:minilm"),
        (["demo:gemma-3-270m", "hf:x"], "roberta-base"),
        (["python:a:b"], "roberta-base"),
        ([], "roberta-base"),
    ],
)
def test_the_default_baseline_is_small_for_demos_only(models: list[str], baseline: str) -> None:
    assert default_baseline(models) == baseline
