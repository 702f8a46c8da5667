"""The conclusion in plain words: one `Summary` that the HTML, the Markdown and the terminal share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from robust_eval.records import Comparison, Gap, RunRecord, Status
from robust_eval.report import numbers as n
from robust_eval.report.cautions import limits, name, primary, warnings
from robust_eval.report.prompt_shift import texts_only
from robust_eval.report.text import one_line


@dataclass(frozen=True, slots=True)
class HeadlineRow:
    """One (model, baseline, shift), every figure as text; `comparison` holds the numbers."""

    model: str
    baseline: str
    shift: str
    verdict: str
    reason: str
    difference: str  # drop(baseline) - drop(model), points, with its interval
    p_holm: str
    clean_model: str
    clean_baseline: str
    shifted_difference: str
    drop_model: str
    drop_baseline: str
    comparison: Comparison


@dataclass(frozen=True, slots=True)
class DropRow:
    """One model on one shifted set, as text; `gap` holds the numbers."""

    model: str
    set_key: str
    clean: str
    shifted: str
    drop: str
    gap: Gap


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run concludes. Texts hold no control characters and need no further thought to print.

    `headline` is one sentence; `sentences` say the same for each further pair of models, and the
    figures behind it; `limits` say what the figures cannot show.
    """

    title: str
    headline: str
    sentences: tuple[str, ...]
    rows: tuple[HeadlineRow, ...]
    drops: tuple[DropRow, ...]
    warnings: tuple[str, ...]
    limits: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class VerdictView:
    summary: Summary
    pairs: tuple[tuple[HeadlineRow, ...], ...]  # the rows of one model and one baseline together


def verdict(record: RunRecord) -> VerdictView:
    """The first section: the conclusion and the table that it rests on."""
    said = summary(record)
    of_pair = groupby(said.rows, key=lambda row: (row.comparison.model, row.comparison.baseline))
    return VerdictView(said, tuple(tuple(rows) for _, rows in of_pair))


def summary_title(record: RunRecord) -> str:
    return f"Robustness gap: {name(record.dataset.name)}"


def limit_list(record: RunRecord) -> tuple[str, ...]:
    """The last section: what the figures cannot show."""
    return tuple(limits(record))


def summary(record: RunRecord) -> Summary:
    """The conclusion of a run, its headline rows, its warnings and its limits: pure data.

    The conclusion is about shifted texts; prompt-side sets have a section of their own, and lead only where
    the run has no others.
    """
    if any(s.family != "prompt" for s in record.sets):
        record = texts_only(record)
    rows = tuple(_row(c) for c in headline_comparisons(record))
    headline, sentences = _conclusion(record, [row.comparison for row in rows])
    return Summary(
        title=summary_title(record),
        headline=headline,
        sentences=tuple(sentences),
        rows=rows,
        drops=tuple(
            DropRow(
                name(gap.model),
                name(gap.set_key),
                n.percent(gap.clean.value),
                n.percent(gap.shifted.value),
                n.with_bounds(gap.drop),
                gap,
            )
            for gap in record.gaps
            if gap.metric == primary(record)
        ),
        warnings=tuple(warnings(record)),
        limits=tuple(limits(record)),
    )


def headline_comparisons(record: RunRecord) -> list[Comparison]:
    """Whole-shift comparisons on the primary metric, the Holm family: pair by pair, floors last.

    A floor is a control, not the question, so a comparison with one never leads.
    """
    compared = [c for c in record.comparisons if c.set_key is None and c.metric == primary(record)]
    floors = {card.name for card in record.models if card.kind == "floor"}
    order: dict[tuple[str, str], int] = {}
    for c in compared:
        order.setdefault((c.model, c.baseline), len(order))
    return sorted(compared, key=lambda c: (c.baseline in floors, order[c.model, c.baseline]))


def _row(c: Comparison) -> HeadlineRow:
    return HeadlineRow(
        model=name(c.model),
        baseline=name(c.baseline),
        shift=name(c.shift),
        verdict=c.verdict,
        reason=one_line(c.reason),
        difference=n.with_bounds(c.difference, signed=True),
        p_holm=n.p_value(c.p_holm),
        clean_model=n.percent(c.clean_model.value),
        clean_baseline=n.percent(c.clean_baseline.value),
        shifted_difference=n.with_bounds(c.shifted_difference, signed=True),
        drop_model=n.with_bounds(c.drop_model),
        drop_baseline=n.with_bounds(c.drop_baseline),
        comparison=c,
    )


# --- the conclusion ------------------------------------------------------------------------------


def _conclusion(record: RunRecord, compared: Sequence[Comparison]) -> tuple[str, list[str]]:
    pairs = list(dict.fromkeys((c.model, c.baseline) for c in compared))
    if not pairs:
        return _without_comparison(record)
    of = {pair: [c for c in compared if (c.model, c.baseline) == pair] for pair in pairs}
    lead = pairs[0]
    if len({model for model, _ in pairs}) == 1:
        return (
            _pair_sentence(of[lead], lead=True),
            [
                *_figures(of[lead]),
                *(_pair_sentence(of[pair], lead=False) for pair in pairs[1:]),
            ],
        )
    tally = Counter(c.verdict for c in compared)
    says = {
        "loses less": "the model loses less",
        "loses more": "the model loses more",
        "no supported difference": "no difference is supported",
        "not comparable": "no fair comparison is possible",
    }
    parts = [f"{words} in {tally[verdict]}" for verdict, words in says.items() if tally[verdict]]  # type: ignore[index]
    headline = f"Of {n.counted(len(compared), 'comparison')} of a model with a baseline, {n.listed(parts)}."
    return headline, [_pair_sentence(of[pair], lead=False) for pair in pairs]


def _pair_sentence(compared: Sequence[Comparison], *, lead: bool) -> str:
    """What one model loses against one baseline, shift by shift."""
    model, baseline = name(compared[0].model), name(compared[0].baseline)
    by_verdict: dict[str, list[str]] = {}
    for c in compared:
        by_verdict.setdefault(c.verdict, []).append(name(c.shift))
    clauses: list[str] = []
    for verdict, verb in (("loses less", "loses less"), ("loses more", "loses more")):
        if shifts := by_verdict.get(verdict):
            subject = f"{model} {verb} than {baseline}" if not clauses else f"it {verb}"
            clauses.append(f"{subject} under {_shifts(shifts, compared)}")
    between = "" if clauses else f"between {model} and {baseline}, "
    if shifts := by_verdict.get("no supported difference"):
        clauses.append(
            f"{between}no difference in loss is supported under {_shifts(shifts, compared)}"
        )
        between = ""
    if shifts := by_verdict.get("not comparable"):
        clauses.append(f"{between}no fair comparison is possible under {_shifts(shifts, compared)}")
    sentence = "; ".join(clauses) + "."
    if not lead:
        return _capital(sentence)
    return f"When the test set shifts, {sentence}"


def _capital(sentence: str) -> str:
    """`between` at the start of a sentence gets its capital; a model's name keeps its own."""
    return "B" + sentence[1:] if sentence.startswith("between ") else sentence


def _shifts(shifts: Sequence[str], compared: Sequence[Comparison]) -> str:
    if len(shifts) == len(compared) > 1:
        which = "both shifts" if len(shifts) == 2 else f"all {len(shifts)} shifts"
        return f"{which} ({n.listed(shifts)})"
    return n.listed(shifts)


def _figures(compared: Sequence[Comparison]) -> list[str]:
    """The figures that the lead sentence rests on: clean scores, then the clearest difference."""
    first = compared[0]
    model, baseline = name(first.model), name(first.baseline)
    said = [
        f"On the clean test set {model} scores {n.percent(first.clean_model.value)} and "
        f"{baseline} {n.percent(first.clean_baseline.value)}."
    ]
    supported = [c for c in compared if c.verdict in ("loses less", "loses more")]
    if supported:
        c = max(supported, key=lambda c: (abs(c.difference.value), c.shift))
        holm = "" if c.p_holm is None else f", Holm-adjusted {n.p_is(c.p_holm)}"
        said.append(
            f"The largest supported difference is under {name(c.shift)}: {model} "
            f"{lost(c.drop_model.value)}, {baseline} {lost(c.drop_baseline.value)} "
            f"({n.level(c.difference.level)} interval of the difference "
            f"{n.bounds(c.difference, signed=True)}{holm})."
        )
    return said


def lost(share: float) -> str:
    """`lost 3.2 points`, `gained 0.5 points`, `lost nothing`."""
    text = n.points(abs(share))
    if float(text) == 0:
        return "lost nothing"
    return f"{'lost' if share > 0 else 'gained'} {text} points"


def _without_comparison(record: RunRecord) -> tuple[str, list[str]]:
    gaps = [gap for gap in record.gaps if gap.metric == primary(record)]
    if not gaps:
        answered = any(
            p.status is not Status.FAILED for ps in record.predictions.values() for p in ps
        )
        why = "no shifted set could be scored" if answered else "no model gave an answer"
        return f"Nothing can be concluded: {why}.", []
    sentences = []
    for model in dict.fromkeys(gap.model for gap in gaps):
        drops = [g for g in gaps if g.model == model]
        worst = max(drops, key=lambda g: (g.drop.value, g.set_key))
        sentences.append(_worst(worst, len(drops)))
    tail = (
        "No baseline was given, so nothing is compared."
        if not any(card.role == "baseline" for card in record.models)
        else "No comparison could be made."
    )
    if len(sentences) == 1:
        return sentences[0], [tail]
    return tail, sentences


def _worst(gap: Gap, of: int) -> str:
    d = gap.drop
    if d.value <= 0:
        return f"{name(gap.model)} loses nothing under any shift that was tested."
    chosen = f", the largest of {of} and so likely to be overstated" if of > 1 else ""
    doubt = "; the interval holds zero" if d.low <= 0 else ""
    return (
        f"{name(gap.model)} loses {n.points(d.value)} points under {name(gap.set_key)}{chosen} "
        f"({n.level(d.level)} interval {n.bounds(d)}{doubt})."
    )
