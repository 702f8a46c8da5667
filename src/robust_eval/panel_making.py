"""A panel of baselines, measured: every one at several training amounts and seeds, on a clean set and its shifts."""

from __future__ import annotations

import dataclasses
import json
import shlex
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from robust_eval.contenders import model_context
from robust_eval.data import Splits
from robust_eval.errors import DataError, InfrastructureError, UsageError
from robust_eval.models import load_model
from robust_eval.models.account import Account
from robust_eval.models.asking import ask_all
from robust_eval.models.cache import PredictionCache, cache_folder
from robust_eval.models.context import ModelContext
from robust_eval.models.groups import subset
from robust_eval.panels import FAMILIES, TRAINED, empty_panel, panel_score
from robust_eval.preparation import read_data
from robust_eval.recipes import parse_shifts
from robust_eval.recording import versions
from robust_eval.records import (
    CLEAN,
    Dataset,
    Model,
    Panel,
    PanelMaking,
    PanelMember,
    PanelScore,
    PanelSet,
    Progress,
    ShiftedSet,
    silent,
)
from robust_eval.score import score_all
from robust_eval.settings import Output, Settings


def make_panel(
    settings: Settings,
    output: Output | None = None,
    *,
    more: Panel | None = None,
    name: str = "",
    progress: Progress = silent,
    announce: Callable[[str], None] = lambda line: None,
) -> Panel:
    """A panel of the settings' models, each as a baseline, once a training size and seed; `more` comes first.

    Trained models and answers are cached, so that an interrupted panel goes on where it stood. Models that are
    the same to the last weight count once. Raises UsageError for models that are not trained here and for shifts that
    differ between models, DataError where `more` is about other data.
    """
    output = output or Output()
    cache_dir = cache_folder(output.cache_dir)
    splits, sets = read_data(
        settings, parse_shifts(settings.shifts, seed=settings.seed), progress=progress
    )
    _check_sets(sets)
    context = model_context(
        settings, splits, cache_dir, output.offline, progress, Account(output.requests)
    )
    panel = _empty(settings, splits, sets, name)
    if more is not None:
        _require_same_data(more, panel)
        panel = dataclasses.replace(more, made=(*more.made, *panel.made))
    members = {member.fingerprint: member for member in panel.members}
    planned = list(_candidates(settings, context))
    with PredictionCache.open(cache_dir) as cache:
        for i, (model, member_name, size, seed) in enumerate(planned, 1):
            if model.card.fingerprint in members:
                continue
            member = _measured(model, member_name, size, seed, splits.test, sets, cache, progress)
            members[member.fingerprint] = member
            shown = ", ".join(f"{key} {s.score:.1%}" for key, s in member.shifted.items())
            announce(
                f"{i} of {len(planned)}: {member.name}: clean {member.clean.score:.1%}, {shown}"
            )
    return dataclasses.replace(panel, members=tuple(members.values()))


def command_of(settings: Settings) -> str:
    """The command that makes these members, as far as its settings are not the default."""
    words = ["robust-eval", "panel", "FILE"]
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if field.name in ("models", "shifts") or (
            field.default is not dataclasses.MISSING and value == field.default
        ):
            continue
        if field.name == "train_size" and settings.train_sizes:
            continue
        words += _option(field.name, value)
    for option, values in (("--baseline", settings.models), ("--shift", settings.shifts)):
        for value in values:
            words += [option, value]
    return shlex.join(words)


def _option(name: str, value: Any) -> list[str]:
    option = {"columns": "--column", "train_sizes": "--train-size"}.get(
        name, "--" + name.replace("_", "-")
    )
    if name in ("ood", "columns", "label_map"):
        return [word for pair in value for word in (option, "=".join(pair))]
    if name == "train_sizes":
        return [option, ",".join("all" if size is None else str(size) for size in value)]
    return [option, "all" if value is None else str(value)]


def _check_sets(sets: Sequence[ShiftedSet]) -> None:
    if not sets:
        raise UsageError("a panel needs a shift that takes no model, such as --shift domain")
    for shifted in sets:
        if shifted.family not in FAMILIES:
            raise UsageError(
                f"{shifted.key!r} is not the same for every model, so a panel cannot be measured on it; "
                "take noise or natural shifts"
            )


def _empty(settings: Settings, splits: Splits, sets: Sequence[ShiftedSet], name: str) -> Panel:
    values = json.loads(json.dumps(settings.as_dict()))  # lists, as a file gives them back
    changed = {
        f.name: values[f.name]
        for f in dataclasses.fields(settings)
        if getattr(settings, f.name) != f.default
    }
    panel = empty_panel(splits.test, splits.summary["fingerprints"]["dataset"], sets, name)
    return dataclasses.replace(
        panel, made=(PanelMaking(command_of(settings), changed, versions()),)
    )


def _require_same_data(old: Panel, new: Panel) -> None:
    for what, there, here in (
        ("task", old.task, new.task),
        ("labels", old.labels, new.labels),
        ("metric", old.metric, new.metric),
        ("clean set", old.dataset, new.dataset),
        ("shifts", old.shifts, new.shifts),
    ):
        if there != here:
            raise DataError(
                f"the panel {old.name!r} is about another {what} ({_said(there)}, not {_said(here)}); "
                "members can be added on the very same examples only"
            )


def _said(value: Any) -> str:
    if isinstance(value, PanelSet):
        return f"{value.population}, {value.n:,} examples"
    if isinstance(value, tuple):
        return "; ".join(map(_said, value))
    return str(value)


def _candidates(settings: Settings, context: ModelContext) -> Iterator[tuple[Model, str, int, int]]:
    """(model, name, training examples, seed), the small ones first: what is quick is known early."""
    total = len(context.train) + len(context.dev)
    wanted = settings.train_sizes or (settings.train_size,)
    sizes = sorted({total if size is None else min(size, total) for size in wanted})
    for spec in settings.models:
        for size in sizes:
            for seed in range(settings.seed, settings.seed + settings.seeds):
                seeded = dataclasses.replace(context, seed=seed)
                model = load_model(
                    spec, "baseline", subset(seeded, size) if size < total else seeded
                )
                if model.card.kind not in TRAINED:
                    raise UsageError(
                        f"{spec!r} is not trained here, and a panel is of models that are: an encoder, "
                        "demo:minilm, lora:MODEL, full:MODEL, bow"
                    )
                yield model, f"{spec} ({size:,} examples), seed {seed}", size, seed


def _measured(
    model: Model,
    name: str,
    size: int,
    seed: int,
    test: Dataset,
    sets: Sequence[ShiftedSet],
    cache: PredictionCache,
    progress: Progress,
) -> PanelMember:
    answers = ask_all([model], test, sets, cache, progress=progress).predictions
    scores = score_all(test, sets, answers)
    card, metric = model.card, test.task.metrics[0].name
    found = {
        key: _score(scores[card.name, key, metric], name, key)
        for key in (CLEAN, *(s.key for s in sets))
    }
    return PanelMember(
        name=name,
        spec=card.spec,
        kind=card.kind,
        train_examples=size,
        seed=seed,
        parameters=card.parameters,
        fingerprint=card.fingerprint,
        clean=found.pop(CLEAN),
        shifted=found,
    )


def _score(values: Sequence[float | None], model: str, key: str) -> PanelScore:
    found = panel_score(values)
    if found is None:
        raise InfrastructureError(f"{model} answered none of {key!r}")
    return found
