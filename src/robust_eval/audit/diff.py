"""What changed between two runs, as far as the statistics support it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from robust_eval.errors import DataError
from robust_eval.records import (
    CLEAN,
    Change,
    DiffRow,
    Estimate,
    Example,
    RunDiff,
    RunRecord,
)
from robust_eval.stats import choice, means, multiple

MOST_NAMED = 5  # sets or models in one note


@dataclass(frozen=True, slots=True)
class Side:
    """One run's scores of one model on one set by example id, failed ones left out."""

    scores: Mapping[str, float]
    examples: Mapping[str, Example]


def diff(old: RunRecord, new: RunRecord, *, names: tuple[str, str] = ("old", "new")) -> RunDiff:
    """Scores and drops of every model that both runs have, on examples that are the same in both.

    Tests are paired, and Holm-adjusted over all rows. A verdict needs the adjusted p and an interval that
    leaves 0 out. Models are matched by name; one model that only the old run has and one that only the new
    run has stand for one another. Raises DataError when the runs share no example or have other metrics.
    """
    metric = old.dataset.task.metrics[0]
    if metric != new.dataset.task.metrics[0]:
        raise DataError(
            f"the runs are measured by {metric.name} and {new.dataset.task.metrics[0].name}; "
            "they cannot be compared"
        )
    level = float(new.settings.get("level", 0.95))
    sign = 1.0 if metric.higher_is_better else -1.0
    pairs, notes = _matched(old, new)
    rows: list[DiffRow] = []
    shared = [s.key for s in old.sets if s.key in {t.key for t in new.sets}]
    for before, after in pairs:
        rows += _rows(old, new, before, after, [CLEAN, *shared], metric.name, sign, level, notes)
    if not rows:
        raise DataError(
            "the two runs share no model with an example that is the same in both; nothing can be compared"
        )
    adjusted = multiple.holm([row.p_value for row in rows])
    judged = tuple(_judged(row, p, sign) for row, p in zip(rows, adjusted, strict=True))
    for name, one, other in ((names[0], old, new), (names[1], new, old)):
        only = [s.key for s in one.sets if s.key not in {t.key for t in other.sets}]
        if only:
            notes.append(f"only in {name}: {_listed(only)}")
    changed = sorted(
        k for k in {*old.settings, *new.settings} if old.settings.get(k) != new.settings.get(k)
    )
    if changed:
        notes.append(f"settings that differ: {', '.join(changed)}")
    higher = metric.higher_is_better
    return RunDiff(names[0], names[1], metric.name, level, judged, tuple(notes), higher)


def _matched(old: RunRecord, new: RunRecord) -> tuple[list[tuple[str, str]], list[str]]:
    notes: list[str] = []
    newer = {card.name for card in new.models}
    pairs = [(card.name, card.name) for card in old.models if card.name in newer]
    named = {name for name, _ in pairs}
    for role in ("model", "baseline"):
        gone = [c.name for c in old.models if c.role == role and c.name not in named]
        come = [c.name for c in new.models if c.role == role and c.name not in named]
        if len(gone) == len(come) == 1:
            pairs.append((gone[0], come[0]))
            notes.append(f"{come[0]} stands for {gone[0]}: the only {role} without a namesake")
        elif gone or come:
            notes.append(f"{role}s without a namesake: {_listed([*gone, *come])}")
    return pairs, notes


def _rows(
    old: RunRecord,
    new: RunRecord,
    before: str,
    after: str,
    keys: Sequence[str],
    metric: str,
    sign: float,
    level: float,
    notes: list[str],
) -> Iterator[DiffRow]:
    clean = (_side(old, before, CLEAN, metric), _side(new, after, CLEAN, metric))
    for key in keys:
        sides = (_side(old, before, key, metric), _side(new, after, key, metric))
        if None in (*sides, *clean):
            continue
        a, b = sides
        assert a is not None
        assert b is not None
        ids = sorted(i for i in a.scores if i in b.scores and _alike(a, b, i))
        other = len({*a.scores, *b.scores}) - len(ids)
        if other:
            note = (
                f"{key}: {other} examples are not in both runs, or not the same, and are left out"
            )
            if note not in notes:
                notes.append(note)
        if not ids:
            continue
        first, second = [b.scores[i] for i in ids], [a.scores[i] for i in ids]
        clusters = [a.examples[i].source_id for i in ids]
        change, p, test = choice.paired_difference(first, second, clusters, level=level)
        yield _row(before, after, key, "score", second, first, change, p, test)
        drops = _drops(clean, (a, b), ids, sign) if key != CLEAN else None
        if drops is not None:
            kept, was, now = drops
            change, p, test = choice.mean_difference(
                [y - x for x, y in zip(was, now, strict=True)],
                [a.examples[i].source_id for i in kept],
                level=level,
                bounds=means.DIFFERENCE_RANGE,
            )
            yield _row(before, after, key, "drop", was, now, change, p, test)


def _drops(
    clean: tuple[Side | None, Side | None],
    sides: tuple[Side, Side],
    ids: Sequence[str],
    sign: float,
) -> tuple[list[str], list[float], list[float]] | None:
    """Both runs' losses on the items whose clean text is the same in both; None for unpaired sets."""
    one, other = clean
    assert one is not None
    assert other is not None
    kept = [i for i in ids if i in one.scores and i in other.scores and _alike(one, other, i)]
    if not kept:
        return None
    return (
        kept,
        [sign * (one.scores[i] - sides[0].scores[i]) for i in kept],
        [sign * (other.scores[i] - sides[1].scores[i]) for i in kept],
    )


def _side(record: RunRecord, model: str, key: str, metric: str) -> Side | None:
    scores = record.scores.get((model, key, metric))
    if scores is None:
        return None
    examples = (
        record.dataset.examples
        if key == CLEAN
        else next(s.examples for s in record.sets if s.key == key)
    )
    known = {e.id: e for e in examples}
    return Side({e.id: s for e, s in zip(examples, scores, strict=True) if s is not None}, known)


def _alike(a: Side, b: Side, i: str) -> bool:
    one, other = a.examples[i], b.examples[i]
    return dict(one.inputs) == dict(other.inputs) and one.target == other.target


def _row(
    before: str,
    after: str,
    key: str,
    what: str,
    was: Sequence[float],
    now: Sequence[float],
    change: Estimate,
    p: float,
    test: str,
) -> DiffRow:
    return DiffRow(
        before,
        after,
        key,
        "score" if what == "score" else "drop",
        math.fsum(was) / len(was),
        math.fsum(now) / len(now),
        change,
        p,
        1.0,
        test,
        "no supported change",
    )


def _judged(row: DiffRow, p_holm: float, sign: float) -> DiffRow:
    verdict: Change = "no supported change"
    found = row.change
    if p_holm < 1 - found.level and (found.low > 0 or found.high < 0):
        up = found.low > 0
        good = up == (sign > 0) if row.what == "score" else not up
        verdict = "better" if good else "worse"
    return replace(row, p_holm=p_holm, verdict=verdict)


def _listed(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
