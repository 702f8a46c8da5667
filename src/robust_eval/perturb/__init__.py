"""Perturbations: what they are, how to name one, and how to apply them to examples."""

from robust_eval.perturb.apply import dose, literal, perturb_example, protections
from robust_eval.perturb.plan import NoisePlan, PromptPlan
from robust_eval.perturb.registry import (
    DEFAULT_SEVERITY,
    NATIVE,
    REGISTRY,
    make,
    parameters_shown,
    typed,
)
from robust_eval.perturb.tables import perturbations_folder

__all__ = [
    "DEFAULT_SEVERITY",
    "NATIVE",
    "REGISTRY",
    "NoisePlan",
    "PromptPlan",
    "dose",
    "literal",
    "make",
    "parameters_shown",
    "perturb_example",
    "perturbations_folder",
    "protections",
    "typed",
]
