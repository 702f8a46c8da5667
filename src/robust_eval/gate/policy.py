"""Limits that a run is judged by: from a policy file, or from options of the command line.

A policy file is TOML:

    name = "release"            what the reports call it
    level = 0.95                confidence of each one-sided bound
    minimum_n = 200             originals that a pass must rest on
    required = ["imdb"]         shifts that must have been run, beside those with limits of their own

    [limits]                    for every shift, unless something nearer names it
    max_drop = 0.05             clean minus shifted score
    max_relative_drop = 0.10    the same as a share of the clean score
    max_drop_vs_baseline = 0.02 how much more the model may lose than a baseline

    [family.noise]              for the shifts of a family
    [shift.keyboard-typos]      for one shift
    [shift."mixed-noise@5"]     for one of its sets

The nearest limit of each kind counts: shift before family before all. A shift, set or family that the policy
names must be in the run; otherwise the gate cannot pass.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from robust_eval.errors import UsageError, did_you_mean
from robust_eval.records import FAMILIES, LimitKind

LARGEST = 256 * 1024  # bytes of a policy file
MOST_NAMES = 1_000
KEYS = ("name", "level", "minimum_n", "required", "limits", "family", "shift")


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one scope, as shares; None where the scope sets none."""

    max_drop: float | None = None
    max_relative_drop: float | None = None
    max_drop_vs_baseline: float | None = None

    def of(self, kind: LimitKind) -> float | None:
        limit: float | None = getattr(self, kind.replace("-", "_"))
        return limit


KINDS: tuple[LimitKind, ...] = ("max-drop", "max-relative-drop", "max-drop-vs-baseline")
LIMIT_KEYS = tuple(f.name for f in fields(Limits))


@dataclass(frozen=True, slots=True)
class Policy:
    """What a run must hold to pass. `shifts` may name shifts and single sets."""

    name: str = "limits of the command"
    level: float = 0.95
    minimum_n: int = 0
    required: tuple[str, ...] = ()
    everywhere: Limits = Limits()
    families: tuple[tuple[str, Limits], ...] = ()
    shifts: tuple[tuple[str, Limits], ...] = ()

    def __post_init__(self) -> None:
        every = (self.everywhere, *(limits for _, limits in (*self.families, *self.shifts)))
        if all(limits.of(kind) is None for limits in every for kind in KINDS):
            raise UsageError(
                f"{self.name}: no limit to judge by; set max_drop, max_relative_drop or "
                "max_drop_vs_baseline"
            )
        if not 0.5 <= self.level < 1:
            raise UsageError(
                f"{self.name}: level is a share such as 0.95, at least 0.5 and under 1, not {self.level}"
            )
        if self.minimum_n < 0:
            raise UsageError(f"{self.name}: minimum_n must be at least 0, not {self.minimum_n}")
        for family, _ in self.families:
            if family not in FAMILIES:
                raise UsageError(
                    f"{self.name}: unknown family {family!r}{did_you_mean(family, FAMILIES)}"
                )

    def limit(self, kind: LimitKind, shift: str, family: str) -> float | None:
        """The nearest limit of this kind on a whole shift."""
        near = (dict(self.shifts).get(shift), dict(self.families).get(family), self.everywhere)
        return next((s.of(kind) for s in near if s is not None and s.of(kind) is not None), None)

    def named(self) -> tuple[str, ...]:
        """Shifts and sets that the run must hold, each once."""
        return tuple(dict.fromkeys((*self.required, *(name for name, _ in self.shifts))))


def read_policy(path: Path) -> Policy:
    """The policy of a TOML file. Raises UsageError with the file, the value and the remedy."""
    try:
        if path.stat().st_size > LARGEST:
            raise UsageError(f"{path} is larger than {LARGEST >> 10} KiB; not a policy file")
        data = tomllib.loads(path.read_bytes().decode("utf-8"))
    except FileNotFoundError as error:
        raise UsageError(f"no policy file {str(path)!r}") from error
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{path} is not valid TOML: {str(error)[:120]}") from error
    _known(data, KEYS, path.name)
    name = data.get("name", path.stem)
    if not isinstance(name, str) or not name.strip():
        raise UsageError(f"{path.name}: name must be a text, not {str(name)[:60]!r}")
    return Policy(
        name=name[:200],
        level=_number(data.get("level", 0.95), f"{path.name}: level"),
        minimum_n=_count(data.get("minimum_n", 0), f"{path.name}: minimum_n"),
        required=_names(data.get("required", []), f"{path.name}: required"),
        everywhere=_limits(data.get("limits", {}), f"{path.name}: [limits]"),
        families=_scopes(data.get("family", {}), path.name, "family"),
        shifts=_scopes(data.get("shift", {}), path.name, "shift"),
    )


def limits_from_options(options: Mapping[LimitKind, Sequence[str]], *, level: float) -> Policy:
    """`--max-drop 0.05`, `--max-drop imdb=0.1`, `--max-drop family:noise=0.08` as a policy."""
    scopes: dict[str, dict[str, float]] = {}
    for kind, values in options.items():
        for value in values:
            name, equals, number = value.rpartition("=")
            if equals and not name:
                raise UsageError(f"--{kind} takes a share or NAME=SHARE, not {value!r}")
            key = kind.replace("-", "_")
            scope = scopes.setdefault(name, {})
            if key in scope:
                raise UsageError(f"--{kind} gives two limits for {name or 'every shift'!r}")
            try:
                share = float(number)
            except ValueError:
                raise UsageError(
                    f"--{kind} takes a share such as 0.05 or NAME=0.05, not {value!r}"
                ) from None
            scope[key] = _share(share, f"--{kind}")
    family = "family:"
    return Policy(
        level=level,
        everywhere=Limits(**scopes.pop("", {})),
        families=tuple(
            (name.removeprefix(family), Limits(**limits))
            for name, limits in scopes.items()
            if name.startswith(family)
        ),
        shifts=tuple(
            (name, Limits(**limits))
            for name, limits in scopes.items()
            if not name.startswith(family)
        ),
    )


def _scopes(value: Any, file: str, what: str) -> tuple[tuple[str, Limits], ...]:
    if not isinstance(value, dict) or len(value) > MOST_NAMES:
        raise UsageError(f"{file}: write [{what}.NAME] with limits under it")
    return tuple((name, _limits(v, f"{file}: [{what}.{name}]")) for name, v in value.items())


def _limits(value: Any, where: str) -> Limits:
    if not isinstance(value, dict):
        raise UsageError(f"{where} should be a table of limits, not {str(value)[:60]!r}")
    _known(value, LIMIT_KEYS, where)
    return Limits(
        **{key: _share(_number(v, f"{where} {key}"), f"{where} {key}") for key, v in value.items()}
    )


def _known(value: Mapping[str, Any], keys: Sequence[str], where: str) -> None:
    if unknown := sorted(set(value) - set(keys)):
        raise UsageError(f"{where}: unknown key {unknown[0]!r}{did_you_mean(unknown[0], keys)}")


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise UsageError(f"{where} must be a number, not {str(value)[:60]!r}")
    return float(value)


def _share(value: float, where: str) -> float:
    if not 0 <= value < 1:  # also false for not-a-number
        remedy = f"; write {value / 100:g} for {value:g} points" if 1 <= value <= 100 else ""
        raise UsageError(f"{where} is a share from 0 to under 1, not {value:g}{remedy}")
    return value


def _count(value: Any, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise UsageError(f"{where} must be a whole number, not {str(value)[:60]!r}")
    return value


def _names(value: Any, where: str) -> tuple[str, ...]:
    if (
        not isinstance(value, list)
        or len(value) > MOST_NAMES
        or not all(isinstance(name, str) and name for name in value)
    ):
        raise UsageError(f"{where} must be a list of shifts, not {str(value)[:60]!r}")
    return tuple(value)
