"""What a model may need beside its own name: the task, the ID training data, the settings."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from robust_eval.models.account import Account
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


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    epochs: int = 3  # at most: early stopping may end before
    learning_rate: float = 5e-5
    batch_size: int = 32
    warmup_share: float = 0.1
    weight_decay: float = 0.01
    patience: int = 2  # evaluations on the held-out part without gain before stopping


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
    progress: Progress = silent
    offline: bool = False
    model_version: str | None = None  # names a `python:` model's version, so that it may be cached
    base_url: str | None = None  # of the server behind `openai:`
    endpoint: str = "chat"  # how it is asked: one of ENDPOINTS
    account: Account = field(default_factory=Account)  # what hosted models of this run have used
