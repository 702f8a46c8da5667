"""What the report says about a prompted local model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from robust_eval.models.causal import CausalModel


SOURCES = {
    "id": "in-distribution training pool",
    "target": "in-distribution training pool; for natural shifts, examples held out of their own domain",
}


def details_of(model: CausalModel) -> dict[str, Any]:
    """JSON-able facts: prompt, weights, scoring, decoding, licence."""
    settings = model.context.prompt
    details: dict[str, Any] = {
        "prompt": _preview(model),
        "chat_template": "the model's own" if model.chat else "none",
        "template": f"{model.prompt.template.name}, version {model.prompt.template.version}",
        "selection": settings.select if settings.shots else "none",
        "shots": settings.shots,
        "prompt_source": SOURCES[settings.prompt_source] if settings.shots else "none",
        "demonstrations": [shown.id for shown in model.prompt.demonstrations]
        if not model.prompt.nearest
        else f"the nearest of {len(model.prompt.demonstrations)} in the pool, for each example",
        "label_words": dict(model.prompt.words),
        "scoring": "generation and parsing" if model.generates else "label log-likelihood",
        "length_normalised": settings.length_normalised and not model.generates,
        "calibrated": settings.calibrate and not model.generates,
        "dtype": model.placement.dtype,
        "device": model.placement.kind,
        "max_prompt_tokens": model.limit,
        "weights": model.weights.kind,
        "embedding_weights": model.weights.embeddings,
        "weights_sha256": model.weights.sha256,
    }
    if model.generates:
        details["max_new_tokens"] = model.new_tokens
        details["prompting"] = settings.prompting
        details["decoding"] = (
            f"drawn at temperature {model.temperature:g}" if model.temperature else "greedy"
        )
        if settings.samples > 1:
            details["samples"] = settings.samples
            details["vote"] = settings.vote
    if model.weights.revision:
        details["revision"] = model.weights.revision
    if model.licence:
        details["licence"] = model.licence
    if model.loaded.notes:
        details["notes"] = list(model.loaded.notes)
    return details


def _preview(model: CausalModel) -> str:
    fields = model.context.task.fields
    if not model.chat:
        return model.prompt.preview(fields)
    pieces = model.chat.pieces(model.prompt, {field: f"{{{field}}}" for field in fields})
    return "".join(text for text, _ in pieces)
