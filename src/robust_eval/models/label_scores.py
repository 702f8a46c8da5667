"""Exact log-likelihoods of label texts after many prompts.

Each prompt with each label is tokenised whole, once. The labels' sequences of one prompt form a
trie: what they share is computed once. The score of a label is the sum of the log-probabilities of
its tokens, from the first token that is not common to the prompt and every label on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from robust_eval.models.prefix import Network, Prefix, select
from robust_eval.models.tokens import Ids

# Rows of labels that one continuation may hold, by tokens kept in memory for them.
CONTINUED_TOKENS = 16_384


@dataclass(frozen=True, slots=True)
class Question:
    """One prompt in tokens: what is given, and each label's own tokens, in label order."""

    given: Ids
    answers: tuple[Ids, ...]

    @property
    def paths(self) -> tuple[Ids, ...]:
        """What has to be read after `given` to see every answer token's distribution.

        The longest ones only: a path that another begins with is read along with it.
        """
        inner = sorted({answer[:-1] for answer in self.answers})
        return tuple(
            path
            for i, path in enumerate(inner)
            if i + 1 == len(inner) or inner[i + 1][: len(path)] != path
        )

    @property
    def branches(self) -> bool:
        """Whether labels part after sharing nothing or little: one row cannot hold them all."""
        return len(self.paths) > 1

    @property
    def row(self) -> Ids:
        """The tokens to read in the first pass."""
        return self.given if self.branches else self.given + self.paths[0]


def question(prompt: Ids, wholes: Sequence[Ids]) -> Question:
    """The prompt and its labelled continuations, cut where the first of them differs.

    A tokenizer may join the prompt's last character to the label's first; the cut then lies before
    that token for every label alike, so that labels stay comparable.
    """
    cut = min(shared(prompt, whole) for whole in wholes)
    cut = max(1, min(cut, *(len(whole) - 1 for whole in wholes)))
    return Question(wholes[0][:cut], tuple(whole[cut:] for whole in wholes))


def shared(one: Sequence[int], other: Sequence[int]) -> int:
    """How many leading tokens two sequences share."""
    short = min(len(one), len(other))
    if one[:short] == other[:short]:
        return short
    return next(i for i in range(short) if one[i] != other[i])


def common_prefix(rows: Sequence[Ids]) -> Ids:
    """The longest common prefix of all rows, at least one token short of each."""
    if not rows:
        return ()
    low, high = min(rows), max(rows)  # all others lie between these two
    length = min(shared(low, high), min(map(len, rows)) - 1)
    return low[: max(0, length)]


def label_logprobs(
    network: Network, prefix: Ids, questions: Sequence[Question]
) -> list[tuple[float, ...]]:
    """Summed log-likelihood of each label after each prompt; questions and labels in order.

    Every question must start with `prefix`. Questions that branch must be of one length: their
    continuations then follow without a gap, which sliding windows need.
    """
    past = network.prefix(prefix)
    done = past.length if past else 0
    rows = [q.row[done:] for q in questions]
    if any(q.branches for q in questions) and network.reuses_prefix:
        return _branching(network, past, questions, rows, done)
    if any(q.branches for q in questions):
        return [_spelled_out(network, q) for q in questions]
    wanted = [
        [(i, len(q.given) - done - 1 + t) for t in range(len(q.paths[0]) + 1)]
        for i, q in enumerate(questions)
    ]
    at = [pair for pairs in wanted for pair in pairs]
    logits, _ = network.forward(rows, past, at, keep=False)
    table = _Table(logits)
    first = 0
    sums = []
    for q, pairs in zip(questions, wanted, strict=True):
        sums.append(
            tuple(
                sum(table(first + t, token) for t, token in enumerate(answer))
                for answer in q.answers
            )
        )
        first += len(pairs)
    return sums


class _Table:
    """Log-probabilities of tokens by row of logits; the normaliser is computed once a row."""

    def __init__(self, logits: object) -> None:
        import torch

        assert isinstance(logits, torch.Tensor)
        self._logits = logits
        self._norms = torch.logsumexp(logits, dim=-1)

    def __call__(self, row: int, token: int) -> float:
        return float(self._logits[row, token] - self._norms[row])


def _branching(
    network: Network,
    past: Prefix | None,
    questions: Sequence[Question],
    rows: Sequence[Ids],
    done: int,
) -> list[tuple[float, ...]]:
    lengths = {len(row) for row in rows}
    if len(lengths) != 1:
        raise ValueError("questions that branch must be of one length")
    width = lengths.pop()
    logits, cache = network.forward(rows, past, [(i, width - 1) for i in range(len(rows))])
    start = _Table(logits)
    found: list[dict[tuple[Ids, int], float]] = [{} for _ in questions]
    for i, q in enumerate(questions):
        for answer in q.answers:
            found[i][(), answer[0]] = start(i, answer[0])
    tails = [(i, path) for i, q in enumerate(questions) for path in q.paths if path]
    at_once = max(1, CONTINUED_TOKENS // (done + width))
    for first in range(0, len(tails), at_once):
        _continue(network, cache, done + width, tails[first : first + at_once], questions, found)
    return [
        tuple(
            sum(found[i][answer[:t], answer[t]] for t in range(len(answer))) for answer in q.answers
        )
        for i, q in enumerate(questions)
    ]


def _continue(
    network: Network,
    cache: object,
    length: int,
    tails: Sequence[tuple[int, Ids]],
    questions: Sequence[Question],
    found: list[dict[tuple[Ids, int], float]],
) -> None:
    """Reads the tails after their questions and files what each answer token got."""
    past = Prefix(length, select(cache, [i for i, _ in tails]))
    at: list[tuple[int, int]] = []
    tokens: list[tuple[int, Ids, int, int]] = []  # question, path before the token, token, row
    for row, (i, path) in enumerate(tails):
        for t in range(1, len(path) + 1):
            after = {
                answer[t]
                for answer in questions[i].answers
                if len(answer) > t and answer[:t] == path[:t]
            }
            tokens += [(i, path[:t], token, len(at)) for token in sorted(after)]
            at.append((row, t - 1))
    logits, _ = network.forward([path for _, path in tails], past, at, keep=False)
    table = _Table(logits)
    for i, path, token, row in tokens:
        found[i][path, token] = table(row, token)


def _spelled_out(network: Network, q: Question) -> tuple[float, ...]:
    """The same without any shared cache: every label's sequence is read in full."""
    sums = []
    for answer in q.answers:
        row = q.given + answer[:-1]
        at = [(0, len(q.given) - 1 + t) for t in range(len(answer))]
        logits, _ = network.forward([row], None, at, keep=False)
        table = _Table(logits)
        sums.append(sum(table(t, token) for t, token in enumerate(answer)))
    return tuple(sums)
