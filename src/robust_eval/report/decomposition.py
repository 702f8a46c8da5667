"""What a drop is made of: wrong answers, answers that are none, and what the shift mended."""

from __future__ import annotations

from dataclasses import dataclass

from robust_eval.records import CLEAN, RunRecord, ShiftedSet, Status
from robust_eval.report import numbers as n
from robust_eval.report.cautions import name, primary
from robust_eval.report.charts import Bar, BarGroup, Chart, Legend, Part, kind_mark, stacked_bars

# Legend entries in the order of the bars' parts; the first four by status of the shifted answer.
KINDS: tuple[tuple[Status | None, str], ...] = (
    (Status.OK, "wrong answer"),
    (Status.UNPARSED, "unparsed answer"),
    (Status.REFUSED, "refusal"),
    (Status.TRUNCATED, "cut-off answer"),
    (None, "became right"),
)


@dataclass(frozen=True, slots=True)
class Pieces:
    """Shares of the examples, in the order of KINDS; the last is below zero. Their sum is the drop."""

    series: int
    set_key: str
    shares: tuple[float, ...]
    paired: bool

    @property
    def drop(self) -> float:
        return sum(self.shares)


@dataclass(frozen=True, slots=True)
class DecompositionView:
    chart: Chart
    kinds: tuple[str, ...]
    rows: tuple[tuple[int, str, tuple[str, ...], str], ...]  # series, set, parts, drop
    unpaired: bool


def decomposition(record: RunRecord) -> DecompositionView | None:
    """Every drop on the primary metric as a bar of its parts; None when nothing could be scored."""
    higher = record.dataset.task.metrics[0].higher_is_better
    clean_at = {e.id: i for i, e in enumerate(record.dataset.examples)}
    found = [
        pieces
        for s in record.sets
        for at, card in enumerate(record.models)
        if (pieces := _of(record, s, at, card.name, clean_at, 1.0 if higher else -1.0))
    ]
    if not found:
        return None
    used = [i for i in range(len(KINDS)) if any(p.shares[i] for p in found)]
    groups = [
        BarGroup(
            s.key,
            tuple(_bar(record, p) for p in found if p.set_key == s.key),
        )
        for s in record.sets
        if any(p.set_key == s.key for p in found)
    ]
    draw = {
        "title": "What each drop is made of",
        "description": "Each bar is a drop in points: to the right what was lost, by the kind of answer, to the "
        "left what became right. The table below has the same figures.",
        "caption": "points",
    }
    chart = Chart(
        stacked_bars(groups, ident="kw", wide=True, **draw),
        stacked_bars(groups, ident="kn", wide=False, **draw),
        tuple(Legend(KINDS[i][1], kind_mark(i), i) for i in used),
    )
    rows = tuple(
        (
            p.series,
            name(p.set_key),
            tuple(n.signed_points(p.shares[i]) for i in used),
            n.signed_points(p.drop),
        )
        for p in found
    )
    return DecompositionView(
        chart, tuple(KINDS[i][1] for i in used), rows, any(not p.paired for p in found)
    )


def _bar(record: RunRecord, p: Pieces) -> Bar:
    model = name(record.models[p.series].name)
    parts = tuple(
        Part(i, share, f"{model}, {name(p.set_key)}: {words}, {n.signed_points(share)} points")
        for i, (share, (_, words)) in enumerate(zip(p.shares, KINDS, strict=True))
    )
    return Bar(record.models[p.series].name, parts, p.drop)


def _of(
    record: RunRecord, s: ShiftedSet, at: int, model: str, clean_at: dict[str, int], sign: float
) -> Pieces | None:
    clean = record.scores.get((model, CLEAN, primary(record)), ())
    shifted = record.scores.get((model, s.key, primary(record)), ())
    answers = record.predictions.get((model, s.key), ())
    kind = {status: i for i, (status, _) in enumerate(KINDS)}
    sums = [0.0] * len(KINDS)
    if s.paired:
        pairs = 0
        for example, after, answer in zip(s.examples, shifted, answers, strict=False):
            before_at = clean_at.get(example.id)
            before = clean[before_at] if before_at is not None and before_at < len(clean) else None
            if before is None or after is None:
                continue
            pairs += 1
            lost = sign * (before - after)
            sums[kind.get(answer.status, 0) if lost > 0 else -1] += lost
        return Pieces(at, s.key, tuple(x / pairs for x in sums), True) if pairs else None
    for values, given, weight in (
        (shifted, answers, 1.0),
        (clean, record.predictions.get((model, CLEAN), ()), -1.0),
    ):
        answered = sum(v is not None for v in values)
        if not answered:
            return None
        for value, answer in zip(values, given, strict=False):
            if value is not None:
                wrong = 1.0 - value if sign > 0 else value
                sums[kind.get(answer.status, 0)] += weight * wrong / answered
    return Pieces(at, s.key, tuple(sums), False)
