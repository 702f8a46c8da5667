"""Figures beside the drops as tables: worst cases, relative drops, mCE, severity areas, calibration, noise."""

from __future__ import annotations

from dataclasses import dataclass

from robust_eval.records import CLEAN, RelativeDrop, RunRecord
from robust_eval.report import numbers as n
from robust_eval.report.cautions import name
from robust_eval.report.text import one_line


@dataclass(frozen=True, slots=True)
class Table:
    ident: str
    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: int  # columns of words before the figures


def further(record: RunRecord) -> tuple[Table, ...] | None:
    """Every table that has a row; None for runs that hold no such figures."""
    if record.analysis is None:
        return None
    makers = (_worst, _curves, _relative, _corruption, _noise, _calibration, _risk)
    tables = tuple(table for maker in makers if (table := maker(record)).rows)
    return tables or None


def _worst(record: RunRecord) -> Table:
    assert record.analysis is not None
    rows = tuple(
        (
            name(w.model),
            w.family,
            n.count(w.sets),
            n.percent(w.clean.value),
            n.with_bounds(w.worst),
            n.with_bounds(w.repeats) if w.repeats else "–",
            f"{name(w.naive_set)}: {n.points(w.naive_drop)}",
            f"{name(w.honest_set)}: {n.with_bounds(w.honest_drop)}"
            if w.honest_set and w.honest_drop
            else "–",
        )
        for w in record.analysis.worst_cases
    )
    return Table(
        "worst",
        "Worst case. Per item: the mean of each item's lowest score, the clean one included; it falls with the number "
        "of sets even for a model that is merely noisy, so as many clean repeats stand beside it where "
        "there are some. Per set: the set with the largest drop as it looks, and chosen on one half of the "
        "originals but estimated on the other.",
        ("Model", "Family", "Sets", "Clean", "Worst case", "Worst of clean repeats", "Worst set, naive", "Worst set, honest"),
        rows,
        2,
    )  # fmt: skip


def _curves(record: RunRecord) -> Table:
    assert record.analysis is not None
    rows = tuple(
        (
            name(c.model),
            name(c.shift),
            f"{n.percent(c.points[0].dose)} to {n.percent(c.points[-1].dose)}",
            n.with_bounds(c.area),
            "not within these doses" if c.breakdown is None else n.percent(c.breakdown),
            "–"
            if c.breakdown_low is None or c.breakdown_high is None
            else f"{n.percent(c.breakdown_low)} to {n.percent(c.breakdown_high)}",
        )
        for c in record.analysis.curves
    )
    return Table(
        "curves",
        "Severity against realised dose (share of characters edited). Area: the mean drop in points over doses from "
        "0 to the largest. Breakdown: the dose at which the drop reaches five points.",
        ("Model", "Shift", "Doses", "Area", "Breakdown", "Bounds"),
        rows,
        2,
    )


def _relative(record: RunRecord) -> Table:
    """A row a shift, a column a model."""
    assert record.analysis is not None
    found = {(r.shift, r.model): r for r in record.analysis.relative_drops}
    models = dict.fromkeys(model for _, model in found)
    return Table(
        "relative",
        "Performance drop rate: the drop as a share of the clean score, in percent. None is given at or near chance.",
        ("Shift", *(name(model) for model in models)),
        tuple(
            (name(shift), *(_rate(found.get((shift, model))) for model in models))
            for shift in dict.fromkeys(shift for shift, _ in found)
        ),
        1,
    )


def _rate(drop: RelativeDrop | None) -> str:
    if drop is None:
        return "–"
    return n.with_bounds(drop.rate) if drop.rate else "– (at or near chance)"


def _corruption(record: RunRecord) -> Table:
    assert record.analysis is not None
    rows = tuple(
        (
            name(c.model),
            name(c.baseline),
            n.count(c.shifts),
            "–" if c.mce is None else n.number(c.mce, 2),
            "–" if c.relative_mce is None else n.number(c.relative_mce, 2),
            one_line(c.reason),
        )
        for c in record.analysis.corruption_errors
    )
    return Table(
        "mce",
        "Mean corruption error over the noise shifts, as a share of the baseline's errors; relative: of the errors "
        "added to the clean ones. Under 1, the model makes fewer.",
        ("Model", "Baseline", "Shifts", "mCE", "Relative mCE", "Note"),
        rows,
        2,
    )


def _noise(record: RunRecord) -> Table:
    assert record.analysis is not None
    rows = tuple(
        (
            name(f.model),
            n.count(f.repeats),
            n.with_bounds(f.agreement),
            n.points(f.largest),
            n.points(f.spread),
        )
        for f in record.analysis.noise_floors
    )
    return Table(
        "noise",
        "Noise floor: the same clean texts asked again. Agreement: agreeing pairs of answers to one text, in "
        "percent. A drop that is no larger than the difference between two repeats says nothing.",
        ("Model", "Repeats", "Agreement", "Largest difference of two repeats", "Standard deviation over repeats"),
        rows,
        1,
    )  # fmt: skip


def _calibration(record: RunRecord) -> Table:
    assert record.analysis is not None
    rows = tuple(
        (
            name(c.model),
            CLEAN if c.set_key == CLEAN else name(c.set_key),
            n.count(c.n),
            n.percent(c.confidence),
            n.percent(c.accuracy),
            n.number(c.ece_10, 3),
            n.number(c.ece_15, 3),
            n.number(c.ece_adaptive, 3),
            n.number(c.brier, 3),
            n.number(c.log_loss, 3),
            n.number(c.aurc, 3),
        )
        for c in record.analysis.calibrations
    )
    return Table(
        "calibration-figures",
        "Calibration of the probability that a model gave to its own answer. ECE with 10 and 15 bins of equal width, "
        "and with bins of equal numbers; AURC: mean share wrong over all coverages, lower is better.",
        ("Model", "Set", "Answers", "Confidence", "Right", "ECE 10", "ECE 15", "ECE adaptive", "Brier", "Log loss", "AURC"),
        rows,
        2,
    )  # fmt: skip


def _risk(record: RunRecord) -> Table:
    assert record.analysis is not None
    known = {(c.model, c.set_key): c.risk for c in record.analysis.calibrations}
    found = [(c, "") for c in record.analysis.calibrations]
    found += [
        (c, ", temperature scaled")
        for c in record.analysis.scaled
        if c.risk != known.get((c.model, c.set_key))
    ]
    return Table(
        "risk-coverage",
        "Risk by coverage: the share wrong, in percent, when only the surest tenth, two tenths and so on are "
        "answered. A temperature never changes which of two labels is surer, so with two labels these stay.",
        ("Model", "Set", *(f"{tenth * 10}%" for tenth in range(1, 11))),
        tuple(
            (
                name(c.model),
                (CLEAN if c.set_key == CLEAN else name(c.set_key)) + said,
                *(n.points(wrong) for _, wrong in c.risk),
            )
            for c, said in found
        ),
        2,
    )
