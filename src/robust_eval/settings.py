"""The settings of one run: what the command line, a script or a run folder says, checked once."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from robust_eval.errors import UsageError, did_you_mean
from robust_eval.models.api.connection import server_address
from robust_eval.models.context import ENDPOINTS
from robust_eval.models.limits import RequestLimits
from robust_eval.records import TaskKind
from robust_eval.rng import hexdigest

SCORING = ("labels", "generate")
PROMPTING = ("direct", "cot")
SELECTIONS = ("balanced", "random", "similar", "complex")
PROMPT_SOURCES = ("id", "target")
VOTES = ("majority", "complexity")
TRUNCATIONS = ("head", "tail", "head-tail")
SWITCHES = ("auto", "on", "off")
VALIDITY = ("auto", "encoder", "words", "off")
DTYPES = ("auto", "float32", "bfloat16", "float16")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that decides a run's result. Where it is written and shown is not part of it.

    `limit` None evaluates every test example. Pairs stand for mappings so that the record hashes.
    """

    models: tuple[str, ...]
    baselines: tuple[str, ...] = ()
    dataset: str
    train: str | None = None  # a training source of its own; else carved from the data set
    shifts: tuple[str, ...] = ("noisy",)
    ood: tuple[tuple[str, str], ...] = ()
    task: str | None = None
    split: str | None = None
    encoding: str = "utf-8"
    columns: tuple[tuple[str, str], ...] = ()
    label_map: tuple[tuple[str, str], ...] = ()
    limit: int | None = 500
    train_size: int | None = 2000  # None: all that is there
    seed: int = 0
    level: float = 0.95
    # prompting
    shots: int = 4
    scoring: str = "labels"
    length_normalised: bool = False
    calibrate: bool = False
    template: str | None = None
    label_words: tuple[tuple[str, str], ...] = ()
    max_new_tokens: int = 16
    # fine-tuning
    epochs: int | None = None  # None here and below: by method and size of the training data
    learning_rate: float | None = None
    train_batch_size: int | None = None
    max_length: int = 256
    # machine: these may move scores in the last digits, so they belong to the run
    device: str = "auto"
    dtype: str = "auto"
    batch_size: int | None = None
    truncation: str = "head"  # which part of too long a text an encoder reads
    layer_decay: float | None = None  # of the learning rate, from each layer to the one below
    class_weights: str = "auto"
    mixed_precision: str = "auto"
    gradient_checkpointing: str = "auto"
    model_version: str | None = None  # names a `python:` model's version, so that it may be cached
    # learning curves and variance
    train_sizes: tuple[int | None, ...] = ()  # each baseline once a size; empty: `train_size` alone
    shot_counts: tuple[int, ...] = ()  # each prompted model once a number; empty: `shots` alone
    seeds: int = 1  # of fine-tuning, for each baseline
    draws: int = 1  # of demonstrations, for each prompted model
    equal_budgets: bool = False  # compare k demonstrations with k training examples only
    # stochastic models
    repeats: int = 1  # answers of a stochastic model to each clean example
    # written answers and demonstrations
    prompting: str = "direct"
    select: str = "balanced"
    prompt_source: str = "id"  # domain of the demonstrations
    samples: int = 1
    vote: str = "majority"
    temperature: float = 0.0
    chat: str = "auto"
    # hosted models
    base_url: str | None = None  # of the server behind `openai:`
    endpoint: str = "chat"
    validity: str = "auto"  # how labels of shifted examples are checked; see docs/validity.md
    # attacks
    attack_budget: int = 200  # different texts that an attack may ask about one example
    attack_limit: int | None = 100  # test examples that are attacked; None: all
    rewriter: str | None = None  # model that writes the sets of `rewrite:STYLE`
    attack_models: tuple[str, ...] = ()  # whom to attack; empty: every model and baseline
    attack_control: bool = False  # random changes beside each search, with as many queries
    temperature_scaling: bool = False  # fit a temperature on held-out ID examples

    def __post_init__(self) -> None:
        if not self.models:
            raise UsageError(
                "no model to evaluate; give one with --model, for instance demo:gemma-3-270m"
            )
        if not self.dataset.strip():
            raise UsageError(
                "no data set; give one with --dataset, for instance demo:rotten-tomatoes"
            )
        for role, specs in (("--model", self.models), ("--baseline", self.baselines)):
            twice = {spec for spec in specs if specs.count(spec) > 1}
            if twice:
                raise UsageError(f"{role} {min(twice)!r} is given twice; give it once")
        if both := sorted(set(self.models) & set(self.baselines)):
            raise UsageError(
                f"{both[0]!r} is both a model and a baseline; compare it with another one"
            )
        if not self.shifts:
            raise UsageError("no shift; give one with --shift, for instance noisy")
        if self.task is not None and self.task not in set(TaskKind):
            raise UsageError(f"unknown task {self.task!r}{did_you_mean(self.task, set(TaskKind))}")
        if self.scoring not in SCORING:
            raise UsageError(
                f"unknown scoring {self.scoring!r}{did_you_mean(self.scoring, SCORING)}"
            )
        if self.dtype not in DTYPES:
            raise UsageError(f"unknown dtype {self.dtype!r}{did_you_mean(self.dtype, DTYPES)}")
        if self.base_url is not None:
            server_address(self.base_url)  # before it is written down: it may hold a password
        if self.endpoint not in ENDPOINTS:
            raise UsageError(
                f"unknown endpoint {self.endpoint!r}{did_you_mean(self.endpoint, ENDPOINTS)}"
            )
        if self.validity not in VALIDITY:
            raise UsageError(
                f"unknown --validity {self.validity!r}{did_you_mean(self.validity, VALIDITY)}"
            )
        for name, value, least in (
            ("--limit", self.limit, 1),
            ("--train-size", self.train_size, 1),
            ("--shots", self.shots, 0),
            ("--max-new-tokens", self.max_new_tokens, 1),
            ("--epochs", self.epochs, 1),
            ("--train-batch-size", self.train_batch_size, 1),
            ("--max-length", self.max_length, 8),
            ("--batch-size", self.batch_size, 1),
            ("--seed", self.seed, 0),
            ("--seeds", self.seeds, 1),
            ("--draws", self.draws, 1),
            *(("--train-size", size, 1) for size in self.train_sizes),
            *(("--shots", count, 0) for count in self.shot_counts),
            ("--repeats", self.repeats, 1),
            ("--samples", self.samples, 1),
            ("--attack-budget", self.attack_budget, 1),
            ("--attack-limit", self.attack_limit, 1),
        ):
            if value is not None and value < least:
                raise UsageError(f"{name} must be at least {least}, not {value}")
        if not 0.5 <= self.level < 1:
            raise UsageError(
                f"--level is a share such as 0.95, at least 0.5 and under 1, not {self.level}"
            )
        for option, several, single in (
            ("--train-size", self.train_sizes, self.train_size),
            ("--shots", self.shot_counts, self.shots),
        ):
            if len(set(several)) < len(several):
                raise UsageError(f"{option} names a number twice; give each once")
            if several and largest(several) != single:
                raise UsageError(
                    f"of several numbers the largest is what is drawn: {option} {single} is not "
                    f"the largest of {', '.join(map(_number, several))}"
                )
        rate = self.learning_rate
        if rate is not None and not (math.isfinite(rate) and 0 < rate < 1):
            raise UsageError(f"--learning-rate must be between 0 and 1, not {rate}")
        if self.layer_decay is not None and not 0 < self.layer_decay <= 1:
            raise UsageError(f"--layer-decay must be over 0 and at most 1, not {self.layer_decay}")
        self._check_drawing()
        for option, chosen, known in (
            ("--prompting", self.prompting, PROMPTING),
            ("--select", self.select, SELECTIONS),
            ("--vote", self.vote, VOTES),
            ("--prompt-source", self.prompt_source, PROMPT_SOURCES),
            ("--chat", self.chat, SWITCHES),
            ("--truncation", self.truncation, TRUNCATIONS),
            ("--class-weights", self.class_weights, SWITCHES),
            ("--mixed-precision", self.mixed_precision, SWITCHES),
            ("--gradient-checkpointing", self.gradient_checkpointing, SWITCHES),
        ):
            if chosen not in known:
                raise UsageError(f"unknown {option} {chosen!r}{did_you_mean(chosen, known)}")

    def _check_drawing(self) -> None:
        if not (math.isfinite(self.temperature) and 0 <= self.temperature <= 10):
            raise UsageError(f"--temperature must be from 0 to 10, not {self.temperature}")
        if self.samples > 100:
            raise UsageError(f"--samples must be at most 100, not {self.samples}")

    def as_dict(self) -> dict[str, Any]:
        """JSON-able, in field order; `from_dict` reads it back."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Settings:
        """Settings from a run folder. Raises UsageError for keys that this version does not know."""
        known = {f.name for f in dataclasses.fields(cls)}
        if unknown := sorted(set(values) - known):
            raise UsageError(f"unknown setting {unknown[0]!r}{did_you_mean(unknown[0], known)}")
        return cls(**{name: _tuples(value) for name, value in values.items()})

    def signature(self) -> str:
        """A hash of every field: the same settings give the same 32 hex digits."""
        return hexdigest("settings", *(f"{k}={v!r}" for k, v in sorted(self.as_dict().items())))

    def default_name(self) -> str:
        """`dataset-models-shifts-hash`, safe as a folder name on any system."""
        parts = (self.dataset, "+".join(self.models), "+".join(self.shifts))
        readable = "-".join(re.sub(r"[^A-Za-z0-9.+]+", "-", part).strip("-.") for part in parts)
        return f"{readable[:96]}-{self.signature()[:8]}"


def largest(numbers: Sequence[int | None]) -> int | None:
    """The largest of some numbers, of which None means all."""
    known = [number for number in numbers if number is not None]
    return max(known) if known and len(known) == len(numbers) else None


def _number(number: int | None) -> str:
    return "all" if number is None else str(number)


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list | tuple) else value


def pairs(
    option: str, values: tuple[str, ...], *, commas: bool = True
) -> tuple[tuple[str, str], ...]:
    """`("a=b,c=d", ...)` as pairs; `commas=False` keeps them, as file names may have some.

    Raises UsageError for a value without `=` or a name given twice.
    """
    found: dict[str, str] = {}
    for value in values:
        for part in value.split(",") if commas else [value]:
            name, equals, right = part.partition("=")
            name, right = name.strip(), right.strip()
            if not equals or not name or not right:
                raise UsageError(f"{option} takes name=value, not {part!r}")
            if name in found:
                raise UsageError(f"{option} names {name!r} twice")
            found[name] = right
    return tuple(found.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """Where a run is kept and shown. Changing it changes no figure."""

    folder: str | None = None
    overwrite: bool = False
    cache_dir: str | None = None
    offline: bool = False
    requests: RequestLimits = field(
        default_factory=RequestLimits
    )  # of the requests to hosted models
