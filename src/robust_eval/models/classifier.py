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
        with quiet():
            import torch
            from transformers import AutoModelForSequenceClassification, AutoTokenizer

            try:
                tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
                network = AutoModelForSequenceClassification.from_pretrained(
                    folder,
                    local_files_only=True,
                    use_safetensors=True,
                    dtype=getattr(torch, dtype),
                    **head,
                )
            except (OSError, ValueError, KeyError, TypeError, RuntimeError, ImportError) as error:
                raise ModelError(
                    f"cannot load {str(folder)!r} as a sequence classifier: {type(error).__name__}: "
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
        return cls(tokenizer, network, device)

    def tokenise(self, examples: Sequence[Example], task: Task, max_length: int) -> Tokens:
        """The model's inputs, cut to `max_length` tokens, of pairs from the longer side first."""
        length = min(max_length, self._longest_input())
        characters = length * LONGEST_TOKEN
        columns = [[example.inputs[field] for example in examples] for field in task.fields]
        over = [
            any(len(column[i]) > characters for column in columns) for i in range(len(examples))
        ]
        with quiet():
            encoded = self.tokenizer(
                *[[_encodable(text[:characters]) for text in column] for column in columns],
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

    def log_probabilities(self, tokens: Tokens) -> list[tuple[float, ...]]:
        """One row a text: log-softmax over the labels, in float32 whatever the weights are in."""
        import torch

        with torch.inference_mode():
            logits = self.network(**self.padded(tokens.inputs)).logits
            rows = torch.log_softmax(logits.float(), dim=-1).tolist()
        return [tuple(row) for row in rows]

    def padded(self, inputs: Sequence[Mapping[str, list[int]]]) -> dict[str, torch.Tensor]:
        """One batch on the device, padded on the right to its longest input."""
        import torch

        longest = max(len(item["input_ids"]) for item in inputs)
        fill = {"input_ids": self.tokenizer.pad_token_id}
        batch = {
            name: torch.tensor(
                [item[name] + [fill.get(name, 0)] * (longest - len(item[name])) for item in inputs],
                device=self.device,
            )
            for name in inputs[0]
        }
        batch["attention_mask"] = torch.tensor(
            [
                [1] * len(item["input_ids"]) + [0] * (longest - len(item["input_ids"]))
                for item in inputs
            ],
            device=self.device,
        )
        return batch

    def _longest_input(self) -> int:
        """What tokenizer and position table allow; RoBERTa keeps two positions for itself."""
        config = self.network.config
        positions = int(getattr(config, "max_position_embeddings", 0) or 0)
        if positions and "roberta" in str(config.model_type):
            positions -= 2
        limit = int(min(self.tokenizer.model_max_length, 1_000_000))
        return min(limit, positions) if positions > 0 else limit


def _encodable(text: str) -> str:
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
