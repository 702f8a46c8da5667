"""Label log-likelihoods from what a server shows of its distribution.

Completions: the sum over the label's tokens, from an echo of prompt and label where the server gives
one, else by walking along the label token by token. Chat: the share of the answers' first tokens.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence

from robust_eval.models.api.wire import Alternatives

MOST_STEPS = 12  # tokens of one label that are asked for; a longer one is bounded from there on
_BLANK = " \t\r\n\"'`*_#>-:.([{“‘«▁Ġ"  # may stand before an answer: quotes, emphasis, a list's dash
_AMBIGUOUS = 0.01  # share that may stay undecided between two labels

NextTokens = Callable[[str], Awaitable[Alternatives]]
"""The likeliest tokens after a text that continues the prompt."""


async def walk(answers: Sequence[str], following: NextTokens) -> list[tuple[float, int]] | None:
    """For each answer: its log-likelihood after the prompt, and of how many tokens it is.

    The longest token that an answer begins with is taken at every step, as tokenizers do. Answers
    that share tokens share the requests for them. A token that is not among those shown counts with
    the most that it can have, which is at most that of the last one shown; that goes for a longer
    token too where only a shorter beginning is shown (" n" of " negative"), if it is more than the
    shorter one leads to. None when no answer's first token is shown: then nothing is known about them.
    """
    shown: dict[bytes, Alternatives] = {}

    async def at(path: bytes) -> Alternatives:
        if path not in shown:
            shown[path] = await following(path.decode("utf-8"))
        return shown[path]

    found: list[tuple[float, int]] = []
    seen = False
    for answer in answers:
        rest, path, total, count = answer.encode(), b"", 0.0, 0
        hidden = (-math.inf, 1)  # the most that a spelling with a token not shown can have
        while rest and count < MOST_STEPS:
            alternatives = await at(path)
            fitting = [(t, value) for t, value in alternatives if t and rest.startswith(t)]
            if not fitting:
                total, count = total + unseen(alternatives), count + 1
                break
            token, value = max(fitting, key=lambda pair: len(pair[0]))
            seen = True
            if token != rest:
                hidden = max(hidden, (total + unseen(alternatives), count + 1))
            total, count = total + value, count + 1
            path, rest = path + token, rest[len(token) :]
            if not _whole(path):
                break  # inside a character: no text can continue from here
        found.append(max((total, count), hidden))
    return found if seen else None


def unseen(alternatives: Alternatives) -> float:
    """The most that the log-probability of a token can be which is not among those shown."""
    if not alternatives:
        return 0.0
    left = 1.0 - math.fsum(math.exp(value) for _, value in alternatives)
    return min(alternatives[-1][1], math.log(max(left, 1e-12)))


def _whole(path: bytes) -> bool:
    try:
        path.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def opening(
    words: Sequence[str], positions: Sequence[Alternatives], written: Sequence[bytes]
) -> list[float] | None:
    """Each label's log-likelihood as the opening of a chat answer; None when it opens otherwise.

    Follows the written answer: blanks and quotes first, then tokens that several labels begin with, up
    to the token where the labels part. All spellings of a label that differ in case count for it. A
    label that is not shown there counts with the most that it can have.
    """
    folded = [" ".join(word.casefold().split()) for word in words]
    rest = dict(enumerate(folded))
    scores: dict[int, float] = {}
    before = 0.0  # log-probability of the written tokens so far
    inside = False
    for alternatives, token in zip(positions, written, strict=False):
        table = dict(alternatives)
        shares: dict[int, float] = {}
        undecided = 0.0
        chosen: list[int] = []
        for other, value in alternatives:
            text = _folded(other, inside)
            fitting = [i for i, left in rest.items() if text and _begins(left, text)]
            if len(fitting) == 1:
                shares[fitting[0]] = shares.get(fitting[0], 0.0) + math.exp(value)
            elif len(fitting) > 1 and other != token:
                undecided += math.exp(value)
            if other == token:
                chosen = fitting
        text = _folded(token, inside)
        if text and not chosen:
            return None
        if undecided > _AMBIGUOUS:
            return None
        bound = before + unseen(alternatives)
        continuing = chosen if len(chosen) > 1 or not text else []
        for i in rest if text else ():
            if i not in continuing:
                scores[i] = before + math.log(shares[i]) if i in shares else bound
        if text and len(chosen) == 1:
            return [scores[i] for i in range(len(words))]
        before += table.get(token, 0.0)
        if text:
            rest = {i: rest[i][len(text) :] for i in chosen}
            inside = True
    return None


def _folded(token: bytes, inside: bool) -> str:
    text = " ".join(token.decode("utf-8", "replace").casefold().replace("\n", " ").split(" "))
    return text if inside else text.lstrip(_BLANK)


def _begins(left: str, text: str) -> bool:
    """Whether this token is the beginning of what is left of a label, or all of it and an end."""
    if left.startswith(text):
        return True
    after = text[len(left) : len(left) + 1]
    return bool(left) and text.startswith(left) and not (after.isalnum() or after in "_-'")
