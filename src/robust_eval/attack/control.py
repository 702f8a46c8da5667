"""The random baseline beside a search: the same proposals and constraints, and as many queries an example."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from robust_eval.attack.engine import Attacked, attack_all
from robust_eval.attack.recipe import Attack
from robust_eval.attack.search import RandomWalk
from robust_eval.models.cache import PredictionCache
from robust_eval.records import AttackOutcome, Example, Model


def controllable(attack: Attack) -> bool:
    """Whether a random baseline says anything: not of itself, nor of a goal that keeps whatever was best."""
    return not isinstance(attack.search, RandomWalk) and not attack.goal.keeps_best


def random_control(
    attack: Attack,
    victim: Model,
    examples: Sequence[Example],
    results: Sequence[Attacked],
    cache: PredictionCache,
    *,
    key: str,
    **how: Any,
) -> tuple[AttackOutcome, ...]:
    """How random changes end on the same examples, each with as many queries as the search took for it.

    `how` is what the search was run with: situation, fields, seed and progress of `engine.attack_all`.
    """
    walk = replace(attack, name=f"{attack.name}, random", search=RandomWalk())
    tried = [i for i, result in enumerate(results) if result.outcome != "skipped"]
    walked = attack_all(
        walk,
        victim,
        [examples[i] for i in tried],
        cache,
        key=f"{key}, random",
        budgets=[results[i].queries for i in tried],
        **how,
    )
    outcomes: list[AttackOutcome] = ["skipped"] * len(results)
    for i, result in zip(tried, walked, strict=True):
        outcomes[i] = result.outcome
    return tuple(outcomes)
