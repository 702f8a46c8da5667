"""Which charts a run record gives, each drawn for a wide page and for a phone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from robust_eval.records import FAMILIES, Gap, RunRecord, ShiftedSet
from robust_eval.report import numbers as n
from robust_eval.report.cautions import name, primary
from robust_eval.report.charts import (
    COLOURS,
    Chart,
    Curve,
    ForestRow,
    Legend,
    Mark,
    Point,
    Spot,
    clean_against_shifted,
    forest,
    legend_mark,
    severity_curves,
)
from robust_eval.report.views import majority, mean_dose
from robust_eval.report.words import headline_comparisons


def series(record: RunRecord) -> tuple[Legend, ...]:
    """The models in order, each with its marker and colour."""
    return tuple(
        Legend(name(card.name), legend_mark(i), i % COLOURS) for i, card in enumerate(record.models)
    )


@dataclass(frozen=True, slots=True)
class GapsView:
    difference: Chart | None
    gaps: Chart | None


def gaps(record: RunRecord) -> GapsView:
    """The two forest plots: who loses less, and what each model loses."""
    return GapsView(difference_chart(record), gap_chart(record))


def severities(record: RunRecord) -> tuple[tuple[str, str], ...] | None:
    """(shift, SVG) for every shift that was run at several severities; None when there is none."""
    return severity_charts(record) or None


def difference_chart(record: RunRecord) -> Chart | None:
    """The headline as a picture: the difference of drops by shift, one mark a pair of models."""
    compared = headline_comparisons(record)
    if not compared:
        return None
    pairs = list(dict.fromkeys((c.model, c.baseline) for c in compared))
    rows = []
    for shift in dict.fromkeys(c.shift for c in compared):
        marks = tuple(
            Mark(
                pairs.index((c.model, c.baseline)),
                c.difference,
                f"{name(c.model)} against {name(c.baseline)}, {name(c.shift)}: "
                f"{n.with_bounds(c.difference, signed=True)} points; {c.verdict}",
            )
            for c in compared
            if c.shift == shift
        )
        rows.append(ForestRow(shift, marks))
    legend = tuple(
        Legend(f"{name(m)} against {name(b)}", legend_mark(i), i % COLOURS)
        for i, (m, b) in enumerate(pairs)
    )
    draw = {
        "title": "Difference of drops by shift",
        "description": "Drop of the baseline minus drop of the model, in points, with intervals. Right of "
        "zero the model loses less. The headline table has the same figures.",
        "axis": ("model loses more", "difference of drops, points", "model loses less"),
        "signed": True,
    }
    return Chart(
        forest(rows, ident="dw", wide=True, **draw),  # type: ignore[arg-type]
        forest(rows, ident="dn", wide=False, **draw),  # type: ignore[arg-type]
        legend,
    )


def gap_chart(record: RunRecord) -> Chart | None:
    """Every set's drop for every model, with its interval, around zero."""
    index = {card.name: i for i, card in enumerate(record.models)}
    by_set: dict[str, list[Mark]] = {}
    for s in record.sets:
        marks = [
            Mark(
                index.get(g.model, len(index)),
                g.drop,
                f"{name(g.model)}, {name(g.set_key)}: drop {n.with_bounds(g.drop)} points, from "
                f"{n.percent(g.clean.value)} to {n.percent(g.shifted.value)}",
            )
            for g in record.gaps
            if g.set_key == s.key and g.metric == primary(record)
        ]
        if marks:
            by_set[s.key] = sorted(marks, key=lambda mark: mark.series)
    if not by_set:
        return None
    rows = [ForestRow(key, tuple(marks)) for key, marks in by_set.items()]
    draw = {
        "title": "Drop by shifted set and model",
        "description": "Clean score minus shifted score, in points, with intervals. Right of zero the "
        "model loses. The tables by shift have the same figures.",
        "axis": ("gains", "drop, points", "loses"),
    }
    return Chart(
        forest(rows, ident="gw", wide=True, **draw),  # type: ignore[arg-type]
        forest(rows, ident="gn", wide=False, **draw),  # type: ignore[arg-type]
        series(record),
        tuple(
            f"{name(card.name)} on {name(s.key)}"
            for card in record.models
            for s in record.sets
            if not any(
                g.model == card.name and g.set_key == s.key and g.metric == primary(record)
                for g in record.gaps
            )
        ),
    )


def severity_charts(record: RunRecord) -> tuple[tuple[str, str], ...]:
    """(shift, SVG) for every shift that was run at several severities."""
    index = {card.name: i for i, card in enumerate(record.models)}
    gaps = {(g.model, g.set_key): g for g in record.gaps if g.metric == primary(record)}
    charts = []
    for at, shift in enumerate(dict.fromkeys(s.shift for s in record.sets)):
        sets = [s for s in record.sets if s.shift == shift and s.severity is not None]
        if len({s.severity for s in sets}) < 2:
            continue
        curves = []
        for card in record.models:
            for seed in dict.fromkeys(s.seed for s in sets):
                found = [
                    (s, gaps[card.name, s.key])
                    for s in sorted(sets, key=lambda s: s.severity or 0)
                    if s.seed == seed and (card.name, s.key) in gaps
                ]
                if found:
                    curves.append(Curve(index[card.name], _points(card.name, found)))
        if curves:
            svg = severity_curves(
                curves,
                ident=f"v{at}",
                title=f"Score by severity: {name(shift)}",
                description="Score of each model on the clean set and at each severity, with intervals. "
                "The table of this shift has the same figures.",
                floor=majority(record) if primary(record) == "accuracy" else None,
            )
            charts.append((name(shift), svg))
    return tuple(charts)


def _points(model: str, found: Sequence[tuple[ShiftedSet, Gap]]) -> tuple[Point, ...]:
    clean = found[0][1].clean
    points = [
        Point(0, 0.0, clean, f"{name(model)}, clean: {_score(clean.value, clean.low, clean.high)}")
    ]
    for s, gap in found:
        e = gap.shifted
        dose = mean_dose(s)
        realised = "" if dose is None else f"; realised edit rate {n.percent(dose)}"
        points.append(
            Point(
                s.severity or 0,
                dose,
                e,
                f"{name(model)}, {name(s.key)}: {_score(e.value, e.low, e.high)}{realised}",
            )
        )
    return tuple(points)


def _score(value: float, low: float, high: float) -> str:
    return f"{n.percent(value)} ({n.percent(low)} to {n.percent(high)})"


def against_clean(record: RunRecord) -> tuple[tuple[str, str], ...] | None:
    """(family, SVG): score on the shifted set by score on the clean one; None when nothing was scored."""
    index = {card.name: i for i, card in enumerate(record.models)}
    charts = []
    for family in FAMILIES:
        keys = {s.key for s in record.sets if s.family == family}
        spots = [
            Spot(
                index.get(g.model, len(index)),
                g.clean,
                g.shifted,
                f"{name(g.model)}, {name(g.set_key)}: "
                f"clean {_score(g.clean.value, g.clean.low, g.clean.high)}, "
                f"shifted {_score(g.shifted.value, g.shifted.low, g.shifted.high)}",
            )
            for g in record.gaps
            if g.set_key in keys and g.metric == primary(record)
        ]
        if spots:
            svg = clean_against_shifted(
                spots,
                ident=f"io-{family}",
                title=f"Clean against shifted scores: {family}",
                description="One mark a model and set, with intervals both ways. On the dashed line nothing is lost; "
                "the further under it, the more. The tables by shift have the same figures.",
            )
            charts.append((family, svg))
    return tuple(charts) or None
