"""Adversarial sets: every attack that was asked for, against every model that is to be attacked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from robust_eval.attack.bridge import require_labels, textattack_all
from robust_eval.attack.control import controllable, random_control
from robust_eval.attack.draft import Draft
from robust_eval.attack.engine import Attacked, attack_all
from robust_eval.attack.goal import Quality, Situation, goal_for
from robust_eval.attack.instruction import instructed, instruction_set
from robust_eval.attack.plans import AttackPlan
from robust_eval.attack.recipe import Attack
from robust_eval.attack.shared import drawn, halves, shared_goal
from robust_eval.attack.textattack_recipes import TextattackRecipe
from robust_eval.attack.tools import Tools
from robust_eval.attack.triggers import trigger_field, trigger_set
from robust_eval.errors import UsageError, did_you_mean
from robust_eval.models.cache import PredictionCache
from robust_eval.models.wordings import prompt_of
from robust_eval.perturb.apply import dose
from robust_eval.records import (
    AttackOutcome,
    AttackResult,
    Dataset,
    Example,
    Model,
    Progress,
    ShiftedSet,
    silent,
)


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
    control: bool = False,
    writers: Mapping[str, Model] | None = None,
    progress: Progress = silent,
) -> tuple[ShiftedSet, ...]:
    """One set per attack and victim, in that order, each with `built_against`.

    With `control` random changes are tried beside each search on texts, with as many queries.
    All hold the same `limit` examples of the clean set, drawn by seed; where an attack did not succeed the text is the
    original. `writers` rewrite texts, by style. Raises RecipeError when a goal does not fit the task, ModelError when an
    attack needs what is not installed, InfrastructureError when a victim stops answering; what was answered is in the cache, so that the same call resumes.
    """
    chosen = drawn(dataset.examples, limit, seed, "attacked")
    situation = Situation(dataset.task.kind, dataset.labels, quality)
    sets: list[ShiftedSet] = []
    tools = Tools(cache, writers or {})
    # All before the first query: what is not installed ends the run at its start.
    for plan in [plan.equipped(tools) for plan in plans]:
        for victim in instructed(victims, plan) if plan.on_instruction else victims:
            if plan.shared:
                made = _shared_set(
                    dataset,
                    plan,
                    victim,
                    cache,
                    situation=situation,
                    budget=budget,
                    limit=limit,
                    seed=seed,
                    progress=progress,
                )
                sets.append(made)
                continue
            key = plan.key_against(victim)
            how: dict[str, Any] = {
                "situation": situation,
                "fields": dataset.task.perturbable,
                "seed": plan.seed + plan.offset,
                "progress": progress,
            }
            budgets = [budget] * len(chosen)
            if isinstance(plan.attack, TextattackRecipe):
                attack = partial(textattack_all, plan.attack)
            else:
                how["tools"] = tools
                attack = partial(attack_all, plan.attack)
            results = attack(victim, chosen, cache, key=key, budgets=budgets, **how)
            walked: Sequence[AttackOutcome | None] = [None] * len(results)
            if _controlled(plan, control):
                walked = random_control(plan.native, victim, chosen, results, cache, key=key, **how)
            sets.append(_shifted_set(dataset, plan, victim, chosen, results, walked, budget))
    return tuple(sets)


def _controlled(plan: AttackPlan, control: bool) -> bool:
    """Whether a random baseline runs beside this attack: one of ours on texts, if it was asked for."""
    return (
        control
        and not plan.shared
        and isinstance(plan.attack, Attack)
        and controllable(plan.attack)
    )


def _shared_set(
    dataset: Dataset, plan: AttackPlan, victim: Model, cache: PredictionCache, **how: Any
) -> ShiftedSet:
    if plan.trigger is not None:
        return trigger_set(dataset, plan, plan.trigger, victim, cache, **how)
    return instruction_set(dataset, plan, victim, cache, **how)


def victims_of(models: Sequence[Model], wanted: Sequence[str]) -> tuple[Model, ...]:
    """The models to attack by their specs; all of them when none is named. Raises UsageError for a stranger."""
    specs = {model.card.spec for model in models}
    for spec in wanted:
        if spec not in specs:
            raise UsageError(
                f"--attack-model {spec!r} is not a model or baseline of this run{did_you_mean(spec, specs)}"
            )
    return tuple(model for model in models if not wanted or model.card.spec in wanted)


def check_attacks(plans: Sequence[AttackPlan], victims: Sequence[Model], dataset: Dataset) -> None:
    """Raises what would end these attacks before their first query, so that a run says it before all else."""
    situation = Situation(dataset.task.kind, dataset.labels, lambda prediction, example: 0.0)
    for plan in plans:
        if isinstance(plan.attack, TextattackRecipe):
            require_labels(plan.attack, situation)
            continue
        if not plan.shared:
            goal_for(plan.attack.goal, situation)
            continue
        shared_goal(plan.native.goal, situation)
        halves(dataset, None, plan.seed)
        if plan.on_instruction:
            instructed(victims, plan)
        if plan.trigger is not None:
            trigger_field(plan.trigger, dataset)


def _shifted_set(
    dataset: Dataset,
    plan: AttackPlan,
    victim: Model,
    originals: Sequence[Example],
    results: Sequence[Attacked],
    walked: Sequence[AttackOutcome | None],
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
            control=control,
        )
        for original, result, control in zip(originals, results, walked, strict=True)
    )
    return ShiftedSet(
        family="adversarial",
        shift=plan.attack.name,
        key=plan.key_against(victim),
        severity=None,
        seed=plan.seed + plan.offset,
        paired=True,
        examples=tuple(result.example for result in results),
        doses=doses,
        built_against=victim.card.name,
        population=dataset.population,
        source="; ".join(filter(None, (plan.source, _faults(results)))),
        attacks=attacks,
        budget=budget,
        keeps_answer=isinstance(plan.attack, Attack) and plan.attack.goal.keeps_best,
    )


def _faults(results: Sequence[Attacked]) -> str:
    """What another package's attack stumbled over, in one phrase."""
    faults = [result.fault for result in results if result.fault]
    if not faults:
        return ""
    return f"stopped by an error of its own on {len(faults)} of {len(results)} texts, the first {faults[0]!r}"


def most_queries(
    plans: Sequence[AttackPlan],
    victim: Model,
    dataset: Dataset,
    budget: int,
    limit: int | None,
    control: bool = False,
) -> int:
    """How many texts the attacks and their random baselines may ask one victim about: each time the whole budget."""
    size = len(dataset.examples)
    count, half = min(size, limit or size), min((size + 1) // 2, limit or size)
    mine = [plan for plan in plans if not plan.on_instruction or prompt_of(victim) is not None]
    times = sum(half if plan.shared else count for plan in mine)
    return (times + count * sum(_controlled(plan, control) for plan in mine)) * budget


def attack_line(
    plans: Sequence[AttackPlan],
    victims: Sequence[Model],
    dataset: Dataset,
    budget: int,
    limit: int | None,
    control: bool = False,
) -> str:
    """How many queries the attacks may cost at most, the random baselines among them; most end long before."""
    count = min(len(dataset.examples), limit or len(dataset.examples))
    half = min((len(dataset.examples) + 1) // 2, limit or len(dataset.examples))
    told = sum(prompt_of(victim) is not None for victim in victims)
    on_texts = sum(not plan.shared for plan in plans) * len(victims)
    walks = sum(_controlled(plan, control) for plan in plans) * len(victims)
    on_all = sum(told if plan.on_instruction else len(victims) for plan in plans if plan.shared)
    parts = []
    if on_texts:
        parts.append(f"{on_texts} on {count:,} examples each ({budget:,} queries an example)")
    if on_all:
        parts.append(
            f"{on_all} on all examples at once ({budget:,} versions, each asked with {half:,} development examples)"
        )
    if walks:
        parts.append(f"{walks} random baselines with as many queries as their searches")
    queries = sum(most_queries(plans, v, dataset, budget, limit, control) for v in victims)
    return f"attacks: {' and '.join(parts)}: at most {queries:,} queries, and {on_texts + on_all} more sets"
