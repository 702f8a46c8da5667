"""Encoder baselines (`ft:`, `demo:minilm`): fine-tuned here on the ID training split, then asked."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any, Final

from robust_eval.errors import InfrastructureError
from robust_eval.models import finetune
from robust_eval.models.classifier import Classifier
from robust_eval.models.context import ModelContext
from robust_eval.models.placement import place
from robust_eval.models.specs import Role, parse_spec
from robust_eval.models.weights import EncoderFiles, demo_minilm, resolve_encoder
from robust_eval.records import Example, Job, ModelCard, Prediction, Progress
from robust_eval.rng import hexdigest

CHARACTERS_PER_TOKEN: Final = 4  # for planning only: the plan must not need a tokenizer
TOKENS_PER_BATCH: Final = 4096  # padded; with 384-wide states about 100 MB of activations
EXAMPLES_PER_BATCH: Final = 64


def load(spec: str, role: Role, context: ModelContext) -> EncoderModel:
    """The encoder that a spec names, not yet trained. Raises ModelError where it cannot be found or
    the task or the training data do not fit."""
    parsed = parse_spec(spec, role)
    finetune.check_data(spec, context)
    files = (
        demo_minilm()
        if parsed.provider == "demo"
        else resolve_encoder(parsed.name, offline=context.offline)
    )
    return EncoderModel(spec, role, files, context)


class EncoderModel:
    """One sequence classifier. Its card and its plan need no weights in memory."""

    def __init__(self, spec: str, role: Role, files: EncoderFiles, context: ModelContext) -> None:
        self._context = context
        self._placement = place(context.device, inference_dtype(context))
        self._plan = finetune.plan(files, context, self._placement.device)
        self._classifier: Classifier | None = None
        self._spec = spec
        self._role: Role = role
        self.labels = context.labels
        self._fingerprint = hexdigest(
            "encoder answers",
            self._plan.key,
            self._placement.dtype,
            context.batch_size or 0,
            EXAMPLES_PER_BATCH,
            TOKENS_PER_BATCH,
        )

    @property
    def card(self) -> ModelCard:
        """What the report says; the training's result once there is a checkpoint."""
        training = self._plan.result()
        details: dict[str, Any] = {
            "base": self._plan.files.source,
            "architecture": self._plan.files.config["model_type"],
            "embedding_weights": self._plan.files.embeddings(),
            "hyperparameters": asdict(self._context.training),
            "seed": self._context.seed,
            "max_length": self._context.max_length,
            "dtype": self._placement.dtype,
            "device": self._placement.kind,
            "training": training,
        }
        if warnings := self._plan.warnings(training):
            details["warnings"] = warnings
        return ModelCard(
            name=self._spec,
            spec=self._spec,
            role=self._role,
            kind="fine-tuned",
            fingerprint=self._fingerprint,
            deterministic=True,
            parameters=self._plan.parameters(),
            details=details,
        )

    def prepare(self, progress: Progress) -> None:
        """Fine-tunes unless a sound checkpoint is there, and loads the classifier."""
        if self._classifier is None:
            checkpoint = finetune.ensure(self._plan, progress)
            self._classifier = Classifier.read(
                checkpoint, self._placement.device, self._placement.dtype
            )

    def jobs(self, examples: Sequence[Example]) -> Iterator[Job]:
        """Batches of similar length, planned by characters, so that no weights are needed yet."""
        for batch in batches(examples, self._context.max_length, self._context.batch_size):
            part = [examples[i] for i in batch]
            yield Job(tuple(batch), lambda part=part: self._answer(part))  # type: ignore[misc]

    def _answer(self, examples: Sequence[Example]) -> list[Prediction]:
        self.prepare(self._context.progress)
        assert self._classifier is not None
        tokens = self._classifier.tokenise(examples, self._context.task, self._context.max_length)
        rows = self._classifier.log_probabilities(tokens)
        answers = []
        for example, row, cut in zip(examples, rows, tokens.truncated, strict=True):
            if not all(map(math.isfinite, row)):
                raise InfrastructureError(
                    f"{self._spec} computed scores that are not numbers for example {example.id!r}; "
                    "try --dtype float32 or --device cpu"
                )
            best = max(range(len(row)), key=row.__getitem__)
            answers.append(
                Prediction(
                    example.id,
                    label=self.labels[best],
                    label_logprobs=row,
                    scores=row,
                    input_truncated=cut,
                )
            )
        return answers


def inference_dtype(context: ModelContext) -> str:
    """float32 unless asked otherwise: an encoder is small, and rounding is not what is tested."""
    return "float32" if context.dtype == "auto" else context.dtype


def batches(
    examples: Sequence[Example], max_length: int, batch_size: int | None
) -> list[list[int]]:
    """Indices in batches of rising length; the longest text times the count stays in the budget."""
    lengths = [
        min(max_length, 3 + sum(map(len, e.inputs.values())) // CHARACTERS_PER_TOKEN)
        for e in examples
    ]
    order = sorted(
        range(len(examples)),
        key=lambda i: (lengths[i], sorted(examples[i].inputs.items()), examples[i].id),
    )
    planned: list[list[int]] = []
    for i in order:
        room = batch_size or min(EXAMPLES_PER_BATCH, max(1, TOKENS_PER_BATCH // lengths[i]))
        if not planned or len(planned[-1]) >= room:
            planned.append([])
        planned[-1].append(i)
    return planned
