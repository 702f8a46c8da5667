"""A panel from runs that were made anyway: their fine-tuned models and floors, on the data that the runs share."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Sequence

from robust_eval.errors import DataError
from robust_eval.panels.making import FAMILIES, TRAINED, empty_panel, panel_score
from robust_eval.records import (
    CLEAN,
    ModelCard,
    Panel,
    PanelMaking,
    PanelMember,
    PanelScore,
    RunRecord,
)
from robust_eval.score import clean_origin, origin


def panel_of_runs(
    records: Sequence[RunRecord], names: Sequence[str], *, more: Panel | None = None, name: str = ""
) -> Panel:
    """A panel of the runs' fine-tuned models and floors, each seed by itself; `more` comes first.

    Its shifts are those of `more`, else all that the runs share; a run may have tested on another number of examples of the
    same data. Models that are the same to the last weight count once. Raises DataError where data, labels or shifts do not
    fit, and where no run has such a model.
    """
    panel = more or _empty(records, names, name)
    members = {member.fingerprint: member for member in panel.members}
    made = list(panel.made)
    for record, run in zip(records, names, strict=True):
        _require_fit(record, panel, run)
        taken = [
            _member(record, card, panel, members)
            for card in (*record.models, *record.members)
            if card.kind in TRAINED and not card.members and card.fingerprint not in members
        ]
        members |= {member.fingerprint: member for member in taken}
        command = shlex.join(["robust-eval", "panel", "FILE", "--from", run])
        made.append(PanelMaking(command, dict(record.settings), dict(record.versions)))
    if not members:
        raise DataError(f"no fine-tuned model or floor is in {', '.join(names)}")
    return dataclasses.replace(panel, members=tuple(members.values()), made=tuple(made))


def _empty(records: Sequence[RunRecord], names: Sequence[str], name: str) -> Panel:
    first = records[0]
    shared = [
        s
        for s in first.sets
        if s.family in FAMILIES
        and all(any((o.key, origin(o)) == (s.key, origin(s)) for o in r.sets) for r in records)
    ]
    if not shared:
        raise DataError(
            f"{', '.join(names)} share no natural shift and no noise, so there is nothing to fit a line on"
        )
    return empty_panel(first.dataset, clean_origin(first), shared, name)


def _require_fit(record: RunRecord, panel: Panel, run: str) -> None:
    about = record.dataset
    there = {(s.key, origin(s)) for s in record.sets}
    for what, ours, theirs in (
        ("task", about.task.kind.value, panel.task),
        ("labels", about.labels, panel.labels),
        ("clean data", clean_origin(record), panel.dataset.origin),
    ):
        if ours != theirs:
            raise DataError(f"{run} is about other {what} than the panel {panel.name!r}")
    if missing := [s.key for s in panel.shifts if (s.key, s.origin) not in there]:
        raise DataError(f"{run} lacks the panel's shift {missing[0]!r}, or has it from other data")


def _member(
    record: RunRecord, card: ModelCard, panel: Panel, known: dict[str, PanelMember]
) -> PanelMember:
    size, seed = card.details.get("budget"), card.details.get("seed")
    size = size if isinstance(size, int) else 0
    seed = seed if isinstance(seed, int) else int(record.settings.get("seed", 0))
    taken = {member.name for member in known.values()}
    base = f"{card.spec} ({size:,} examples), seed {seed}"
    n = len(record.dataset.examples)
    name = next(
        choice
        for choice in (base, f"{base}, on {n:,}", f"{base}, {card.fingerprint}")
        if choice not in taken
    )
    return PanelMember(
        name=name,
        spec=card.spec,
        kind=card.kind,
        train_examples=size,
        seed=seed,
        parameters=card.parameters,
        fingerprint=card.fingerprint,
        clean=_score(record, card.name, CLEAN, panel.metric),
        shifted={s.key: _score(record, card.name, s.key, panel.metric) for s in panel.shifts},
    )


def _score(record: RunRecord, model: str, key: str, metric: str) -> PanelScore:
    found = panel_score(record.scores.get((model, key, metric), ()))
    if found is None:
        raise DataError(f"{model} has no scores on {key!r}")
    return found
