"""Full fine-tuning of an encoder on the ID training split, with early stopping on its held-out part.

Everything that decides the result is in the checkpoint's name: base weights, texts and labels in
order, hyperparameters, seed, versions. A warm run reads a small JSON file and no weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from robust_eval.errors import ModelError
from robust_eval.models import checkpoints
from robust_eval.models.context import ModelContext
from robust_eval.models.weights import EncoderFiles
from robust_eval.records import Example, Progress
from robust_eval.rng import digest, hexdigest

PROCEDURE: Final = 1  # raise when the loop below changes what it computes
IMBALANCE: Final = 3.0  # the largest class over the smallest, from which the report says so


@dataclass(frozen=True)
class Plan:
    """One training: what it starts from, what it sees, and the hash that names its checkpoint."""

    files: EncoderFiles
    context: ModelContext
    device: str  # where it is trained
    key: str

    @property
    def folder(self) -> Path:
        """Where the checkpoint lies, or will."""
        return checkpoints.folder_of(self.context.cache_dir, self.key)

    def result(self) -> dict[str, Any] | None:
        """What training gave; None before it has run."""
        return checkpoints.read_result(self.folder)

    @cached_property
    def _base_parameters(self) -> int:
        return self.files.parameters()

    def parameters(self) -> int:
        """Number of weights: of the trained network once there is one, else of its base."""
        counted = (self.result() or {}).get("parameters")
        return counted if isinstance(counted, int) else self._base_parameters

    def warnings(self, result: Mapping[str, Any] | None) -> list[str]:
        """What a reader should know about this baseline."""
        found = []
        counts = class_counts(self.context.train, self.context.labels)
        if max(counts.values()) >= IMBALANCE * max(1, min(counts.values())):
            found.append(
                "trained on unbalanced classes: "
                + ", ".join(f"{n} {label!r}" for label, n in counts.items())
            )
        if not self.context.dev:
            found.append("no held-out part, so all epochs were run and the last one is used")
        if head := head_labels(self.files.config):
            found.append(
                f"its base already was a classifier ({', '.join(head)[:100]}); fine-tuned further"
            )
        best = (result or {}).get("dev_accuracy")
        if isinstance(best, float) and best <= majority_share(self.context.dev):
            found.append(
                f"accuracy on its held-out part is {best:.1%}, no better than always giving the "
                "most frequent label; give it more training data or epochs"
            )
        return found


def plan(files: EncoderFiles, context: ModelContext, device: str) -> Plan:
    """What will be trained; nothing heavy is imported or read twice."""
    kind = device.partition(":")[0]  # which of several GPUs does not matter
    parts = [f"procedure {PROCEDURE}", files.fingerprint(context.cache_dir)]
    parts += [f"{name}={value!r}" for name, value in sorted(asdict(context.training).items())]
    parts += [
        f"seed={context.seed}",
        f"max_length={context.max_length}",
        f"device={kind}",
    ]
    parts += [f"{name} {version(name)}" for name in ("torch", "transformers", "tokenizers")]
    parts += [context.task.kind.value, *context.labels]
    parts += [data_fingerprint(context.train), data_fingerprint(context.dev)]
    return Plan(files, context, device, hexdigest("fine-tuning", *parts))


def check_data(spec: str, context: ModelContext) -> None:
    """Raises ModelError unless there is something to train a classifier on."""
    if not context.task.has_labels:
        raise ModelError(
            f"{spec!r} is a classifier and cannot answer the task {context.task.kind.value}; "
            "compare with a prompted model instead"
        )
    if not context.train:
        raise ModelError(
            f"{spec!r} has nothing to be trained on; give --train, or a larger data set"
        )
    counts = class_counts(context.train, context.labels)
    if missing := [label for label, count in counts.items() if not count]:
        raise ModelError(
            f"{spec!r}: the training split has no example of {missing[0]!r}; raise --train-size, or "
            "give --train with every label"
        )


def class_counts(examples: Sequence[Example], labels: Sequence[str]) -> dict[str, int]:
    """How many examples each label has. Raises ModelError for a target that is no label."""
    counts = dict.fromkeys(labels, 0)
    for example in examples:
        if not isinstance(example.target, str) or example.target not in counts:
            raise ModelError(
                f"training example {example.id!r} has the target {example.target!r}, which is not "
                f"among the labels {', '.join(labels)}"
            )
        counts[example.target] += 1
    return counts


def majority_share(examples: Sequence[Example]) -> float:
    """The share of the most frequent target: what a constant answer scores. 0 without examples."""
    targets = [example.target for example in examples]
    return max(map(targets.count, set(targets))) / len(targets) if targets else 0.0


def data_fingerprint(examples: Sequence[Example]) -> str:
    """A hash of texts and targets in order; ids and sources do not train anything."""
    parts = [
        part
        for example in examples
        for name, text in sorted(example.inputs.items())
        for part in (name, text)
    ]
    return digest("examples", *parts, "targets", *(str(e.target) for e in examples)).hex()


def head_labels(config: Mapping[str, Any]) -> tuple[str, ...]:
    """The labels of a classification head that the base folder already has; empty without one."""
    named = any("ForSequenceClassification" in str(a) for a in config.get("architectures") or ())
    return tuple(map(str, (config.get("id2label") or {}).values())) if named else ()


def ensure(planned: Plan, progress: Progress) -> Path:
    """The folder of the trained classifier; trains when there is no sound one yet.

    Raises ModelError when training diverges, InfrastructureError when the disk is full.
    """
    return checkpoints.ensure(planned.folder, lambda folder: _trained(planned, folder, progress))


def _trained(planned: Plan, folder: Path, progress: Progress) -> dict[str, Any]:
    from robust_eval.models.training import train

    return train(planned.files, planned.context, planned.device, folder, progress)
