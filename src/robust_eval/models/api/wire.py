"""What is sent and what comes back, in the two dialects: chat and completions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from robust_eval.models.api.faults import NotOffered, Transient

CHAT, COMPLETIONS = "/chat/completions", "/completions"
MOST_TOKENS = 10**9  # a larger usage was not counted but made up

Alternatives = tuple[tuple[bytes, float], ...]
"""The likeliest tokens of one position with their log-probabilities, likeliest first."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One written answer. `positions` is None when the server gave no log-probabilities."""

    text: str
    finished: bool  # ended by itself, not by the limit
    filtered: bool  # the provider or the model declined
    positions: tuple[Alternatives, ...] | None


def replies(body: Mapping[str, Any]) -> list[Reply]:
    """The answers in a reply's choices, in order of their index; raises Transient for a broken one."""
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices:
        raise Transient("the reply has no choices")
    if not all(isinstance(choice, dict) for choice in choices):
        raise Transient("the reply's choices are no objects")
    places = [choice.get("index", place) for place, choice in enumerate(choices)]
    if sorted(map(repr, places)) == sorted(map(repr, range(len(choices)))):
        choices = [choices[places.index(place)] for place in range(len(choices))]
    return [_reply(choice) for choice in choices]


def _reply(choice: Mapping[str, Any]) -> Reply:
    message = choice.get("message")
    refused = False
    if isinstance(message, dict):
        text = message.get("content")
        refused = isinstance(message.get("refusal"), str) and bool(message["refusal"])
        if text is None and (
            refused or choice.get("finish_reason") in ("content_filter", "length")
        ):
            text = message["refusal"] if refused else ""
    else:
        text = choice.get("text")
    if not isinstance(text, str):
        raise Transient("the reply has a choice without text")
    finish = choice.get("finish_reason")
    return Reply(
        text=text.encode("utf-8", "replace").decode("utf-8"),
        finished=finish != "length",
        filtered=refused or finish == "content_filter",
        positions=_positions(choice.get("logprobs")),
    )


def _positions(logprobs: Any) -> tuple[Alternatives, ...] | None:
    if not isinstance(logprobs, dict):
        return None
    content = logprobs.get("content")
    if isinstance(content, list):  # as chat gives them; llama.cpp on both endpoints
        return tuple(
            _alternatives(
                [*_listed(position.get("top_logprobs")), position]
                if isinstance(position, dict)
                else []
            )
            for position in content
        )
    tops = logprobs.get("top_logprobs")
    if isinstance(tops, list):  # as completions give them
        return tuple(
            _alternatives(
                [{"token": token, "logprob": value} for token, value in top.items()]
                if isinstance(top, dict)
                else []
            )
            for top in tops
        )
    return None


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _alternatives(rows: list[Any]) -> Alternatives:
    found: dict[bytes, float] = {}
    for row in rows:
        if not isinstance(row, dict):
            continue
        token, logprob = _token(row), number(row.get("logprob"))
        if token is not None and logprob is not None:
            found.setdefault(token, logprob)
    return tuple(sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))


def _token(row: Mapping[str, Any]) -> bytes | None:
    given, text = row.get("bytes"), row.get("token")
    if isinstance(given, list) and all(isinstance(b, int) and 0 <= b < 256 for b in given):
        return bytes(given)
    return text.encode("utf-8", "replace") if isinstance(text, str) else None


def number(value: Any) -> float | None:
    """A log-probability as servers give it: a number, at most 0 but for rounding; else None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if math.isnan(value) or value > 1e-3:
        return None
    return min(float(value), 0.0)


def usage(body: Mapping[str, Any]) -> tuple[int, int] | None:
    """(prompt, completion) tokens that the reply states; None when it does not, or not credibly."""
    stated = body.get("usage")
    if not isinstance(stated, dict):
        return None
    counts = (stated.get("prompt_tokens"), stated.get("completion_tokens", 0))
    for count in counts:
        if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count <= MOST_TOKENS:
            return None
    return counts  # type: ignore[return-value]


def echoed(body: Mapping[str, Any], wholes: list[str], start: int) -> list[tuple[float, int]]:
    """For each prompt that was echoed: the log-likelihood of what stands after character `start`, and
    of how many tokens it is.

    If a tokenizer has joined the characters before and after `start` for one text, all texts are
    counted from before that token, so that they stay comparable. Raises NotOffered when the server
    has not echoed them with log-probabilities, Transient for a broken reply.
    """
    if len(replies(body)) != len(wholes):
        raise NotOffered("no echo of every prompt")
    choices = body["choices"]
    rows: list[tuple[list[int], list[float | None]]] = []
    for place, whole in enumerate(wholes):
        choice = next(
            (c for c in choices if isinstance(c, dict) and c.get("index", place) == place), {}
        )
        given = choice.get("logprobs")
        text = choice.get("text")
        if not isinstance(text, str) or not text.startswith(whole) or not isinstance(given, dict):
            raise NotOffered("no echo with log-probabilities")
        offsets, values = given.get("text_offset"), given.get("token_logprobs")
        if (
            not isinstance(offsets, list)
            or not isinstance(values, list)
            or len(offsets) != len(values)
            or not all(isinstance(offset, int) for offset in offsets)
            or offsets != sorted(offsets)
        ):
            raise NotOffered("an echo without token offsets")
        inside = sum(offset < len(whole) for offset in offsets)
        rows.append((offsets[:inside], [number(value) for value in values[:inside]]))
    # The token that holds character `start` begins at the last offset that is not after it.
    cut = min(max((o for o in offsets if o <= start), default=0) for offsets, _ in rows)
    sums = []
    for offsets, values in rows:
        part = [value for o, value in zip(offsets, values, strict=True) if o >= cut]
        if not part or any(value is None for value in part):
            raise NotOffered("an echo with gaps in its log-probabilities")
        sums.append((math.fsum(value for value in part if value is not None), len(part)))
    return sums
