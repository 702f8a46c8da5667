"""Adversarial attacks: goal, constraints, proposals and search; `attack_all` runs many in lockstep."""

from robust_eval.attack.engine import Attacked, attack_all
from robust_eval.attack.goal import Quality, Situation
from robust_eval.attack.plans import PROMPT, AttackPlan
from robust_eval.attack.recipe import Attack, parse_attack
from robust_eval.attack.sets import (
    attack_line,
    attack_sets,
    check_attacks,
    most_queries,
    victims_of,
)
from robust_eval.attack.textattack_recipes import (
    TextattackRecipe,
    describe_textattack,
    textattack_recipe,
    textattack_table,
)

__all__ = [
    "PROMPT",
    "Attack",
    "AttackPlan",
    "Attacked",
    "Quality",
    "Situation",
    "TextattackRecipe",
    "attack_all",
    "attack_line",
    "attack_sets",
    "check_attacks",
    "describe_textattack",
    "most_queries",
    "parse_attack",
    "textattack_recipe",
    "textattack_table",
    "victims_of",
]
