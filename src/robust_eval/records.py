"""The records that flow through a run. Frozen: nothing is patched afterwards.

settings -> Dataset -> recipe -> ShiftedSets -> Predictions -> scores -> RunRecord -> report
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random
from typing import Any, Literal, Protocol, runtime_checkable

from robust_eval.figures import Analysis as Analysis
from robust_eval.figures import AttackFigures as AttackFigures
from robust_eval.figures import Calibration as Calibration
from robust_eval.figures import Change as Change
from robust_eval.figures import CorruptionError as CorruptionError
from robust_eval.figures import CurvePoint as CurvePoint
from robust_eval.figures import DiffRow as DiffRow
from robust_eval.figures import Extraction as Extraction
from robust_eval.figures import GateCheck as GateCheck
from robust_eval.figures import GateOutcome as GateOutcome
from robust_eval.figures import GateResult as GateResult
from robust_eval.figures import LimitKind as LimitKind
from robust_eval.figures import NoiseFloor as NoiseFloor
from robust_eval.figures import RelativeDrop as RelativeDrop
from robust_eval.figures import RunDiff as RunDiff
from robust_eval.figures import SeverityCurve as SeverityCurve
from robust_eval.figures import StaticFigures as StaticFigures
from robust_eval.figures import Temperature as Temperature
from robust_eval.figures import WorstCase as WorstCase
from robust_eval.line_figures import LineVerdict as LineVerdict
from robust_eval.line_figures import OffLine as OffLine
from robust_eval.line_figures import Panel as Panel
from robust_eval.line_figures import PanelMaking as PanelMaking
from robust_eval.line_figures import PanelMember as PanelMember
from robust_eval.line_figures import PanelScore as PanelScore
from robust_eval.line_figures import PanelSet as PanelSet
from robust_eval.line_figures import ReferenceLine as ReferenceLine
from robust_eval.measures import AttackOutcome as AttackOutcome
from robust_eval.measures import AttackResult as AttackResult
from robust_eval.measures import Dose as Dose
from robust_eval.measures import Estimate as Estimate
from robust_eval.measures import HumanCheck as HumanCheck
from robust_eval.measures import HumanGap as HumanGap
from robust_eval.measures import Preservation as Preservation
from robust_eval.measures import SharedChange as SharedChange
from robust_eval.measures import ShiftSize as ShiftSize
from robust_eval.tasks import ACCURACY as ACCURACY
from robust_eval.tasks import EXACT_MATCH as EXACT_MATCH
from robust_eval.tasks import F1 as F1
from robust_eval.tasks import LABELLED as LABELLED
from robust_eval.tasks import TASKS as TASKS
from robust_eval.tasks import Metric as Metric
from robust_eval.tasks import Task as Task
from robust_eval.tasks import TaskKind as TaskKind

# --- what is asked -------------------------------------------------------------------------------

Target = str | tuple[str, ...]
"""A label for classification and pairs; every acceptable answer for QA and math."""


@dataclass(frozen=True, slots=True)
class Example:
    """One item. `source_id` names the original it was made from: the cluster in statistics."""

    id: str
    inputs: Mapping[str, str]
    target: Target
    source_id: str
    meta: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Dataset:
    name: str
    task: Task
    labels: tuple[str, ...]  # sorted; empty for QA and math
    examples: tuple[Example, ...]
    revision: str
    fingerprint: str  # hash of task, labels and every example's content
    population: str = ""  # which texts these are, in words, when a rule selected them
    notes: tuple[str, ...] = ()  # what loading changed: duplicates, bad bytes, rows left out


# --- what is shifted -----------------------------------------------------------------------------

Family = Literal["noise", "domain", "adversarial", "prompt"]
FAMILIES: tuple[Family, ...] = ("noise", "domain", "adversarial", "prompt")


@dataclass(frozen=True, slots=True)
class ShiftedSet:
    family: Family
    shift: str  # the family of sets that one test pools: "keyboard-typos", "imdb"
    key: str  # unique in a run: "keyboard-typos@3", "keyboard-typos@3#1" for a second seed
    severity: int | None
    seed: int
    paired: bool  # ids of `examples` are ids of the clean set
    examples: tuple[Example, ...]
    doses: tuple[Dose, ...] = ()  # same order as examples; empty when not paired
    built_against: str | None = None  # the model an attack was fitted to
    prompt_edit: str | None = None  # a prompt-side shift: examples are clean, the model is edited
    population: str = ""
    source: str = ""  # chain of perturbations with parameters, or data set and revision
    size: ShiftSize | None = None
    preservation: tuple[Preservation, ...] = ()  # same order as examples; empty when not checked
    attacks: tuple[AttackResult, ...] = ()  # of an attack, in the order of examples
    budget: int | None = None  # queries that an attack might spend on one example
    # Solved examples of the set's own domain, apart from `examples`, for prompts; not stored.
    demonstrations: tuple[Example, ...] = ()
    shared: tuple[SharedChange, ...] = ()  # of an attack that makes the same change everywhere
    keeps_answer: bool = False  # of an attack that shortens texts while the answer stays


# --- what is answered ----------------------------------------------------------------------------


class Status(StrEnum):
    OK = "ok"
    UNPARSED = "unparsed"
    REFUSED = "refused"
    TRUNCATED = "truncated"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Prediction:
    """One answer. `failed` is never scored as wrong; the other statuses are, and counted apart."""

    example_id: str
    label: str | None = None
    text: str | None = None
    label_logprobs: tuple[float, ...] | None = None  # summed token log-likelihoods, label order
    scores: tuple[float, ...] | None = None  # log-softmax of the above, label order
    raw: str | None = None
    status: Status = Status.OK
    input_truncated: bool = False
    # Written answers only: whether the strict parser could read it (else the lenient one did), and
    # the share of the samples' votes that the answer got.
    strict: bool | None = None
    agreement: float | None = None


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What the report says about a model."""

    name: str
    spec: str
    role: Literal["model", "baseline"]
    kind: Literal["prompted", "fine-tuned", "floor", "function", "scripted"]
    fingerprint: str
    deterministic: bool
    parameters: int | None = None  # number of weights
    details: Mapping[str, Any] = field(default_factory=dict)  # prompt, training, licence: JSON-able
    # Of a group of seeds or draws: its members' names. Its score is the mean of theirs on each example.
    members: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Job:
    """One batch: which inputs it answers, and the call that answers them in that order."""

    indices: tuple[int, ...]
    answer: Callable[[], Sequence[Prediction]]


@runtime_checkable
class Model(Protocol):
    """The one seam. A model plans batches over the whole list; a caller runs, skips or stores them.

    The plan depends on the list alone, so an interrupted list resumed batch by batch gives the same
    bytes as an uninterrupted one.
    """

    @property
    def card(self) -> ModelCard: ...

    def jobs(self, examples: Sequence[Example]) -> Iterator[Job]: ...


@runtime_checkable
class Prompted(Protocol):
    """A model with a prompt of its own, which prompt-side shifts edit.

    `with_prompt` gives the same model under another prompt, with a fingerprint of its own; or, in
    words, why the edit does not apply to this prompt. `edit` is `ShiftedSet.prompt_edit`.
    """

    def with_prompt(self, edit: str) -> Model | str: ...


@runtime_checkable
class Demonstrated(Protocol):
    """A prompted model that can be shown other solved examples, under a fingerprint of its own."""

    def with_demonstrations(self, pool: tuple[Example, ...]) -> Model: ...


@runtime_checkable
class Sampled(Protocol):
    """A model whose answers are drawn: `with_repeat(2)` draws the third answer to everything."""

    def with_repeat(self, repeat: int) -> Model: ...


@runtime_checkable
class Perturbation(Protocol):
    """`perturb` is pure: the same text and the same stream give the same answer."""

    @property
    def name(self) -> str: ...

    def perturb(self, text: str, rng: Random) -> str: ...


@runtime_checkable
class WholePerturbation(Protocol):
    """One that reads the whole example, such as a distractor made from the question for the context.

    `fields` are those that noise may touch; it gives all inputs back, changed or not.
    """

    @property
    def name(self) -> str: ...

    def perturb_example(
        self, example: Example, fields: Sequence[str], rng: Random
    ) -> Mapping[str, str]: ...


class Progress(Protocol):
    """`with progress("fine-tuning", total) as advance: advance(1)`; silent off a terminal."""

    def __call__(self, what: str, total: int) -> AbstractContextManager[Callable[[int], None]]: ...


@contextmanager
def silent(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Progress that shows nothing: the default everywhere in the library."""
    yield lambda steps: None


# --- what is concluded ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Gap:
    """One model on one shifted set."""

    model: str
    set_key: str
    metric: str
    paired: bool
    clean: Estimate
    shifted: Estimate
    drop: Estimate  # clean minus shifted; positive is worse, whatever the metric's direction
    drop_changed: Estimate | None  # the same on examples that the shift really changed
    p_value: float
    test: str
    right_to_wrong: int | None  # flips; None when unpaired or not binary
    wrong_to_right: int | None
    left_out: int  # examples without an answer here or in the clean set
    statuses: Mapping[str, int]  # of the shifted answers, by status
    truncated_inputs: int  # inputs of the shifted set that were cut to fit
    clean_statuses: Mapping[str, int]
    clean_truncated_inputs: int
    drop_unsuspected: Estimate | None = None  # the drop without suspects of having lost their label
    suspects: int | None = None  # of the examples that the drop rests on; None when not checked


Verdict = Literal["loses less", "loses more", "no supported difference", "not comparable"]


@dataclass(frozen=True, slots=True)
class Component:
    """One source of chance in a difference of drops."""

    source: str  # "examples", "seeds of demo:minilm", "draws of demo:gemma-3-270m (4-shot)"
    count: int
    deviation: float  # of the difference from one example cluster, seed or draw to another
    share: float  # of the squared standard error, in [0, 1]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two models on one shift: drop(baseline) - drop(model) on the same ids. The headline.

    `set_key` is None for the test over the whole shift (all severities and seeds, clustered by source item); those
    form the Holm family. A row for a single set is descriptive: its `p_holm` is None.
    """

    model: str
    baseline: str
    shift: str
    set_key: str | None
    metric: str
    paired: bool
    difference: Estimate  # drop(baseline) - drop(model): positive means that the model loses less
    clean_model: Estimate
    clean_baseline: Estimate
    clean_difference: Estimate  # model - baseline on the clean set
    shifted_difference: Estimate  # model - baseline on the shifted set
    drop_model: Estimate
    drop_baseline: Estimate
    p_value: float
    p_holm: float | None
    test: str
    verdict: Verdict
    reason: str  # why, in one sentence
    clusters: int
    left_out: int
    # Of two groups of seeds or draws: what the variance of `difference` is made of; empty for single models.
    components: tuple[Component, ...] = ()


@dataclass(frozen=True, slots=True)
class NotApplicable:
    """A set that says nothing about a model: it was not asked, has no gap and is in no comparison."""

    model: str
    set_key: str
    reason: str


@dataclass(frozen=True, slots=True)
class RunRecord:
    """Everything a report needs. `store` writes and reads it; `report` renders it."""

    schema_version: int
    settings: Mapping[str, Any]
    dataset: Dataset  # the test split, clean
    splits: Mapping[str, Any]  # sizes, fingerprints and what de-duplication removed
    sets: tuple[ShiftedSet, ...]
    models: tuple[ModelCard, ...]
    predictions: Mapping[tuple[str, str], tuple[Prediction, ...]]  # (model, set key; "clean")
    scores: Mapping[tuple[str, str, str], tuple[float | None, ...]]  # (model, set key, metric)
    gaps: tuple[Gap, ...]
    comparisons: tuple[Comparison, ...]
    near_ties: Mapping[str, int]  # model -> answers whose top two scores are within 1e-3
    warnings: tuple[str, ...]
    versions: Mapping[str, str]
    host: Mapping[str, Any]  # times and machine: left out when records are compared
    not_applicable: tuple[NotApplicable, ...] = ()
    # Further answers of stochastic models, repeat 1 on; repeat 0 is in `predictions` and `scores`.
    repeats: Mapping[tuple[str, str, int], tuple[Prediction, ...]] = field(default_factory=dict)
    repeat_scores: Mapping[tuple[str, str, str, int], tuple[float | None, ...]] = field(
        default_factory=dict
    )  # (model, set key, metric, repeat)
    gate: GateResult | None = None  # of the policy that was last asked
    validity: Mapping[str, Any] = field(default_factory=dict)  # how labels were checked; JSON-able
    members: tuple[ModelCard, ...] = ()  # of groups; their answers stand among the others
    human: HumanCheck | None = None  # what people said, from the sheets that were last read
    analysis: Analysis | None = None  # None in runs of version 0.1
    attacks: tuple[AttackFigures, ...] = ()  # one for each set that an attack built
    panel: Panel | None = None  # of models on the same data, that the reference lines rest on
    lines: tuple[ReferenceLine, ...] = ()  # one for each set that the panel was asked too
    temperatures: tuple[Temperature, ...] = ()  # one a model, where they were asked for
    # (model, set key) -> probability of each answer after scaling; follows from the two, so is not stored.
    scaled: Mapping[tuple[str, str], tuple[float | None, ...]] = field(default_factory=dict)
    static: tuple[StaticFigures, ...] = ()  # of adversarial sets that were made before this run


CLEAN = "clean"
SCHEMA_VERSION = 1
