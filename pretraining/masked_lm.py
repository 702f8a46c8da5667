"""RoBERTa's objective, masked words with a new mask each time, beside a teacher that keeps word states.

The warm start is a sentence encoder, and a few thousand steps of masked words alone would unlearn that. So the state of
each word (mean over its tokens) is also drawn to the teacher's state of the same word, by cosine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import cosine_similarity, cross_entropy

MASKED = 0.15  # share of tokens, as in Devlin et al. 2019; of these 80% masked, 10% random
CLS, PAD, SEP, MASK = 0, 1, 2, 4
SPECIALS = 5


@dataclass(frozen=True, slots=True)
class Chunk:
    """A stretch of one review: its words, and each token's word for the student and the teacher."""

    student: tuple[int, ...]
    student_words: tuple[int, ...]  # index of the token's word; -1 for special tokens
    teacher: tuple[int, ...]
    teacher_words: tuple[int, ...]
    words: int


@dataclass(frozen=True, slots=True)
class Step:
    """What one batch, or the held-out part, gave."""

    masked_loss: float
    masked_accuracy: float
    cosine: float
    tokens: int


def chunks_of(review: str, student: Any, teacher: Any, length: int) -> list[Chunk]:
    """The review in chunks of whole words that fit `length` tokens of both, special ones included."""
    pairs = [
        (
            student.encode(" " + word, add_special_tokens=False).ids,
            teacher.encode(word, add_special_tokens=False).ids,
        )
        for word in review.split()
    ]
    # MiniLM's normaliser drops control characters, and a word of nothing else has no state.
    words = [(mine, other) for mine, other in pairs if mine and other]
    own, theirs = [mine for mine, _ in words], [other for _, other in words]
    found: list[Chunk] = []
    start = 0
    while start < len(words):
        end, used, used_theirs = start, 2, 2
        while end < len(words) and end - start < length:
            used, used_theirs = used + len(own[end]), used_theirs + len(theirs[end])
            if max(used, used_theirs) > length:
                break
            end += 1
        if end == start:  # one word longer than a chunk: left out
            start += 1
            continue
        found.append(_chunk(own[start:end], theirs[start:end]))
        start = end
    return found


def _chunk(own: Sequence[Sequence[int]], theirs: Sequence[Sequence[int]]) -> Chunk:
    def joined(parts: Sequence[Sequence[int]], first: int, last: int) -> tuple[Any, Any]:
        ids = [first, *(i for part in parts for i in part), last]
        words = [-1, *(w for w, part in enumerate(parts) for _ in part), -1]
        return tuple(ids), tuple(words)

    student, student_words = joined(own, CLS, SEP)
    teacher, teacher_words = joined(theirs, 101, 102)
    return Chunk(student, student_words, teacher, teacher_words, len(own))


def losses(
    student: Any, teacher: Any, batch: Sequence[Chunk], generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor, Step]:
    """Masked cross entropy, one minus the mean cosine, and the figures of both."""
    ids, attended = _padded([c.student for c in batch], PAD)
    vocabulary = student.config.vocab_size
    masked = (torch.rand(ids.shape, generator=generator) < MASKED) & (ids >= SPECIALS)
    kind = torch.rand(ids.shape, generator=generator)
    random = torch.randint(SPECIALS, vocabulary, ids.shape, generator=generator)
    shown = torch.where(masked & (kind < 0.8), MASK, ids)
    shown = torch.where(masked & (kind >= 0.9), random, shown)
    states = student.roberta(input_ids=shown, attention_mask=attended).last_hidden_state
    logits = student.lm_head(states[masked]).float()
    wanted = ids[masked]
    loss = cross_entropy(logits, wanted)
    their_ids, their_attended = _padded([c.teacher for c in batch], 0)
    with torch.no_grad():
        goal = teacher(input_ids=their_ids, attention_mask=their_attended).last_hidden_state
    own = _word_means(states.float(), [c.student_words for c in batch])
    theirs = _word_means(goal.float(), [c.teacher_words for c in batch])
    cosine = torch.cat(
        [
            cosine_similarity(own, theirs),
            cosine_similarity(states[:, 0].float(), goal[:, 0].float()),
        ]
    ).mean()
    with torch.no_grad():
        right = float((logits.argmax(-1) == wanted).float().mean())
    figures = Step(loss.item(), right, cosine.item(), int(attended.sum()))
    return loss, 1 - cosine, figures


def _padded(rows: Sequence[Sequence[int]], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    longest = max(map(len, rows))
    ids = torch.tensor([[*row, *[pad] * (longest - len(row))] for row in rows])
    attended = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
    return ids, attended


def _word_means(states: torch.Tensor, words: Sequence[Sequence[int]]) -> torch.Tensor:
    """The mean state of each word, texts one after the other."""
    width, where, target, first = states.shape[1], [], [], 0
    for text, indices in enumerate(words):
        for token, word in enumerate(indices):
            if word >= 0:
                where.append(text * width + token)
                target.append(first + word)
        first += max(indices) + 1
    index = torch.tensor(target)
    picked = states.reshape(-1, states.shape[-1])[torch.tensor(where)]
    sums = torch.zeros(first, states.shape[-1]).index_add(0, index, picked)
    return sums / torch.bincount(index, minlength=first).unsqueeze(1)
