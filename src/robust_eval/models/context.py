"""What a model may need beside its own name: the task, the ID training data, the settings."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from robust_eval.models.account import Account
from robust_eval.models.memory import Shelf
from robust_eval.records import Example, Progress, Task, silent

ENDPOINTS = ("chat", "completions")


@dataclass(frozen=True, slots=True)
class PromptSettings:
    shots: int = 4  # demonstrations in the prompt; 0 is zero-shot
    scoring: str = (
        "labels"  # "labels": log-likelihood of each label; "generate": generate and parse
    )
    length_normalised: bool = False  # divide a label's log-likelihood by its number of tokens
    calibrate: bool = False  # contextual calibration (Zhao et al. 2021)
    template: str | None = None  # name of a built-in template, or path of a TOML file
    label_words: tuple[tuple[str, str], ...] = ()  # label -> the words that the prompt uses for it
    max_new_tokens: int = 16  # for generation
    prompting: str = "direct"  # "direct": the answer alone; "cot": reasoning first
    select: str = "balanced"  # which demonstrations: "balanced", "random", "similar", "complex"
    prompt_source: str = "id"  # "target": a natural shift brings demonstrations of its own domain
    samples: int = 1  # chains drawn for each question, which then vote
    vote: str = "majority"  # or "complexity": chains count as often as they have steps
    temperature: float = 0.0  # 0 is greedy
    chat: str = "auto"  # the model's own chat template: "auto" (where it has one), "on", "off"

    @property
    def writes(self) -> bool:
        """Whether the answer is written and parsed also where labels could be scored."""
        return self.scoring == "generate" or self.prompting == "cot"


@dataclass(frozen=True, slots=True)
class Rates:
    """How fast a base learns where nothing is said."""

    learning_rate: float  # of the topmost layer
    layer_decay: float  # a layer's learning rate, over that of the layer above it


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """How a baseline is fine-tuned. None is filled in by `resolved`, from method, base and size of the data."""

    epochs: int | None = None  # at most: early stopping may end before
    learning_rate: float | None = None
    batch_size: int | None = None
    warmup_share: float = 0.1
    weight_decay: float = 0.01
    patience: int = 2  # evaluations on the held-out part without gain before stopping
    layer_decay: float | None = None
    class_weights: str = "auto"  # "auto": when the classes are unequal; "on"; "off"
    mixed_precision: str = "auto"  # "auto": bfloat16 on a GPU that has it; "on"; "off"
    gradient_checkpointing: str = "auto"  # "auto": when memory runs out; "on"; "off"

    def resolved(self, method: str, examples: int, rates: Rates | None = None) -> TrainingSettings:
        """The same with every None filled in for this method, number of training examples and base's own rates.

        Few examples get small batches and more epochs: about 150 updates, as too few are what makes
        fine-tuning on small data fail (Mosbach et al. 2021, arXiv:2006.04884); never over 20 epochs.
        """
        rates = rates or RATES[method]
        batch = self.batch_size or (8 if examples < 256 else 16 if examples < 1024 else 32)
        updates = -(-FEWEST_UPDATES * batch // max(1, examples))
        return replace(
            self,
            batch_size=batch,
            epochs=self.epochs or max(3, min(20, updates)),
            learning_rate=self.learning_rate or rates.learning_rate,
            layer_decay=1.0 if method == "lora" else self.layer_decay or rates.layer_decay,
        )


FEWEST_UPDATES = 150
RATES = {"encoder": Rates(5e-5, 0.95), "full": Rates(2e-5, 0.95), "lora": Rates(2e-4, 1.0)}


@dataclass(frozen=True, slots=True)
class ModelContext:
    task: Task
    labels: tuple[str, ...]
    train: tuple[Example, ...]  # ID training split: what a baseline is fine-tuned on
    dev: tuple[Example, ...]  # held-out part of it, for early stopping
    demonstrations: tuple[Example, ...]  # ID pool that few-shot demonstrations are drawn from
    seed: int
    cache_dir: Path
    prompt: PromptSettings = field(default_factory=PromptSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)
    device: str = "auto"  # "auto", "cpu", "cuda", "cuda:1", "mps"
    dtype: str = "auto"  # "auto": float32 on CPU, bfloat16 on GPU
    batch_size: int | None = None  # None: chosen by token budget
    max_length: int = 256  # encoder inputs are cut here, and counted
    truncation: str = "head"  # which part of a text that is too long is read: head, tail, head-tail
    progress: Progress = silent
    offline: bool = False
    model_version: str | None = None  # names a `python:` model's version, so that it may be cached
    base_url: str | None = None  # of the server behind `openai:`
    endpoint: str = "chat"  # how it is asked: one of ENDPOINTS
    account: Account = field(default_factory=Account)  # what hosted models of this run have used
    shelf: Shelf = field(default_factory=Shelf)  # local language models that this run has read
