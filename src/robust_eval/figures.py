"""Figures of a run beside its gaps and comparisons. `records` names these too, and is where others take them from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from robust_eval.measures import Estimate

GateOutcome = Literal["pass", "fail", "inconclusive"]
LimitKind = Literal["max-drop", "max-relative-drop", "max-drop-vs-baseline"]


@dataclass(frozen=True, slots=True)
class GateCheck:
    """One limit on one model under one shift, or under one of its sets.

    `figure` holds the value and two bounds, each one-sided at its level; None when nothing was measured.
    `p_within` is small when the figure is within the limit, `p_beyond` when it is over it.
    """

    model: str
    baseline: str | None  # the other model, for a limit on the drop against a baseline
    shift: str
    set_key: str | None  # None: all sets of the shift
    kind: LimitKind
    limit: float  # a share
    figure: Estimate | None
    p_within: float | None
    p_beyond: float | None
    p_beyond_holm: float | None
    originals: int  # clusters that the figure rests on
    deciding: int | None  # originals that would decide it; None when decided, or no number would
    outcome: GateOutcome
    reason: str
    basis: tuple[str, ...] = ()  # which prompts and checkpoints the answer is about, model by model


@dataclass(frozen=True, slots=True)
class GateResult:
    """What a release policy says of a run."""

    policy: str  # its name
    outcome: GateOutcome
    level: float
    minimum_n: int
    checks: tuple[GateCheck, ...]


@dataclass(frozen=True, slots=True)
class Calibration:
    """How well one model's confidence fits one set. Answers without a probability are left out."""

    model: str
    set_key: str
    n: int
    confidence: float  # mean probability given to the model's own answer
    accuracy: float
    ece_10: float  # expected calibration error, equal-width bins closed on the right
    ece_15: float
    ece_adaptive: float  # bins of equal numbers
    brier: float
    log_loss: float  # nats
    aurc: float  # area under the risk-coverage curve
    risk: tuple[tuple[float, float], ...]  # (coverage, share wrong) at each tenth of coverage


@dataclass(frozen=True, slots=True)
class Temperature:
    """What one model's label scores are divided by so that its probabilities fit: from held-out ID examples."""

    model: str
    n: int  # examples that it was fitted on
    value: float | None  # over 1: the model was too sure; None where nothing could be fitted
    log_loss: float | None  # mean of the right label's, in nats, before
    scaled_log_loss: float | None  # and after
    note: str  # why there is none, or that it stopped at a bound
    answers: tuple[tuple[int, tuple[float, ...]], ...]  # the right label's place, and label scores


@dataclass(frozen=True, slots=True)
class CurvePoint:
    set_key: str
    severity: int
    dose: float  # mean realised edit rate, unchanged examples included
    score: Estimate
    drop: Estimate


@dataclass(frozen=True, slots=True)
class SeverityCurve:
    """One model under one shift at several severities, against the realised dose."""

    model: str
    shift: str
    points: tuple[CurvePoint, ...]  # by dose, rising
    clean: Estimate
    area: Estimate  # mean drop over doses from 0 to the largest
    limit: float  # the drop that counts as breaking down
    breakdown: float | None  # dose at which the drop reaches it; None: not within the doses
    breakdown_low: (
        float | None
    )  # bounds over resampled originals, where almost all of them break down
    breakdown_high: float | None


@dataclass(frozen=True, slots=True)
class WorstCase:
    """One model over all paired sets of a family: per item, and per set."""

    model: str
    family: str
    sets: int
    clean: Estimate
    worst: Estimate  # mean over items of the worst score, the clean one among them
    repeats: (
        Estimate | None
    )  # the same over as many answers to the clean texts; None without repeats
    naive_set: str  # with the largest drop
    naive_drop: float
    honest_set: str | None  # chosen on one half of the originals
    honest_drop: Estimate | None  # estimated on the other


@dataclass(frozen=True, slots=True)
class NoiseFloor:
    """What differs between repeated answers of one model to the clean texts."""

    model: str
    repeats: int
    agreement: Estimate  # consistency rate: agreeing pairs of answers to one item
    largest: float  # difference between the mean scores of two repeats
    spread: float  # standard deviation of the repeats' mean scores


@dataclass(frozen=True, slots=True)
class RelativeDrop:
    """Performance drop rate of one model under one shift, severities pooled; None at or near chance."""

    model: str
    shift: str
    rate: Estimate | None
    reason: str  # why there is none


@dataclass(frozen=True, slots=True)
class CorruptionError:
    """Errors of one model over the noise shifts, relative to a baseline's; under 1 is better."""

    model: str
    baseline: str
    shifts: int
    mce: float | None
    relative_mce: float | None  # of the errors added to the clean ones
    reason: str  # why one of them is missing


@dataclass(frozen=True, slots=True)
class Extraction:
    """One model's written answers on one set, and its figures if only strictly read ones counted.

    A strictly read answer is nothing but an answer, or follows the answer's mark; a leniently read one was found in
    other text. The figures everywhere else count both. Of a group the counts are over all members' answers.
    """

    model: str
    set_key: str
    strict: int
    lenient: int  # found by the lenient parser alone
    unread: int  # found by neither: unparsed, refused or cut off, wrong both ways
    score: Estimate
    drop: Estimate | None  # None on the clean set


@dataclass(frozen=True, slots=True)
class Analysis:
    """Figures beside the drops: descriptive, never a verdict."""

    calibrations: tuple[Calibration, ...] = ()
    curves: tuple[SeverityCurve, ...] = ()
    worst_cases: tuple[WorstCase, ...] = ()
    noise_floors: tuple[NoiseFloor, ...] = ()
    relative_drops: tuple[RelativeDrop, ...] = ()
    corruption_errors: tuple[CorruptionError, ...] = ()
    extractions: tuple[Extraction, ...] = ()  # of models that write their answers
    scaled: tuple[Calibration, ...] = ()  # `calibrations` once more, after temperature scaling


Change = Literal["better", "worse", "no supported change"]


@dataclass(frozen=True, slots=True)
class DiffRow:
    """What one model does on one set in a newer run against an older one, on their common examples."""

    old_model: str
    new_model: str
    set_key: str
    what: Literal["score", "drop"]
    old: float
    new: float
    change: Estimate  # new minus old
    p_value: float
    p_holm: float
    test: str
    verdict: Change


@dataclass(frozen=True, slots=True)
class RunDiff:
    """Two runs set against one another."""

    old: str  # signature-like names of the two runs
    new: str
    metric: str
    level: float
    rows: tuple[DiffRow, ...]
    notes: tuple[str, ...]  # what only one of them has, and what is not the same in both
    higher_is_better: bool = True

    @property
    def regressed(self) -> bool:
        return any(row.verdict == "worse" for row in self.rows)


@dataclass(frozen=True, slots=True)
class StaticFigures:
    """What an adversarial set that was made before this run does to one model, by both definitions of success."""

    set_key: str
    model: str
    wrong: Estimate  # errors over all examples that were answered
    flipped: Estimate | None  # errors among those right when clean; None without originals


@dataclass(frozen=True, slots=True)
class AttackFigures:
    """What an attack did to the model that it was built against: the worst that was found, not a mean cost.

    Two success rates are in use. `flipped` counts examples that were right when clean and are wrong now, over those that
    were right; `wrong` counts all wrong answers to the set, over all its examples.
    """

    set_key: str
    model: str
    budget: int | None
    attacked: int  # right when clean, so worth attacking
    skipped: int  # wrong when clean
    succeeded: int
    suspected: (
        int  # successes whose right label may have changed; they count as successes all the same
    )
    not_repeated: int  # successes that the model answered rightly when asked again
    unanswered: int  # queries that failed
    flipped: Estimate | None  # None: nothing was right when clean
    wrong: Estimate
    queries_median: float | None  # over the attacked; None without any
    queries_p95: float | None
    edit_rate: float | None  # mean over successes, share of characters
    words_changed: float | None  # mean over successes, share of words
    similarity: float | None  # mean over successes; None without an encoder
    by_budget: tuple[
        tuple[int, float], ...
    ]  # queries allowed, and the share of all examples still right
    flipped_unsuspected: Estimate | None = None  # `flipped` without the suspects among the flips
    # Share of the attacked that random changes turn with as many queries for each; None: not run.
    control: Estimate | None = None
    control_p: float | None = None  # exact McNemar: the search against these, on the same examples
    keeps_answer: bool = (
        False  # the goal is a shorter text with the same answer: no success is a flip
    )
