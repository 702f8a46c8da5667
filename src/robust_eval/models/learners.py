"""What can be fine-tuned: a network with examples of its task, behind one seam for the training loop."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from robust_eval.models.classifier import Classifier, Tokens, quiet
from robust_eval.models.context import ModelContext

if TYPE_CHECKING:
    import torch

EVALUATION_BATCH: Final = 64
_LAYER = re.compile(r"\.(?:layer|layers|h|block|blocks)\.(\d+)\.")


@dataclass(frozen=True, slots=True)
class HeldOut:
    """One look at the held-out part: a score in [0, 1] that is better when higher, and the loss."""

    score: float
    loss: float


class Learner(Protocol):
    """A network and the items that train it. `loss` is differentiable, the mean over the items named."""

    network: Any
    device: str

    @property
    def lengths(self) -> Sequence[int]:
        """Tokens of each training item: batches are made of items alike in it."""

    @property
    def truncated(self) -> int:
        """How many training items were cut to fit."""

    def loss(self, items: Sequence[int]) -> torch.Tensor: ...

    def held_out(self) -> HeldOut | None:
        """None without a held-out part."""

    def save(self, folder: Path) -> None: ...


class ClassifierLearner:
    """A classification head on an encoder: cross entropy, weighted by class where classes are unequal."""

    def __init__(
        self,
        classifier: Classifier,
        context: ModelContext,
        class_weights: Sequence[float] | None,
    ) -> None:
        import torch

        self.classifier = classifier
        self.network, self.device = classifier.network, classifier.device
        self._context = context
        self._tokens = classifier.tokenise(
            context.train, context.task, context.max_length, context.truncation
        )
        self._dev: Tokens | None = None
        self._targets = [context.labels.index(str(e.target)) for e in context.train]
        self._weights = class_weights
        self._weight_tensor = (
            torch.tensor(class_weights, device=self.device) if class_weights else None
        )

    @property
    def lengths(self) -> Sequence[int]:
        return [len(item["input_ids"]) for item in self._tokens.inputs]

    @property
    def truncated(self) -> int:
        return sum(self._tokens.truncated)

    def loss(self, items: Sequence[int]) -> torch.Tensor:
        import torch

        wanted = torch.tensor([self._targets[i] for i in items], device=self.device)
        inputs = self.classifier.padded([self._tokens.inputs[i] for i in items])
        logits = self.network(**inputs).logits.float()
        losses = torch.nn.functional.cross_entropy(logits, wanted, reduction="none")
        if self._weight_tensor is not None:
            losses = losses * self._weight_tensor[wanted]
        mean: torch.Tensor = losses.mean()
        return mean

    def held_out(self) -> HeldOut | None:
        """Accuracy, with unequal classes the mean over the classes; and the mean log loss."""
        examples, labels = self._context.dev, self._context.labels
        if not examples:
            return None
        if self._dev is None:
            self._dev = self.classifier.tokenise(
                examples, self._context.task, self._context.max_length, self._context.truncation
            )
        dev = self._dev
        order = sorted(range(len(examples)), key=lambda i: (len(dev.inputs[i]["input_ids"]), i))
        rows: dict[int, Sequence[float]] = {}
        for start in range(0, len(order), EVALUATION_BATCH):
            part = order[start : start + EVALUATION_BATCH]
            tokens = replace(dev, inputs=tuple(dev.inputs[i] for i in part))
            rows |= dict(zip(part, self.classifier.log_probabilities(tokens), strict=True))
        targets = [labels.index(str(example.target)) for example in examples]
        found = [rows[i] for i in range(len(examples))]
        return held_out_of(found, targets, by_class=self._weights is not None)

    def save(self, folder: Path) -> None:
        save_network(self.network, self.classifier.tokenizer, folder)


def held_out_of(
    rows: Sequence[Sequence[float]], targets: Sequence[int], *, by_class: bool
) -> HeldOut:
    """Accuracy of log-probabilities, or the mean of the classes' accuracies, and the mean log loss."""
    right: dict[int, list[bool]] = {}
    for row, target in zip(rows, targets, strict=True):
        right.setdefault(target, []).append(max(range(len(row)), key=row.__getitem__) == target)
    shares = [sum(hits) / len(hits) for hits in right.values()]
    score = sum(shares) / len(shares) if by_class else sum(map(sum, right.values())) / len(targets)
    loss = -sum(row[target] for row, target in zip(rows, targets, strict=True)) / len(targets)
    return HeldOut(score, loss)


def save_network(network: Any, tokenizer: Any, folder: Path) -> None:
    """Weights in one file, so that one hash names them, and the tokenizer beside."""
    with quiet():
        network.save_pretrained(folder, max_shard_size="100GB")
        tokenizer.save_pretrained(folder)


def parameter_groups(
    network: Any, learning_rate: float, layer_decay: float, weight_decay: float
) -> list[dict[str, Any]]:
    """The trained weights by depth: each layer below the top learns `layer_decay` times as fast.

    Embeddings lie below the first layer, the head and whatever has no layer above the last. Biases and
    norms do not decay.

    Source: layer-wise decay of Howard & Ruder (2018), arXiv:1801.06146, in the form of Sun et al. (2019),
    arXiv:1905.05583, who find 0.95 best for BERT; no decay of biases and norms as in Devlin et al. (2019).
    """
    named = [(name, p) for name, p in network.named_parameters() if p.requires_grad]
    top = 2 + max((_layer(name) for name, _ in named), default=-1)
    groups: dict[tuple[int, bool], list[Any]] = {}
    for name, parameter in named:
        layer = _layer(name)
        depth = layer + 1 if layer >= 0 else 0 if "embed" in name else top
        groups.setdefault((depth, parameter.ndim > 1), []).append(parameter)
    return [
        {
            "params": parameters,
            "lr": learning_rate * layer_decay ** (top - depth),
            "weight_decay": weight_decay if decays else 0.0,
        }
        for (depth, decays), parameters in sorted(groups.items(), key=lambda item: item[0])
    ]


def _layer(name: str) -> int:
    found = _LAYER.search(f".{name}")
    return int(found[1]) if found else -1
