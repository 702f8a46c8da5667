"""Prompts continued, token by token: greedily or drawn, one answer or several, in one batch.

Rows of different lengths are written together. Each length is read by itself, without padding; then the
caches are joined, the shorter ones padded on the left, where a sliding window forgets first. So every
row keeps its true distances, and what a window sees is what it would see alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any

from robust_eval.models.generate import Continuation
from robust_eval.models.prefix import Network, Prefix, joined, select
from robust_eval.models.tokens import Ids, Tokens

if TYPE_CHECKING:
    import torch

SHRINK = 0.75  # share of rows still writing under which the others leave the batch


@dataclass(frozen=True, slots=True)
class Decoding:
    limit: int  # most tokens of an answer
    stops: frozenset[int]  # tokens that end a text
    ends: tuple[str, ...] = ("\n",)  # texts that end an answer, once it has begun
    temperature: float = 0.0  # 0 is greedy
    mark: str = ""  # once the line that holds it is written, the answer is over

    def over(self, text: str) -> bool:
        """Whether the answer has reached a text that ends it."""
        begun = text.lstrip()
        if self.mark and "\n" in begun[at if (at := begun.find(self.mark)) >= 0 else len(begun) :]:
            return True
        return any(end in begun for end in self.ends)

    def cut(self, text: str) -> str:
        """The answer up to there, white space around it taken off."""
        begun = text.strip()
        return begun[
            : min((at for e in self.ends if (at := begun.find(e)) >= 0), default=None)
        ].strip()


def continue_rows(
    network: Network,
    tokens: Tokens,
    prefix: Ids,
    rows: Sequence[Ids],
    decoding: Decoding,
    draws: Sequence[Sequence[Random]] | None = None,
) -> list[list[Continuation]]:
    """One continuation of each row, or one for each of its streams; rows and streams in order.

    `draws` are needed where the temperature is over 0: token t of a sample takes the t-th draw of its
    stream, so that neither the batch nor the other samples move it.
    """
    streams: list[list[Random | None]] = [[None] for _ in rows]
    if draws is not None:
        streams = [list(own) for own in draws]
    owners = [i for i, own in enumerate(streams) for _ in own]
    rngs = [rng for own in streams for rng in own]
    if network.reuses_prefix:
        written = _with_cache(network, tokens, prefix, rows, owners, rngs, decoding)
    else:
        written = _anew(network, tokens, rows, owners, rngs, decoding)
    answers: list[list[Continuation]] = [[] for _ in rows]
    for owner, (ids, over) in zip(owners, written, strict=True):
        answers[owner].append(Continuation(decoding.cut(tokens.decode(ids)), over))
    return answers


Written = list[tuple[list[int], bool]]


def _with_cache(
    network: Network,
    tokens: Tokens,
    prefix: Ids,
    rows: Sequence[Ids],
    owners: Sequence[int],
    rngs: Sequence[Random | None],
    decoding: Decoding,
) -> Written:
    from robust_eval.models.room import with_room

    first, cache, lengths = _read(network, prefix, rows)
    past = Prefix(max(lengths), with_room(select(cache, owners), decoding.limit))
    missing = [max(lengths) - lengths[i] for i in owners]  # padding on the left of each sample
    logits = first[owners]
    written: list[list[int]] = [[] for _ in owners]
    ended = [False] * len(owners)
    active = list(range(len(owners)))  # the sample in each row of the batch
    for step in range(decoding.limit):
        chosen = _next_tokens(logits, [rngs[a] for a in active], decoding.temperature)
        _append(tokens, decoding, active, chosen, written, ended)
        if all(ended) or step + 1 == decoding.limit:
            break
        keep = [row for row, a in enumerate(active) if not ended[a]]
        if len(keep) < SHRINK * len(active):
            rest = with_room(select(past.cache, keep), decoding.limit - step)
            past = Prefix(past.length, rest)
            active = [active[row] for row in keep]
            chosen = [chosen[row] for row in keep]
        logits, cache = network.forward(
            [(token,) for token in chosen],
            past,
            [(row, 0) for row in range(len(active))],
            missing=[missing[a] for a in active],
        )
        past = Prefix(past.length + 1, cache)
    return list(zip(written, ended, strict=True))


def _read(
    network: Network, prefix: Ids, rows: Sequence[Ids]
) -> tuple[torch.Tensor, Any, list[int]]:
    """Logits after each row, the joined cache of all rows, and the rows' lengths."""
    import torch

    past = network.prefix(prefix)
    done = past.length if past else 0
    by_length: dict[int, list[int]] = {}
    for i, row in enumerate(rows):
        by_length.setdefault(len(row), []).append(i)
    parts = []
    order = []
    for length, members in sorted(by_length.items()):
        at = [(k, length - done - 1) for k in range(len(members))]
        logits, cache = network.forward([rows[i][done:] for i in members], past, at)
        parts.append((logits, cache, length))
        order += members
    cache = joined([(part, length) for _, part, length in parts])
    place = {i: at for at, i in enumerate(order)}
    logits = torch.cat([part for part, _, _ in parts])
    back = [place[i] for i in range(len(rows))]
    return logits[back], select(cache, back), [len(row) for row in rows]


def _anew(
    network: Network,
    tokens: Tokens,
    rows: Sequence[Ids],
    owners: Sequence[int],
    rngs: Sequence[Random | None],
    decoding: Decoding,
) -> Written:
    """The same without a cache, each sample by itself: for architectures that cannot share one."""
    results: Written = []
    for owner, rng in zip(owners, rngs, strict=True):
        written: list[list[int]] = [[]]
        ended = [False]
        for _ in range(decoding.limit):
            row = (*rows[owner], *written[0])
            logits, _ = network.forward([row], None, [(0, len(row) - 1)], keep=False)
            _append(
                tokens,
                decoding,
                [0],
                _next_tokens(logits, [rng], decoding.temperature),
                written,
                ended,
            )
            if ended[0]:
                break
        results.append((written[0], ended[0]))
    return results


def _append(
    tokens: Tokens,
    decoding: Decoding,
    active: Sequence[int],
    chosen: Sequence[int],
    written: list[list[int]],
    ended: list[bool],
) -> None:
    for a, token in zip(active, chosen, strict=True):
        if ended[a]:
            continue
        if token in decoding.stops:
            ended[a] = True
        else:
            written[a].append(token)
            ended[a] = decoding.over(tokens.decode(written[a]))


def _next_tokens(
    logits: torch.Tensor, rngs: Sequence[Random | None], temperature: float
) -> list[int]:
    if not temperature:
        # torch leaves open which of equal values its argmax names; numpy's is the first, everywhere.
        return [int(token) for token in logits.cpu().numpy().argmax(axis=-1)]
    import torch

    shares = torch.softmax(logits.double() / temperature, dim=-1).cumsum(dim=-1)
    draws = torch.tensor(
        [rng.random() if rng else 0.0 for rng in rngs], dtype=torch.float64, device=logits.device
    )
    # Scaled by the last sum, which rounding may leave a little off 1; the first token past the draw.
    picked = torch.searchsorted(shares, (draws * shares[:, -1]).unsqueeze(-1), right=True)
    return [min(int(token), logits.shape[-1] - 1) for token in picked.squeeze(-1)]
