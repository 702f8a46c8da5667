"""Shards of one run put together: other shifts for the same models, or other models on the same sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from robust_eval.errors import DataError
from robust_eval.records import CLEAN, ModelCard, RunRecord, ShiftedSet, Temperature
from robust_eval.score import with_figures

UNITED = ("models", "baselines", "shifts", "ood")  # settings in which shards may differ


def merge(records: Sequence[RunRecord], names: Sequence[str]) -> RunRecord:
    """The run that the shards are parts of, its figures computed anew; a gate is to be asked for again.

    Shards share the clean test set and every setting but models, baselines and shifts, and agree where they
    overlap; every model must have answered every set in some shard. Raises DataError, naming what does not fit.
    """
    if len(records) < 2:
        raise DataError("one shard is a run already; give at least two")
    first = records[0]
    for record, name in zip(records[1:], names[1:], strict=True):
        _check(first, record, names[0], name)
    sets: dict[str, ShiftedSet] = {}
    models: dict[str, ModelCard] = {}
    members: dict[str, ModelCard] = {}
    answers: dict[tuple[str, str], Any] = {}
    scores: dict[tuple[str, str, str], Any] = {}
    fits: dict[str, Temperature] = {}
    scaled: dict[tuple[str, str], Any] = {}
    repeats: dict[tuple[str, str, int], Any] = {}
    repeat_scores: dict[tuple[str, str, str, int], Any] = {}
    for record, name in zip(records, names, strict=True):
        _unite(sets, {s.key: s for s in record.sets}, "set", name)
        _unite(models, {c.name: _without_notes(c) for c in record.models}, "model", name)
        _unite(members, {c.name: _without_notes(c) for c in record.members}, "model", name)
        _unite(answers, record.predictions, "answers to", name)
        _unite(scores, record.scores, "scores of", name)
        _unite(fits, {t.model: t for t in record.temperatures}, "temperature of", name)
        _unite(scaled, record.scaled, "scaled answers to", name)
        _unite(repeats, record.repeats, "repeats of", name)
        _unite(repeat_scores, record.repeat_scores, "repeats of", name)
    skipped = {(e.model, e.set_key): e for r in records for e in r.not_applicable}
    missing = [
        f"{model} on {key}"
        for model in models
        for key in (CLEAN, *sets)
        if (model, key) not in answers and (model, key) not in skipped
    ]
    if missing:
        raise DataError(
            f"no shard holds the answers of {missing[0]}{_more(missing)}; give that shard too"
        )
    ties: dict[str, int] = {}
    for record in records:
        for model, count in record.near_ties.items():
            ties[model] = max(ties.get(model, 0), count)
    merged = replace(
        first,
        settings={**first.settings, **_united(records)},
        splits={**first.splits, "merged_from": len(records)},
        sets=tuple(sets.values()),
        models=tuple(models.values()),
        members=tuple(members.values()),
        predictions=answers,
        scores=scores,
        near_ties=ties,
        warnings=tuple(dict.fromkeys(line for record in records for line in record.warnings)),
        not_applicable=tuple(skipped.values()),
        temperatures=tuple(fits.values()),
        scaled=scaled,
        repeats=repeats,
        repeat_scores=repeat_scores,
        gate=None,
        human=None,
    )
    return with_figures(merged)


def _check(first: RunRecord, other: RunRecord, name: str, other_name: str) -> None:
    if first.dataset.fingerprint != other.dataset.fingerprint or [
        e.id for e in first.dataset.examples
    ] != [e.id for e in other.dataset.examples]:
        raise DataError(
            f"{other_name} has another clean test set than {name}: not shards of one run"
        )
    for key in sorted({*first.settings, *other.settings} - set(UNITED)):
        if first.settings.get(key) != other.settings.get(key):
            raise DataError(
                f"{other_name} was run with another {key} than {name} "
                f"({str(other.settings.get(key))[:40]}, not {str(first.settings.get(key))[:40]})"
            )
    if first.panel != other.panel:
        raise DataError(f"{other_name} stands against another panel of models than {name}")
    if first.versions != other.versions:
        changed = sorted(
            k
            for k in {*first.versions, *other.versions}
            if first.versions.get(k) != other.versions.get(k)
        )
        raise DataError(f"{other_name} was run with another version of {changed[0]} than {name}")


def _unite(into: dict[Any, Any], more: Mapping[Any, Any], what: str, name: str) -> None:
    for key, value in more.items():
        if key in into and into[key] != value:
            said = " on ".join(map(str, key[:2])) if isinstance(key, tuple) else str(key)
            raise DataError(f"{name} has another {what} {said} than the shards before it")
        into[key] = value


def _without_notes(card: ModelCard) -> ModelCard:
    """Warnings of one shard's run are kept as the run's, not the card's."""
    return replace(card, details={k: v for k, v in card.details.items() if k != "warnings"})


def _united(records: Sequence[RunRecord]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for name in UNITED:
        values: list[Any] = []
        for record in records:
            values += [v for v in record.settings.get(name) or () if v not in values]
        found[name] = values
    return found


def _more(names: Sequence[str]) -> str:
    return f" and {len(names) - 1} more" if len(names) > 1 else ""
