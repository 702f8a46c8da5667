"""An extractive reader: an encoder that points at the first and last token of the answer.

A context that is too long is read in overlapping windows. A window without the answer is trained to point at the
first special token, and the span wins that stands out most against it: Devlin et al. (2019), sections 4.2 and 4.3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from robust_eval.models.classifier import (
    LONGEST_TOKEN,
    encodable,
    load_with_head,
    longest_input,
    padded,
    quiet,
)
from robust_eval.models.context import ModelContext
from robust_eval.models.learners import EVALUATION_BATCH, HeldOut, save_network
from robust_eval.records import Example

if TYPE_CHECKING:
    import torch

SPAN_HEAD: Final = "AutoModelForQuestionAnswering"
STRIDE: Final = 0.25  # share of the length by which windows overlap
LONGEST_ANSWER: Final = 30  # tokens, as in the SQuAD script of transformers
MOST_WINDOWS: Final = 64  # of one example: a hostile context is not read without end
NO_ANSWER: Final = (0, 0)  # the first special token
NEVER: Final = -1e9


@dataclass(frozen=True, slots=True)
class Window:
    """One stretch of an example's context with the question before it."""

    example: int
    inputs: dict[str, list[int]]
    places: tuple[tuple[int, int] | None, ...]  # of each token in the context; None elsewhere


@dataclass(slots=True)
class SpanReader:
    """A tokenizer and a network on one device."""

    tokenizer: Any
    network: Any
    device: str

    @classmethod
    def read(cls, folder: Path, device: str, dtype: str = "float32") -> SpanReader:
        """The trained reader in a folder. Raises ModelError if it cannot be loaded."""
        return cls(*load_with_head(folder, device, dtype, SPAN_HEAD, {}), device)

    @classmethod
    def fresh(cls, folder: Path, device: str) -> SpanReader:
        """A base encoder with a new head, to be trained; new weights are drawn from torch's generator."""
        return cls(*load_with_head(folder, device, "float32", SPAN_HEAD, {}), device)

    def windows(
        self, examples: Sequence[Example], max_length: int
    ) -> tuple[list[Window], list[bool]]:
        """Windows in order of the examples, and for each example whether some text was left unread."""
        length = min(max_length, longest_input(self.tokenizer, self.network))
        most = length * LONGEST_TOKEN
        found: list[Window] = []
        cut = [False] * len(examples)
        for number, example in enumerate(examples):
            question = encodable(example.inputs["question"])[:most]
            context = encodable(example.inputs["context"])
            cut[number] = len(example.inputs["question"]) > most
            with quiet():
                # A question may fill half of the input: what is longer would leave no room to read.
                asked = self.tokenizer(
                    question,
                    add_special_tokens=False,
                    return_offsets_mapping=True,
                    truncation=False,
                )["offset_mapping"]
                if len(asked) > length // 2:
                    question, cut[number] = question[: asked[length // 2 - 1][1]], True
                encoded = self.tokenizer(
                    question,
                    context[: most * MOST_WINDOWS],
                    truncation="only_second",
                    max_length=length,
                    stride=int(STRIDE * length),
                    return_overflowing_tokens=True,
                    return_offsets_mapping=True,
                )
            names = [n for n in ("input_ids", "token_type_ids") if n in encoded]
            rows = len(encoded["input_ids"])
            cut[number] |= rows > MOST_WINDOWS or len(context) > most * MOST_WINDOWS
            for row in range(min(rows, MOST_WINDOWS)):
                sides = encoded.sequence_ids(row)
                places = tuple(
                    tuple(place) if side == 1 else None
                    for place, side in zip(encoded["offset_mapping"][row], sides, strict=True)
                )
                inputs = {name: encoded[name][row] for name in names}
                found.append(Window(number, inputs, places))
        return found, cut

    def logits(self, windows: Sequence[Window]) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits of starts and ends over context tokens and the first special one, in float32."""
        import torch

        batch = padded([w.inputs for w in windows], self.tokenizer.pad_token_id, self.device)
        out = self.network(**batch)
        width = batch["input_ids"].shape[1]
        inside = torch.tensor(
            [
                [True, *(p is not None for p in w.places[1:])] + [False] * (width - len(w.places))
                for w in windows
            ],
            device=self.device,
        )
        return (
            out.start_logits.float().masked_fill(~inside, NEVER),
            out.end_logits.float().masked_fill(~inside, NEVER),
        )

    def answers(self, examples: Sequence[Example], max_length: int) -> tuple[list[str], list[bool]]:
        """The best span of each context, and whether some of it was left unread."""
        import torch

        windows, cut = self.windows(examples, max_length)
        best: dict[int, tuple[float, str]] = {}
        for start in range(0, len(windows), EVALUATION_BATCH):
            part = windows[start : start + EVALUATION_BATCH]
            with torch.inference_mode():
                starts, ends = self.logits(part)
            for window, first, last in zip(part, starts.cpu(), ends.cpu(), strict=True):
                if not any(window.places):
                    continue  # no room for, or no word in, the context
                score, span = _best_span(first, last)
                if score > best.get(window.example, (NEVER, ""))[0]:
                    text = encodable(examples[window.example].inputs["context"])
                    begin, end = window.places[span[0]], window.places[span[1]]
                    assert begin is not None
                    assert end is not None
                    best[window.example] = (score, text[begin[0] : end[1]].strip())
        return [best.get(i, (NEVER, ""))[1] for i in range(len(examples))], cut


class SpanLearner:
    """Training windows with the answer's place; an example whose answer is nowhere is left out."""

    def __init__(self, reader: SpanReader, context: ModelContext) -> None:
        from robust_eval.errors import ModelError

        self.reader = reader
        self.network, self.device = reader.network, reader.device
        self._context = context
        windows, cut = reader.windows(context.train, context.max_length)
        self.truncated = sum(cut)
        spans = [_span_of(window, context.train[window.example]) for window in windows]
        answered = {w.example for w, span in zip(windows, spans, strict=True) if span}
        placed = [
            (window, span or NO_ANSWER)
            for window, span in zip(windows, spans, strict=True)
            if window.example in answered
        ]
        if not placed:
            raise ModelError(
                "no training answer stands in its context word for word; give --train with answers "
                "that do"
            )
        self._windows = [window for window, _ in placed]
        self._spans = [span for _, span in placed]

    @property
    def lengths(self) -> Sequence[int]:
        return [len(window.inputs["input_ids"]) for window in self._windows]

    def loss(self, items: Sequence[int]) -> torch.Tensor:
        """The mean of the cross entropies of the answer's first and last token."""
        import torch

        starts, ends = self.reader.logits([self._windows[i] for i in items])
        wanted = torch.tensor([self._spans[i] for i in items], device=self.device)
        entropy = torch.nn.functional.cross_entropy
        loss: torch.Tensor = (entropy(starts, wanted[:, 0]) + entropy(ends, wanted[:, 1])) / 2
        return loss

    def held_out(self) -> HeldOut | None:
        """The mean overlap (F1) of answers' words; the loss is its complement."""
        if not self._context.dev:
            return None
        given, _ = self.reader.answers(self._context.dev, self._context.max_length)
        found = [
            max(overlap(answer, right) for right in _answers(example))
            for answer, example in zip(given, self._context.dev, strict=True)
        ]
        score = sum(found) / len(found)
        return HeldOut(score, 1 - score)

    def save(self, folder: Path) -> None:
        save_network(self.network, self.reader.tokenizer, folder)


def overlap(answer: str, right: str) -> float:
    """F1 of two texts' words, case aside: enough to choose an epoch; scores are computed elsewhere."""
    given, wanted = answer.lower().split(), right.lower().split()
    counts: Mapping[str, int] = {
        word: min(given.count(word), wanted.count(word)) for word in set(given)
    }
    common = sum(counts.values())
    return 2 * common / (len(given) + len(wanted)) if common else 0.0


def _answers(example: Example) -> tuple[str, ...]:
    return (example.target,) if isinstance(example.target, str) else example.target


def _span_of(window: Window, example: Example) -> tuple[int, int] | None:
    """First and last token of an answer that the window holds whole; None when it holds none."""
    context = encodable(example.inputs["context"])
    for answer in _answers(example):
        begin = context.find(answer) if answer else -1
        if begin < 0:
            continue
        end = begin + len(answer)
        inside = [
            token
            for token, place in enumerate(window.places)
            if place is not None and place[0] < end and place[1] > begin
        ]
        if not inside:
            continue
        first, last = window.places[inside[0]], window.places[inside[-1]]
        assert first is not None
        assert last is not None
        if first[0] <= begin and last[1] >= end:
            return inside[0], inside[-1]
    return None


def _best_span(starts: torch.Tensor, ends: torch.Tensor) -> tuple[float, tuple[int, int]]:
    """The pair with the highest sum, the end not before the start nor too far after it, and how far it
    stands over no answer."""
    import torch

    nothing = float(starts[0] + ends[0])

    pairs = starts[:, None] + ends[None, :]
    allowed = torch.ones_like(pairs).triu().tril(LONGEST_ANSWER - 1).bool()
    allowed[0] = False
    pairs = pairs.masked_fill(~allowed, 4 * NEVER)
    at = int(pairs.argmax())
    first, last = divmod(at, pairs.shape[1])
    return float(pairs[first, last]) - nothing, (first, last)
