"""A run before a model is asked: data, splits, shifted sets, and models by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from robust_eval.attack import AttackPlan, check_attacks, victims_of
from robust_eval.build import build_sets
from robust_eval.contenders import model_context, model_groups
from robust_eval.data import Reading, Splits, load, make_splits, training_spec
from robust_eval.errors import UsageError
from robust_eval.models.account import Account
from robust_eval.models.context import ModelContext
from robust_eval.models.groups import Group
from robust_eval.recipes import Plan
from robust_eval.records import Dataset, Model, Progress, ShiftedSet, silent
from robust_eval.rewriting import WRITER, RewritePlan, rewriters
from robust_eval.settings import Output, Settings

CALIBRATION_SIZE = 200  # examples that a temperature is fitted on


@dataclass(frozen=True, slots=True)
class Prepared:
    """Everything that a run needs before a model is asked: no weights are loaded yet.

    Sets that an attack or a rewriter makes are only planned: they take a model.
    """

    splits: Splits
    sets: tuple[ShiftedSet, ...]
    groups: tuple[Group, ...]
    account: Account
    attacks: tuple[AttackPlan, ...] = ()
    victims: tuple[Model, ...] = ()  # the models that attacks are made against
    rewrites: tuple[RewritePlan, ...] = ()
    writers: tuple[Model, ...] = ()  # one for each rewrite, in order
    attack_writers: Mapping[str, Model] = field(default_factory=dict)  # by style

    @property
    def models(self) -> tuple[Model, ...]:
        return tuple(model for group in self.groups for model in group.members)


def prepare(
    settings: Settings,
    output: Output,
    plans: Sequence[Plan],
    cache_dir: Path,
    *,
    progress: Progress = silent,
) -> Prepared:
    """Data, splits, shifted sets and models by name. Raises RobustEvalError subclasses."""
    splits, sets = read_data(settings, plans, progress=progress)
    account = Account(output.requests)
    context = model_context(settings, splits, cache_dir, output.offline, progress, account)
    groups = model_groups(settings, context)
    attacks = tuple(plan for plan in plans if isinstance(plan, AttackPlan))
    rewrites = tuple(plan for plan in plans if isinstance(plan, RewritePlan))
    writers = rewriters(rewrites, settings.rewriter, context)
    members = tuple(model for group in groups for model in group.members)
    victims = victims_of(members, settings.attack_models)
    check_attacks(attacks, victims, splits.test)
    return Prepared(
        splits,
        sets,
        groups,
        account,
        attacks=attacks,
        victims=victims,
        rewrites=rewrites,
        writers=writers,
        attack_writers=_attack_writers(attacks, settings, context),
    )


def _attack_writers(
    attacks: Sequence[AttackPlan], settings: Settings, context: ModelContext
) -> dict[str, Model]:
    """The models that rewrite texts for attacks, by style."""
    styles = {style: plan.shift for plan in attacks for style in plan.styles}
    if styles and settings.rewriter is None:
        raise UsageError(
            f"the attack {next(iter(styles.values()))} rewrites texts and needs a model that writes; {WRITER}"
        )
    plans = [RewritePlan(style, settings.seed) for style in styles]
    return dict(zip(styles, rewriters(plans, settings.rewriter, context), strict=True))


def read_data(
    settings: Settings, plans: Sequence[Plan], *, progress: Progress = silent
) -> tuple[Splits, tuple[ShiftedSet, ...]]:
    """The splits of the data set, and every shifted set that takes no model."""
    dataset = _load(settings, settings.dataset)
    train_spec = settings.train or training_spec(settings.dataset)
    train = _load(settings, train_spec) if train_spec else None
    pool = max(64, 4 * settings.shots)
    splits = make_splits(
        dataset,
        train,
        limit=settings.limit,
        train_size=len((train or dataset).examples)
        if settings.train_size is None
        else settings.train_size,
        pool_size=pool,
        seed=settings.seed,
        shots=settings.shots,
        calibration_size=CALIBRATION_SIZE if settings.temperature_scaling else 0,
    )
    if settings.temperature_scaling and not splits.test.task.has_labels:
        raise UsageError(
            f"--temperature-scaling needs labels, and {splits.test.task.kind.value} has none; leave it out"
        )
    seen = (*splits.train, *splits.dev, *splits.demonstrations)
    sets = build_sets(
        splits.test,
        plans,
        ood=dict(settings.ood),
        limit=settings.limit,
        seed=settings.seed,
        exclude=seen,
        reading=Reading(dict(settings.columns), dict(settings.label_map), settings.encoding),
        progress=progress,
        held_out=pool if settings.prompt_source == "target" else 0,
    )
    return splits, sets


def _load(settings: Settings, spec: str) -> Dataset:
    return load(
        spec,
        task=settings.task,
        columns=dict(settings.columns),
        label_map=dict(settings.label_map),
        split=settings.split if spec == settings.dataset else None,
        encoding=settings.encoding,
    )
