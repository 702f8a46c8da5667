"""Texts cut until the prompt that holds them fits the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from robust_eval.errors import ModelError

MAX_CHARS_PER_TOKEN = 64  # texts are cut to this before tokenising: a 5 MB text is not 5 MB of work


def fitted(
    inputs: Mapping[str, str], room: int, length: Callable[[Mapping[str, str]], int]
) -> tuple[dict[str, str], bool]:
    """The texts, the longest one cut at its end until the prompt has `room`, and whether any was cut.

    `length` counts the tokens of the prompt with given texts. The end of the prompt always stays whole.

    Raises:
        ModelError: the prompt is too long even without the texts.
    """
    budget = max(1, room) * MAX_CHARS_PER_TOKEN
    texts = {field: text[:budget] for field, text in inputs.items()}
    cut = any(len(text) > budget for text in inputs.values())
    if length(texts) <= room:
        return texts, cut
    for field in sorted(texts, key=lambda name: (-len(texts[name]), name)):
        text = texts[field]
        texts[field] = ""
        if length(texts) > room:
            continue
        low, high = 0, len(text)  # the longest beginning that fits lies in [low, high)
        while high - low > 1:
            middle = (low + high) // 2
            texts[field] = text[:middle]
            low, high = (middle, high) if length(texts) <= room else (low, middle)
        texts[field] = text[:low]
        return texts, True
    raise ModelError(
        f"the prompt alone has {length(texts)} tokens and the model takes {room}; use "
        "fewer --shots or shorter demonstrations"
    )
