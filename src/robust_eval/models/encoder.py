"""Encoder baselines (`ft:`, `demo:minilm`, `demo:roberta-mini`): fine-tuned here on the ID training split, then asked."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Final

from robust_eval.errors import InfrastructureError
from robust_eval.models import finetune
from robust_eval.models.classifier import Classifier, Tokens
from robust_eval.models.context import RATES, ModelContext, Rates
from robust_eval.models.learners import ClassifierLearner, Learner
from robust_eval.models.placement import place
from robust_eval.models.read_before import mark, read_marks
from robust_eval.models.spans import SpanLearner, SpanReader
from robust_eval.models.specs import Role, parse_spec
from robust_eval.models.weights import EncoderFiles, embedded, resolve_encoder
from robust_eval.records import Example, Job, ModelCard, Prediction, Progress, TaskKind
from robust_eval.rng import hexdigest

CHARACTERS_PER_TOKEN: Final = 4  # for planning only: the plan must not need a tokenizer
TOKENS_PER_BATCH: Final = 4096  # padded; with 384-wide states about 100 MB of activations
EXAMPLES_PER_BATCH: Final = 64
SMALL_GROUP: Final = 8  # texts that are padded to one length whatever it costs
LIKE: Final = 1.15  # the longest of a larger group over its shortest
WIDE: Final = 768  # width of BERT-base and RoBERTa-base


def load(spec: str, role: Role, context: ModelContext) -> EncoderModel:
    """The encoder that a spec names, not yet trained. Raises ModelError where it cannot be found or
    the task or the training data do not fit."""
    parsed = parse_spec(spec, role)
    finetune.check_data(spec, context)
    files = (
        embedded(parsed.name)
        if parsed.provider == "demo"
        else resolve_encoder(parsed.name, offline=context.offline)
    )
    return EncoderModel(spec, role, files, context)


def rates_of(files: EncoderFiles) -> Rates:
    """How fast this encoder learns unless it is said.

    Width 768 and more: within what RoBERTa was fine-tuned with on GLUE, 1e-5 to 3e-5 (Liu et al. 2019, arXiv:1907.11692),
    and the rate of Mosbach et al. (2021), arXiv:2006.04884, at which neither it nor BERT fails. Small ones learn too
    little at that. The encoder made here has new embeddings, which have most to learn
    (`benchmarks/finetune_defaults.py`).
    """
    if files.own:
        return Rates(1e-4, 1.0)
    width = files.config.get("hidden_size", files.config.get("dim"))  # "dim": DistilBERT
    return Rates(2e-5, 0.95) if isinstance(width, int) and width >= WIDE else RATES["encoder"]


class EncoderModel:
    """One sequence classifier or span reader. Its card and its plan need no weights in memory."""

    def __init__(self, spec: str, role: Role, files: EncoderFiles, context: ModelContext) -> None:
        self._context = context
        self._placement = place(context.device, inference_dtype(context))
        self._files = files
        self._plan = finetune.plan(
            "encoder",
            files.folder.name if files.source == "folder" else files.source,
            files.fingerprint(context.cache_dir),
            files.parameters(),
            context,
            self._placement.device,
            partial(_learner, files.folder),
            rates=rates_of(files),
        )
        self._trained: Classifier | SpanReader | None = None
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
        config = self._files.config
        details: dict[str, Any] = {
            "base": self._files.source,
            "architecture": config["model_type"],
            "embedding_weights": self._files.embeddings(),
            "hyperparameters": asdict(self._plan.settings),
            "seed": self._context.seed,
            "max_length": self._context.max_length,
            "truncation": self._context.truncation,
            "dtype": self._placement.dtype,
            "device": self._placement.kind,
            "training": training,
        }
        warnings = self._plan.warnings(training)
        if head := finetune.head_labels(config):
            warnings.append(
                f"its base already was a classifier ({', '.join(head)[:100]}); fine-tuned further"
            )
        if warnings:
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

    def read_before(self, examples: Sequence[Example]) -> int:
        """How many of the examples hold a text that its base read when it was made, without labels.

        Known of the encoders that this package brings along only.
        """
        marks = read_marks(self._files.folder) if self._files.own else frozenset()
        return sum(
            any(mark(text) in marks for text in e.inputs.values()) for e in examples if marks
        )

    def prepare(self, progress: Progress) -> None:
        """Fine-tunes unless a sound checkpoint is there, and loads the network."""
        if self._trained is None:
            checkpoint = finetune.ensure(self._plan, progress)
            kind = SpanReader if self._context.task.kind is TaskKind.EXTRACTIVE_QA else Classifier
            self._trained = kind.read(checkpoint, self._placement.device, self._placement.dtype)

    def holds(self) -> object:
        return self

    def release(self) -> None:
        self._trained = None

    def jobs(self, examples: Sequence[Example]) -> Iterator[Job]:
        """Batches of similar length, planned by characters, so that no weights are needed yet."""
        for batch in batches(examples, self._context.max_length, self._context.batch_size):
            part = [examples[i] for i in batch]
            yield Job(tuple(batch), lambda part=part: self._answer(part))  # type: ignore[misc]

    def _answer(self, examples: Sequence[Example]) -> list[Prediction]:
        self.prepare(self._context.progress)
        if isinstance(self._trained, SpanReader):
            given, cut = self._trained.answers(examples, self._context.max_length)
            return [
                Prediction(e.id, text=text, raw=text, input_truncated=short)
                for e, text, short in zip(examples, given, cut, strict=True)
            ]
        assert self._trained is not None
        tokens = self._trained.tokenise(
            examples, self._context.task, self._context.max_length, self._context.truncation
        )
        rows = _by_length(self._trained, tokens)
        answers = []
        for example, row, short in zip(examples, rows, tokens.truncated, strict=True):
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
                    input_truncated=short,
                )
            )
        return answers


def _by_length(network: Classifier, tokens: Tokens) -> list[tuple[float, ...]]:
    """Log-probabilities a text, computed on a CPU in groups of like length: padding costs as much as text there.

    A GPU takes the batch whole, as its time goes into the number of calls.
    """
    if network.device != "cpu":
        return network.log_probabilities(tokens)
    rows: dict[int, tuple[float, ...]] = {}
    for group in alike([len(item["input_ids"]) for item in tokens.inputs]):
        part = Tokens(
            tuple(tokens.inputs[i] for i in group), tuple(tokens.truncated[i] for i in group)
        )
        rows |= zip(group, network.log_probabilities(part), strict=True)
    return [rows[i] for i in range(len(rows))]


def alike(lengths: Sequence[int]) -> list[list[int]]:
    """Indices in groups of rising length; the longest of a group is little longer than its shortest, or the group small."""
    groups: list[list[int]] = []
    for i in sorted(range(len(lengths)), key=lambda i: (lengths[i], i)):
        if groups and (
            len(groups[-1]) < SMALL_GROUP or lengths[i] <= LIKE * lengths[groups[-1][0]] + 1
        ):
            groups[-1].append(i)
        else:
            groups.append([i])
    return groups


def _learner(folder: Path, plan: finetune.Plan) -> Learner:
    context = plan.context
    if context.task.kind is TaskKind.EXTRACTIVE_QA:
        return SpanLearner(SpanReader.fresh(folder, plan.device), context)
    classifier = Classifier.fresh(folder, plan.device, context.labels)
    return ClassifierLearner(classifier, context, plan.weights_of_classes())


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
