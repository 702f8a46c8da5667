"""The reference line: a panel's scores under a shift against its clean ones, and where a run's models lie."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from robust_eval.records import (
    CLEAN,
    Estimate,
    Gap,
    LineVerdict,
    Metric,
    ModelCard,
    OffLine,
    Panel,
    ReferenceLine,
    RunRecord,
    ShiftedSet,
)
from robust_eval.score.table import Table, shared_ids
from robust_eval.stats import line, means

STEPS = 24  # of the band that the report draws


def origin(shifted: ShiftedSet) -> str:
    """Which data a set is drawn from, or how it is made, whatever the draw: `revision` of a natural shift."""
    before, mark, after = shifted.source.partition(", revision ")
    return after.partition(", content ")[0] if mark else before


def clean_origin(record: RunRecord) -> str:
    """The fingerprint of all the data that the clean set was drawn from; empty when the run does not say."""
    fingerprints = record.splits.get("fingerprints") or {}
    return str(fingerprints.get("dataset", ""))


def panel_mismatch(record: RunRecord, panel: Panel) -> str:
    """Why a panel says nothing about this run, in words; empty when it does."""
    about = record.dataset
    if panel.task != about.task.kind.value or panel.metric != about.task.metrics[0].name:
        return f"the panel is about {panel.metric} in {panel.task}, the run is not"
    if panel.labels != about.labels:
        return f"the panel has other labels: {', '.join(panel.labels)}"
    if panel.dataset.origin != clean_origin(record):
        return f"the panel's clean set is drawn from other data: {panel.dataset.population}"
    if not any(_about(panel, s) for s in record.sets):
        return f"the run has none of the panel's shifts: {', '.join(s.key for s in panel.shifts)}"
    return ""


def reference_lines(record: RunRecord, *, level: float = 0.95) -> tuple[ReferenceLine, ...]:
    """A line for every set of the run that the record's panel was asked too; none without a panel.

    A panel that does not fit the run gives one line without figures, whose refusal says why.
    """
    panel = record.panel
    if panel is None:
        return ()
    if reason := panel_mismatch(record, panel):
        return (_refused("", panel, reason),)
    table = Table.of(record.dataset, record.sets, record.models, record.predictions, record.scores)
    gaps = {
        (g.model, g.set_key): g
        for g in record.gaps
        if g.metric == record.dataset.task.metrics[0].name
    }
    found = []
    for shifted in record.sets:
        if not _about(panel, shifted):
            continue
        fitted = panel_line(panel, shifted.key)
        if isinstance(fitted, str):
            found.append(_refused(shifted.key, panel, fitted))
            continue
        found.append(_line(fitted, panel, shifted, table, record, gaps, level))
    return tuple(found)


def _about(panel: Panel, shifted: ShiftedSet) -> bool:
    return any(s.key == shifted.key and s.origin == origin(shifted) for s in panel.shifts)


def _refused(key: str, panel: Panel, reason: str) -> ReferenceLine:
    members = len(panel.members)
    return ReferenceLine(key, panel.name, members, None, None, None, None, None, (), reason, ())


def panel_line(panel: Panel, key: str) -> line.Line | str:
    """The line through the members' scores, or why there is none."""
    n = len(panel.members)
    if n < line.FEWEST:
        return f"the panel has {n} members, and under {line.FEWEST} give no line to judge by"
    clean = [line.probit(m.clean.score, m.clean.n) for m in panel.members]
    shifted = [line.probit(m.shifted[key].score, m.shifted[key].n) for m in panel.members]
    if max(clean) - min(clean) < 1e-6:
        return "all members have the same clean score"
    fitted = line.fit(clean, shifted)
    if fitted.r2 < line.LEAST_R2:
        return (
            f"R² of the panel is {fitted.r2:.2f}: clean scores explain less than half of what differs between its "
            f"{n} members under this shift"
        )
    return fitted


def _line(
    fitted: line.Line,
    panel: Panel,
    shifted: ShiftedSet,
    table: Table,
    record: RunRecord,
    gaps: dict[tuple[str, str], Gap],
    level: float,
) -> ReferenceLine:
    scores = [m.clean.score for m in panel.members]
    low, high = min(scores), max(scores)
    own = [
        gaps[card.name, shifted.key].clean.value
        for card in record.models
        if (card.name, shifted.key) in gaps
    ]
    return ReferenceLine(
        set_key=shifted.key,
        panel=panel.name,
        members=len(panel.members),
        slope=fitted.slope,
        intercept=fitted.intercept,
        r2=fitted.r2,
        scatter=fitted.scatter,
        range=(low, high),
        band=tuple((x, *line.band(fitted, x, level=level)) for x in _steps([*scores, *own])),
        refusal="",
        models=tuple(
            _off_line(
                _others(panel, card, record),
                gaps[card.name, shifted.key],
                shifted,
                table,
                card,
                level,
            )
            for card in record.models
            if (card.name, shifted.key) in gaps
        ),
    )


def _others(panel: Panel, card: ModelCard, record: RunRecord) -> Panel:
    """The panel without this very model, or the members of this group: none is judged by a line through itself."""
    own = {card.fingerprint, *(m.fingerprint for m in record.members if m.name in card.members)}
    return replace(
        panel,
        members=tuple(m for m in panel.members if not m.fingerprint or m.fingerprint not in own),
    )


def _steps(scores: Sequence[float]) -> list[float]:
    """Clean scores from the least to the greatest, evenly spaced as probits."""
    inside = [min(max(s, 0.001), 0.999) for s in scores]
    first, last = line.probit(min(inside)), line.probit(max(inside))
    return [line.share(first + (last - first) * i / STEPS) for i in range(STEPS + 1)]


def _off_line(
    panel: Panel,
    gap: Gap,
    shifted: ShiftedSet,
    table: Table,
    card: ModelCard,
    level: float,
) -> OffLine:
    metric = table.dataset.task.metrics[0]
    fitted = panel_line(panel, shifted.key)
    if isinstance(fitted, str):
        why = f"{fitted} without this very model"
        return OffLine(card.name, gap.clean, gap.shifted, None, None, None, "refused", why)
    scores = [m.clean.score for m in panel.members]
    low, high = min(scores), max(scores)
    if gap.clean.high < low or gap.clean.low > high:
        where = "under" if gap.clean.high < low else "over"
        why = (
            f"its clean score lies {where} every member's ({low:.1%} to {high:.1%}), its interval included, "
            "so the line says nothing there"
        )
        return OffLine(card.name, gap.clean, gap.shifted, None, None, None, "refused", why)
    clean, after = _moments(table, card.name, shifted, metric)
    found = line.off_line(
        fitted,
        clean,
        after,
        between=_between(fitted, table, card, shifted, metric),
        level=level,
    )
    effective = found.effective if metric.higher_is_better else _turned(found.effective)
    verdict: LineVerdict = "not told from the line"
    if effective.low > 0:
        verdict = "more robust than the line"
    elif effective.high < 0:
        verdict = "less robust than the line"
    outside = not low <= gap.clean.value <= high
    reason = (
        "its clean score lies beyond the members', though not by more than its own error"
        if outside
        else ""
    )
    return OffLine(
        card.name,
        gap.clean,
        gap.shifted,
        found.expected,
        effective,
        (found.own, found.scatter, found.fit),
        verdict,
        reason,
    )


def _turned(estimate: Estimate) -> Estimate:
    """For a metric that is better when lower: positive still means the better score."""
    return replace(estimate, value=-estimate.value, low=-estimate.high, high=-estimate.low)


def _moments(
    table: Table, model: str, shifted: ShiftedSet, metric: Metric
) -> tuple[means.Moments, means.Moments]:
    """Means of both scores with their errors, on the items that the gap rests on."""
    clean, after = table.arm(model, CLEAN, metric), table.arm(model, shifted.key, metric)
    ids = shared_ids([after, clean]) if shifted.paired else sorted(after.by_id)
    clean_ids = ids if shifted.paired else sorted(clean.by_id)
    return (
        means.moments(
            clean.values(clean_ids), clean.clusters(clean_ids), pseudo=means.SCORE_PSEUDO
        ),
        means.moments(after.values(ids), after.clusters(ids), pseudo=means.SCORE_PSEUDO),
    )


def _between(
    fitted: line.Line, table: Table, card: ModelCard, shifted: ShiftedSet, metric: Metric
) -> float:
    """The variance that a group's members bring to its distance from the line; 0 for a single model."""
    found = []
    for member in card.members:
        clean, after = _moments(table, member, shifted, metric)
        at = line.probit(clean.value, clean.n)
        found.append(line.probit(after.value, after.n) - fitted.at(at))
    if len(found) < 2:
        return 0.0
    mean = math.fsum(found) / len(found)
    return math.fsum((d - mean) ** 2 for d in found) / (len(found) - 1) / len(found)
