"""Fine-tuning on the ID training split, with early stopping on its held-out part: what, and under which name.

Everything that decides the result is in the checkpoint's name: base weights, texts and labels in
order, hyperparameters, seed, versions. A warm run reads a small JSON file and no weights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from robust_eval.errors import ModelError
from robust_eval.models import checkpoints
from robust_eval.models.context import ModelContext, Rates, TrainingSettings
from robust_eval.records import Example, Progress, TaskKind
from robust_eval.rng import digest, hexdigest

if TYPE_CHECKING:
    from robust_eval.models.learners import Learner

PROCEDURE: Final = 3  # raise when the loop changes what it computes
IMBALANCE: Final = 3.0  # the largest class over the smallest, from which classes are weighted

Learn = Callable[["Plan"], "Learner"]  # loads the base, ready to be trained: called within `seeded`


@dataclass(frozen=True)
class Plan:
    """One training: what it starts from, what it sees, and the hash that names its checkpoint."""

    method: str  # "encoder", "full" or "lora"
    base: str  # where the weights come from, in words
    base_fingerprint: str
    base_parameters: int
    context: ModelContext
    settings: TrainingSettings  # nothing left open
    device: str  # where it is trained
    learn: Learn
    key: str

    @property
    def folder(self) -> Path:
        """Where the checkpoint lies, or will."""
        return checkpoints.folder_of(self.context.cache_dir, self.key)

    def result(self) -> dict[str, Any] | None:
        """What training gave; None before it has run."""
        return checkpoints.read_result(self.folder)

    def parameters(self) -> int:
        """Number of weights: of the trained network once there is one, else of its base."""
        counted = (self.result() or {}).get("parameters")
        return counted if isinstance(counted, int) else self.base_parameters

    def weights_of_classes(self) -> tuple[float, ...] | None:
        """A weight a class, so that all count alike: n / (classes x n of the class); None for equal ones."""
        if not self.context.task.has_labels or self.settings.class_weights == "off":
            return None
        counts = class_counts(self.context.train, self.context.labels)
        if self.settings.class_weights == "auto" and not unequal(counts):
            return None
        total = sum(counts.values())
        return tuple(total / (len(counts) * n) for n in counts.values())

    def warnings(self, result: Mapping[str, Any] | None) -> list[str]:
        """What a reader should know about this baseline."""
        found = []
        context = self.context
        counts = class_counts(context.train, context.labels) if context.task.has_labels else {}
        if counts and unequal(counts):
            weighted = "weighted so that all count alike" if self.weights_of_classes() else "as is"
            found.append(
                f"trained on unbalanced classes, {weighted}: "
                + ", ".join(f"{n} {label!r}" for label, n in counts.items())
            )
        if not context.dev:
            found.append("no held-out part, so all epochs were run and the last one is used")
        best = (result or {}).get("dev_score")
        if counts and isinstance(best, float) and best <= majority_share(context.dev):
            found.append(
                f"accuracy on its held-out part is {best:.1%}, no better than always giving the "
                "most frequent label; give it more training data or epochs"
            )
        return found


def plan(
    method: str,
    base: str,
    base_fingerprint: str,
    base_parameters: int,
    context: ModelContext,
    device: str,
    learn: Learn,
    *also: str,
    rates: Rates | None = None,
) -> Plan:
    """What will be trained; nothing heavy is imported or read twice. `also` is what else decides it.

    `rates` are the base's own, where the settings leave them open; without them, the method's.
    """
    settings = context.training.resolved(method, len(context.train), rates)
    kind = device.partition(":")[0]  # which of several GPUs does not matter
    parts = [f"procedure {PROCEDURE}", method, base_fingerprint, *also]
    parts += [
        f"{name}={value!r}"
        for name, value in sorted(asdict(settings).items())
        if name != "gradient_checkpointing"  # the same gradients, in less memory
    ]
    parts += [
        f"seed={context.seed}",
        f"max_length={context.max_length}",
        f"truncation={context.truncation}",
        f"device={kind}",
    ]
    parts += [f"{name} {version(name)}" for name in ("torch", "transformers", "tokenizers")]
    parts += [context.task.kind.value, *context.labels]
    parts += [data_fingerprint(context.train), data_fingerprint(context.dev)]
    key = hexdigest("fine-tuning", *parts)
    return Plan(
        method, base, base_fingerprint, base_parameters, context, settings, device, learn, key
    )


def unequal(counts: Mapping[str, int]) -> bool:
    """Whether the classes differ so much in size that it should be acted on and said."""
    return max(counts.values()) >= IMBALANCE * max(1, min(counts.values()))


def check_data(spec: str, context: ModelContext) -> None:
    """Raises ModelError unless there is something to train on, and a head for the task."""
    spans = context.task.kind is TaskKind.EXTRACTIVE_QA
    if not (context.task.has_labels or spans):
        raise ModelError(
            f"{spec!r} is fine-tuned for labels or answer spans and cannot answer the task "
            f"{context.task.kind.value}; compare with a prompted model instead"
        )
    if not context.train:
        raise ModelError(
            f"{spec!r} has nothing to be trained on; give --train, or a larger data set"
        )
    if spans:
        return
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
    """The folder of the trained network; trains when there is no sound one yet, or goes on with a killed one.

    Raises ModelError when training diverges, InfrastructureError when the disk is full.
    """
    return checkpoints.ensure(planned.folder, lambda folder: _trained(planned, folder, progress))


def _trained(planned: Plan, folder: Path, progress: Progress) -> dict[str, Any]:
    from robust_eval.models.training import seeded, train
    from robust_eval.models.training_state import TrainingState

    state = TrainingState(checkpoints.unfinished(planned.folder))
    context = planned.context
    with seeded(context.seed):
        learner = planned.learn(planned)
        what = f"fine-tuning {planned.base}"
        result = train(learner, planned.settings, context.seed, state, what, progress)
        learner.save(folder)
    state.remove()
    return result | {"train_examples": len(context.train), "dev_examples": len(context.dev)}
