"""Greedy continuation of prompts, and what an answer is read from it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from robust_eval.models.prefix import Network, Prefix
from robust_eval.models.tokens import Ids, Tokens
from robust_eval.records import Status

if TYPE_CHECKING:
    import torch

_NUMBER = re.compile(r"[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|[-+]?\.\d+")
_REFUSAL = re.compile(
    r"\b(?:i (?:cannot|can't|can not|won't|will not|am unable|am not able)|i'm (?:unable|not able)"
    r"|as an ai\b|i(?: a|')m sorry|i must decline)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Continuation:
    text: str  # up to the first line break that follows some text
    finished: bool  # a line break or end-of-text came before the limit


def continue_greedily(
    network: Network,
    tokens: Tokens,
    prefix: Ids,
    rows: Sequence[Ids],
    *,
    limit: int,
    stops: frozenset[int],
) -> list[Continuation]:
    """The likeliest next token, again and again, for rows of one length; same order.

    Of one length, because padding between a row and its continuation would shift what sliding
    windows see. Ends at the first line break after text, at a token in `stops`, or at `limit`.
    """
    past = network.prefix(prefix)
    done = past.length if past else 0
    length = len(rows[0])
    if any(len(row) != length for row in rows):
        raise ValueError("rows that are continued together must be of one length")
    written: list[list[int]] = [[] for _ in rows]
    ended = [False] * len(rows)
    step = [row[done:] for row in rows]
    for _ in range(limit):
        at = [(i, len(row) - 1) for i, row in enumerate(step)]
        logits, cache = network.forward(step, past, at)
        chosen = _first_best(logits)
        for i, token in enumerate(chosen):
            if ended[i]:
                continue
            if token in stops:
                ended[i] = True
            else:
                written[i].append(token)
                ended[i] = _line_over(tokens.decode(written[i]))
        if all(ended):
            break
        if network.reuses_prefix:
            past = Prefix((past.length if past else 0) + len(step[0]), cache)
            step = [(token,) for token in chosen]
        else:
            step = [(*row, token) for row, token in zip(step, chosen, strict=True)]
    return [
        Continuation(_first_line(tokens.decode(ids)), over)
        for ids, over in zip(written, ended, strict=True)
    ]


def _first_best(logits: torch.Tensor) -> list[int]:
    # argmax leaves open which of equal values it names; the first is taken, everywhere.
    best = logits.max(dim=-1, keepdim=True).values
    return [int(token) for token in (logits == best).float().argmax(dim=-1)]


def _line_over(text: str) -> bool:
    return "\n" in text.lstrip()


def _first_line(text: str) -> str:
    return text.strip().split("\n", 1)[0].strip()


# --- reading answers -------------------------------------------------------------------------------


def parse_label(text: str, words: Sequence[tuple[str, str]]) -> str | None:
    """The label whose words the text gives: exactly, else at its start, else anywhere if only one.

    Case and surrounding punctuation do not matter. Where labels contain each other the longest one
    at a place wins: "not positive" is not "positive". Two different labels in a sentence are none.
    """
    folded = _fold(text)
    by_words = {_fold(word): label for label, word in words}
    if folded in by_words:
        return by_words[folded]
    alternatives = sorted((word for word in by_words if word), key=lambda w: (-len(w), w))
    if not alternatives:
        return None
    pattern = re.compile(
        r"(?<!\w)(?:" + "|".join(re.escape(word) for word in alternatives) + r")(?!\w)"
    )
    found = [match.group() for match in pattern.finditer(folded)]
    start = pattern.match(folded)
    if start is not None and len(set(found)) == 1:
        return by_words[start.group()]
    if len(set(found)) == 1 and not re.search(
        r"(?:(?<!\w)(?:not|never|no|neither|hardly)|n['’]t)(?!\w)[^.;]{0,20}?(?<!\w)"
        + re.escape(found[0]),
        folded,
    ):
        return by_words[found[0]]
    return None


def _fold(text: str) -> str:
    return " ".join(text.casefold().split()).strip(" .,:;!?\"'`*()[]{}<>")


def parse_number(text: str) -> str | None:
    """The last number of the text, without thousands separators and trailing zeros; else None."""
    marked = text.rsplit("####", 1)[-1]
    found = _NUMBER.findall(marked) or _NUMBER.findall(text)
    if not found:
        return None
    number = found[-1].replace(",", "").lstrip("+")
    if "." in number:
        number = number.rstrip("0").rstrip(".")
    return number if number not in ("", "-", "-0") else "0"


def is_refusal(text: str) -> bool:
    """Whether the text declines to answer, by its usual openings."""
    return bool(_REFUSAL.search(text[:200]))


def status_without_answer(text: str, *, finished: bool) -> Status:
    """Why no answer could be read."""
    if is_refusal(text):
        return Status.REFUSED
    return Status.UNPARSED if finished else Status.TRUNCATED
