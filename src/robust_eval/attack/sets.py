"""Adversarial sets: every attack that was asked for, against every model that is to be attacked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from robust_eval.attack.draft import Draft
from robust_eval.attack.engine import Attacked, attack_all
from robust_eval.attack.goal import Quality, Situation
from robust_eval.attack.recipe import Attack
from robust_eval.errors import UsageError, did_you_mean
from robust_eval.models.cache import PredictionCache
from robust_eval.perturb.apply import dose
from robust_eval.records import (
    AttackResult,
    Dataset,
    Example,
    Model,
    Progress,
    ShiftedSet,
    silent,
)
from robust_eval.rng import hexdigest


@dataclass(frozen=True, slots=True)
class AttackPlan:
    """One attack to run against each victim; `offset` is added to the run's seed, and shown in the key unless 0."""

    attack: Attack
    seed: int
    offset: int = 0

    @property
    def key(self) -> str:
        return self.attack.name + (f"#{self.offset}" if self.offset else "")


def attack_sets(
    dataset: Dataset,
    plans: Sequence[AttackPlan],
    victims: Sequence[Model],
    cache: PredictionCache,
    *,
    quality: Quality,
    budget: int,
    limit: int | None,
    seed: int,
    progress: Progress = silent,
) -> tuple[ShiftedSet, ...]:
    """One set per attack and victim, in that order, each with `built_against`.

    All hold the same `limit` examples of the clean set, drawn by seed; where an attack did not succeed the text is the
    original. Raises RecipeError when a goal does not fit the task, InfrastructureError when a victim stops answering;
    what was answered is in the cache, so that the same call resumes.
    """
    chosen = attacked_examples(dataset, limit, seed)
    situation = Situation(dataset.task.kind, dataset.labels, quality)
    sets = []
    for plan in plans:
        for victim in victims:
            name = victim.card.name
            key = f"{plan.key}>{name}"
            results = attack_all(
                plan.attack,
                victim,
                chosen,
                cache,
                situation=situation,
                fields=dataset.task.perturbable,
                key=key,
                seed=plan.seed + plan.offset,
                budgets=[budget] * len(chosen),
                progress=progress,
            )
            sets.append(_shifted_set(dataset, plan, key, name, chosen, results, budget))
    return tuple(sets)


def attacked_examples(dataset: Dataset, limit: int | None, seed: int) -> tuple[Example, ...]:
    """The examples that are attacked: all, or `limit` drawn by seed and id, in the clean set's order."""
    if limit is None or limit >= len(dataset.examples):
        return dataset.examples
    order = sorted(dataset.examples, key=lambda e: hexdigest("attacked", seed, e.id))
    kept = {example.id for example in order[:limit]}
    return tuple(example for example in dataset.examples if example.id in kept)


def victims_of(models: Sequence[Model], wanted: Sequence[str]) -> tuple[Model, ...]:
    """The models to attack by their specs; all of them when none is named. Raises UsageError for a stranger."""
    specs = {model.card.spec for model in models}
    for spec in wanted:
        if spec not in specs:
            raise UsageError(
                f"--attack-model {spec!r} is not a model or baseline of this run{did_you_mean(spec, specs)}"
            )
    return tuple(model for model in models if not wanted or model.card.spec in wanted)


def _shifted_set(
    dataset: Dataset,
    plan: AttackPlan,
    key: str,
    victim: str,
    originals: Sequence[Example],
    results: Sequence[Attacked],
    budget: int,
) -> ShiftedSet:
    fields = dataset.task.perturbable
    doses = tuple(
        dose([(original.inputs[f], result.example.inputs[f]) for f in dataset.task.fields])
        for original, result in zip(originals, results, strict=True)
    )
    attacks = tuple(
        AttackResult(
            outcome=result.outcome,
            queries=result.queries,
            unanswered=result.unanswered,
            words=len(Draft.of(original, fields).words),
            words_changed=result.words_changed,
        )
        for original, result in zip(originals, results, strict=True)
    )
    return ShiftedSet(
        family="adversarial",
        shift=plan.attack.name,
        key=key,
        severity=None,
        seed=plan.seed + plan.offset,
        paired=True,
        examples=tuple(result.example for result in results),
        doses=doses,
        built_against=victim,
        population=dataset.population,
        source=f"{plan.attack.parts}; {plan.attack.source}".rstrip("; "),
        attacks=attacks,
        budget=budget,
    )


def attack_line(
    plans: Sequence[AttackPlan],
    victims: Sequence[Model],
    dataset: Dataset,
    budget: int,
    limit: int | None,
) -> str:
    """How many queries the attacks may cost at most; most end long before."""
    count = min(len(dataset.examples), limit or len(dataset.examples))
    sets = len(plans) * len(victims)
    return (
        f"attacks: {len(plans)} on each of {len(victims)} models, {count:,} examples each: at most "
        f"{sets * count * budget:,} queries ({budget:,} an example), and {sets} more sets"
    )
