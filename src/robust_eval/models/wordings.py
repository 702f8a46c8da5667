"""A prompt's wording as texts that may be replaced: what an attack on the instruction changes.

A replacement is written `wording:{"instruction": "..."}`, as `ShiftedSet.prompt_edit` holds it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from robust_eval.errors import ModelError, RecipeError
from robust_eval.models.prompt import Prompt
from robust_eval.models.templates import split_fields
from robust_eval.records import Model, Prompted

PREFIX: Final = "wording:"
PARTS: Final = ("instruction", "example")
FIELD: Final = r"\{[^{}]*\}"  # a field of a template, which stays as it is


def wording(prompt: Prompt) -> tuple[str, str]:
    """(part, text) of what asks the question: the instruction, or without one the words around each text."""
    template = prompt.template
    if template.instruction.strip():
        return "instruction", template.instruction
    return "example", template.example


def prompt_of(model: Model) -> Prompt | None:
    """The prompt of a model whose wording can be replaced; None for every other model."""
    found = getattr(model, "prompt", None) if isinstance(model, Prompted) else None
    return found if isinstance(found, Prompt) else None


def kept_fields(before: str, after: str) -> bool:
    """Whether the same fields stand in the same order in both texts, the answer still at the end."""
    try:
        old, new = split_fields(before, "before"), split_fields(after, "after")
    except ModelError:
        return False
    fields = [field for _, field in old if field is not None]
    closed = bool(old) and bool(new) and (old[-1][1] is None or new[-1][1] is not None)
    return closed and fields == [field for _, field in new if field is not None]


def protected_words(prompt: Prompt) -> tuple[str, ...]:
    """Patterns of what an edit of the wording must leave alone: fields, and the words of the labels."""
    return (FIELD, *(rf"\b{re.escape(words)}\b" for _, words in prompt.words))


def wording_edit(part: str, text: str) -> str:
    """The edit that puts this text in the place of a prompt's own."""
    return PREFIX + json.dumps({part: text}, ensure_ascii=False)


def reworded(prompt: Prompt, edit: str) -> Prompt | str:
    """The prompt with the texts of a wording edit; or, in words, why they do not fit it.

    Raises RecipeError for an edit that is none.
    """
    try:
        texts = json.loads(edit.removeprefix(PREFIX))
    except (ValueError, RecursionError) as error:
        raise RecipeError(f"{edit[:80]!r} is no wording of a prompt: {error}") from error
    if not isinstance(texts, Mapping) or not texts or not set(texts) <= set(PARTS):
        raise RecipeError(f"{edit[:80]!r} is no wording of a prompt; its parts are {PARTS}")
    for part, text in texts.items():
        own = getattr(prompt.template, part)
        if not isinstance(text, str) or not own.strip() or not kept_fields(own, text):
            return f"its {part} has other fields"
    return replace(prompt, template=replace(prompt.template, **texts))
