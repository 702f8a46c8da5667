"""Every error that a user can meet, each with the exit code it ends a run with."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

EXIT_PASS = 0
EXIT_GATE_FAILED = 1
EXIT_USAGE = 2
EXIT_INCONCLUSIVE = 3
EXIT_INFRASTRUCTURE = 4
EXIT_INTERNAL = 70
EXIT_INTERRUPTED = 130


class RobustEvalError(Exception):
    """One clear line for the user: what was wrong, its value, and the remedy."""

    exit_code: int = EXIT_INTERNAL


class UsageError(RobustEvalError):
    """The command, the configuration or a file name is wrong."""

    exit_code = EXIT_USAGE


class DataError(UsageError):
    """A data set cannot be read as asked: wrong column, unknown label, nothing left."""


class RecipeError(UsageError):
    """A recipe, a shift or a perturbation's parameters are wrong."""


class ModelError(UsageError):
    """A model or baseline cannot be resolved or used for this task."""


class StatisticsError(UsageError):
    """A figure was asked of data that cannot give it, such as an empty list of scores."""


class OutputError(UsageError):
    """The output folder cannot be used: other settings, unknown files, no permission."""


class InfrastructureError(RobustEvalError):
    """The machine or a server failed: disk full, model unreachable. What was done is kept."""

    exit_code = EXIT_INFRASTRUCTURE


class OutOfMemoryError(InfrastructureError):
    """A batch was too large for the memory there is; a smaller one may fit."""


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` for the nearest known name, or the list of names when none is near."""
    names = sorted(known)
    near = difflib.get_close_matches(wrong, names, n=1, cutoff=0.6)
    if near:
        return f"; did you mean '{near[0]}'?"
    return f"; known: {', '.join(names)}" if names else ""
