"""A release policy, and what it says of a run: pass, fail, or inconclusive with the n that would decide."""

from robust_eval.gate.judge import exit_code, judge, judge_again, require_named
from robust_eval.gate.policy import Limits, Policy, limits_from_options, read_policy

__all__ = [
    "Limits",
    "Policy",
    "exit_code",
    "judge",
    "judge_again",
    "limits_from_options",
    "read_policy",
    "require_named",
]
