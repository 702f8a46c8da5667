"""A sequence classifier in memory: loading, tokenising with cuts counted, log-probabilities."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from robust_eval.errors import ModelError
from robust_eval.records import Example, Task

if TYPE_CHECKING:
    import torch

# A text longer than this many characters a token is cut before it is tokenised: 5 MB would take
# seconds, and no natural text has 64 characters in a token.
LONGEST_TOKEN: Final = 64
SEQUENCE_HEAD: Final = "AutoModelForSequenceClassification"
_SURROGATES: Final = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Tokens:
    """Model inputs of each example, not padded, and whether the example was cut to fit."""

    inputs: tuple[dict[str, list[int]], ...]
    truncated: tuple[bool, ...]


@dataclass(slots=True)
class Classifier:
    """A tokenizer and a network on one device."""

    tokenizer: Any
    network: Any
    device: str

    @classmethod
    def read(cls, folder: Path, device: str, dtype: str = "float32") -> Classifier:
        """The classifier in a folder, ready to be asked. Raises ModelError if it cannot be loaded."""
        return cls._loaded(folder, device, dtype, {})

    @classmethod
    def fresh(cls, folder: Path, device: str, labels: Sequence[str]) -> Classifier:
        """A base encoder with a classification head for these labels, in float32, to be trained.

        New weights are drawn from torch's generator: seed it first.
        """
        head = {
            "num_labels": len(labels),
            "id2label": dict(enumerate(labels)),
            "label2id": {label: i for i, label in enumerate(labels)},
            "ignore_mismatched_sizes": True,
        }
        return cls._loaded(folder, device, "float32", head)

    @classmethod
    def _loaded(cls, folder: Path, device: str, dtype: str, head: dict[str, Any]) -> Classifier:
        tokenizer, network = load_with_head(folder, device, dtype, SEQUENCE_HEAD, head)
        return cls(tokenizer, network, device)

    def tokenise(
        self, examples: Sequence[Example], task: Task, max_length: int, truncation: str = "head"
    ) -> Tokens:
        """The model's inputs, cut to `max_length` tokens, of pairs from the longer side first.

        `truncation` says which part of a single text that is too long is read: its head, its tail, or a
        quarter from the head and the rest from the tail. Of pairs it is always the heads.

        Source: head and tail of long texts as in Sun et al. (2019), arXiv:1905.05583, section 5.3.1.
        """
        length = min(max_length, longest_input(self.tokenizer, self.network))
        characters = length * LONGEST_TOKEN
        columns = [[example.inputs[field] for example in examples] for field in task.fields]
        over = [
            any(len(column[i]) > characters for column in columns) for i in range(len(examples))
        ]
        kept = [[encodable(text) for text in column] for column in columns]
        if truncation == "head" or len(columns) > 1:
            kept = [[text[:characters] for text in column] for column in kept]
        else:
            shortened = [self._ends(text, length, truncation) for text in kept[0]]
            kept = [[text for text, _ in shortened]]
            over = [a or cut for a, (_, cut) in zip(over, shortened, strict=True)]
        with quiet():
            encoded = self.tokenizer(
                *kept,
                truncation="longest_first",
                max_length=length,
                padding=False,
            )
        cut = [bool(encoding.overflowing) for encoding in encoded.encodings]
        names = [name for name in encoded if name != "attention_mask"]
        return Tokens(
            tuple({name: encoded[name][i] for name in names} for i in range(len(examples))),
            tuple(a or b for a, b in zip(over, cut, strict=True)),
        )

    def _ends(self, text: str, length: int, truncation: str) -> tuple[str, bool]:
        """The text without its middle or beginning, and whether anything was left out."""
        room = length - 2  # special tokens of a single text
        head = room // 4 if truncation == "head-tail" else 0
        most = length * LONGEST_TOKEN
        clipped = len(text) > 2 * most
        if clipped:
            text = f"{text[:most]} {text[-most:]}"
        with quiet():
            places = self.tokenizer(
                text, add_special_tokens=False, return_offsets_mapping=True, truncation=False
            )["offset_mapping"]
        if len(places) <= room:
            return text, clipped
        begin = text[: places[head - 1][1]] if head else ""
        return f"{begin} {text[places[len(places) - (room - head)][0] :]}".strip(), True

    def log_probabilities(self, tokens: Tokens) -> list[tuple[float, ...]]:
        """One row a text: log-softmax over the labels, in float32 whatever the weights are in."""
        import torch

        with torch.inference_mode():
            logits = self.network(**self.padded(tokens.inputs)).logits
            rows = torch.log_softmax(logits.float(), dim=-1).tolist()
        return [tuple(row) for row in rows]

    def padded(self, inputs: Sequence[Mapping[str, list[int]]]) -> dict[str, torch.Tensor]:
        """One batch on the device, padded on the right to its longest input."""
        return padded(inputs, self.tokenizer.pad_token_id, self.device)


def load_with_head(
    folder: Path, device: str, dtype: str, kind: str, head: Mapping[str, Any]
) -> tuple[Any, Any]:
    """Tokenizer and network of a folder, with the head that a class of transformers' adds.

    Raises ModelError if it cannot be loaded, or has no fast tokenizer with a padding token.
    """
    with quiet():
        import torch
        import transformers

        try:
            tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
            network = getattr(transformers, kind).from_pretrained(
                folder,
                local_files_only=True,
                use_safetensors=True,
                dtype=getattr(torch, dtype),
                **head,
            )
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, ImportError) as error:
            what = "a sequence classifier" if kind == SEQUENCE_HEAD else "an encoder with this head"
            raise ModelError(
                f"cannot load {str(folder)!r} as {what}: {type(error).__name__}: "
                f"{' '.join(str(error).split())[:200]}; give an encoder such as roberta-base"
            ) from error
        if not getattr(tokenizer, "is_fast", False):
            raise ModelError(
                f"{str(folder)!r} has no tokenizer.json and none can be made from its files; "
                "save one with the tokenizers library"
            )
        if tokenizer.pad_token_id is None:
            raise ModelError(f"{str(folder)!r}: its tokenizer has no padding token")
        network.to(device)
        network.eval()
    return tokenizer, network


def padded(
    inputs: Sequence[Mapping[str, Sequence[int]]], pad: int, device: str
) -> dict[str, torch.Tensor]:
    """One batch on the device, padded on the right to its longest input, with its attention mask."""
    import torch

    longest = max(len(item["input_ids"]) for item in inputs)
    fill = {"input_ids": pad}
    batch = {
        name: torch.tensor(
            [[*item[name], *[fill.get(name, 0)] * (longest - len(item[name]))] for item in inputs],
            device=device,
        )
        for name in inputs[0]
    }
    batch["attention_mask"] = torch.tensor(
        [
            [1] * len(item["input_ids"]) + [0] * (longest - len(item["input_ids"]))
            for item in inputs
        ],
        device=device,
    )
    return batch


def longest_input(tokenizer: Any, network: Any) -> int:
    """What tokenizer and position table allow; RoBERTa keeps two positions for itself."""
    config = network.config
    positions = int(getattr(config, "max_position_embeddings", 0) or 0)
    if positions and "roberta" in str(config.model_type):
        positions -= 2
    limit = int(min(tokenizer.model_max_length, 1_000_000))
    return min(limit, positions) if positions > 0 else limit


def encodable(text: str) -> str:
    """The text with lone surrogates replaced: tokenizers take UTF-8 only."""
    return _SURROGATES.sub("\N{REPLACEMENT CHARACTER}", text)


@contextmanager
def quiet() -> Iterator[None]:
    """transformers without its loading bars and its notes on fresh heads, which are expected here."""
    from transformers.utils import logging as hf_logging

    level = hf_logging.get_verbosity()
    bars = hf_logging.is_progress_bar_enabled()
    hf_logging.set_verbosity(logging.CRITICAL)
    hf_logging.disable_progress_bar()
    try:
        yield
    finally:
        hf_logging.set_verbosity(level)
        if bars:
            hf_logging.enable_progress_bar()
