"""A panel of models, and the reference line through its scores. `records` names these too, and is where others take them from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from robust_eval.measures import Estimate


@dataclass(frozen=True, slots=True)
class PanelScore:
    """The mean score of one model on one set, and the answered examples that it rests on."""

    n: int
    score: float


@dataclass(frozen=True, slots=True)
class PanelMember:
    """One model of a panel: what it is, what it learnt from, and what it scores."""

    name: str
    spec: str
    kind: str
    train_examples: int
    seed: int
    parameters: int | None
    fingerprint: str
    clean: PanelScore
    shifted: Mapping[str, PanelScore]  # by set key


@dataclass(frozen=True, slots=True)
class PanelSet:
    """Which data the members answered: `origin` is the same for any draw from the same data."""

    key: str
    origin: str
    population: str
    family: str
    n: int


@dataclass(frozen=True, slots=True)
class PanelMaking:
    """What made members: the command, the settings that are not the default, and the versions."""

    command: str
    settings: Mapping[str, Any]
    versions: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Panel:
    """Models that differ in size, training amount and seed, on one clean set and its shifted ones."""

    format: int
    name: str
    task: str
    labels: tuple[str, ...]
    metric: str
    dataset: PanelSet
    shifts: tuple[PanelSet, ...]
    members: tuple[PanelMember, ...]
    made: tuple[PanelMaking, ...]


LineVerdict = Literal[
    "more robust than the line", "less robust than the line", "not told from the line", "refused"
]


@dataclass(frozen=True, slots=True)
class OffLine:
    """One model of the run against the reference line of one set; without figures where it is refused."""

    model: str
    clean: Estimate
    shifted: Estimate
    expected: float | None  # score that the line gives at the model's clean score
    effective: (
        Estimate | None
    )  # effective robustness: how far the shifted score is better than that
    shares: tuple[float, float, float] | None  # of the squared error: own, scatter, line
    verdict: LineVerdict
    reason: str


@dataclass(frozen=True, slots=True)
class ReferenceLine:
    """The panel's fit on one set of the run; `refusal` says why there is none."""

    set_key: str
    panel: str
    members: int
    slope: float | None
    intercept: float | None
    r2: float | None
    scatter: float | None  # standard deviation of the members about the line, probits
    range: tuple[float, float] | None  # clean scores of the members
    band: tuple[tuple[float, float, float, float], ...]  # clean score, expected, low, high
    refusal: str
    models: tuple[OffLine, ...]
