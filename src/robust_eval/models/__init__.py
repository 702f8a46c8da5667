"""Models behind one seam: `load_model` names one, `predict.predict` asks it through the cache."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import cast

from robust_eval.models.context import ModelContext
from robust_eval.models.specs import Role, parse_spec
from robust_eval.records import Model

__all__ = ["LOADERS", "default_baseline", "load_model"]

# What loads which provider: `load(spec, role, context) -> Model` of that module, imported when asked for.
LOADERS: dict[str, str] = {
    "hf": "robust_eval.models.causal",
    "gguf": "robust_eval.models.causal",
    "openai": "robust_eval.models.api.model",
    "litellm": "robust_eval.models.api.litellm_channel",
    "demo:gemma-3-270m": "robust_eval.models.causal",
    "demo:smollm2-135m": "robust_eval.models.causal",
    "demo:minilm": "robust_eval.models.encoder",
    "demo:roberta-mini": "robust_eval.models.encoder",
    "ft": "robust_eval.models.encoder",
    "lora": "robust_eval.models.adapted",
    "full": "robust_eval.models.adapted",
    "bow": "robust_eval.models.bow",
    "python": "robust_eval.models.function",
    "scripted": "robust_eval.models.scripted",
}


def load_model(spec: str, role: Role, context: ModelContext) -> Model:
    """The model that a spec names; cheap: weights are read, and baselines trained, when first asked.

    Raises ModelError when the spec cannot be resolved; nothing is ever substituted.
    """
    parsed = parse_spec(spec, role)
    key = spec if parsed.provider == "demo" else parsed.provider
    module = importlib.import_module(LOADERS[key])
    return cast(Model, module.load(spec, role, context))


def default_baseline(models: Sequence[str]) -> str:
    """`demo:minilm` when every model is an embedded demo, else `roberta-base`."""
    demo = bool(models) and all(spec.startswith("demo:") for spec in models)
    return "demo:minilm" if demo else "roberta-base"
