"""`robust-eval gate`, and the gate's options, which the root command shares."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from robust_eval.errors import EXIT_INFRASTRUCTURE, UsageError

if TYPE_CHECKING:
    from robust_eval.gate import Policy
    from robust_eval.records import LimitKind

C = TypeVar("C", bound=Callable[..., Any])

GATE_OPTIONS = (
    click.option("--max-drop", "max_drop", multiple=True, metavar="[NAME=]SHARE", help="Gate: the largest drop allowed, e.g. 0.05; NAME= is a shift, a set or family:NAME. Repeatable."),
    click.option("--max-relative-drop", "max_relative_drop", multiple=True, metavar="[NAME=]SHARE", help="Gate: the largest drop allowed as a share of the clean score. Repeatable."),
    click.option("--max-drop-vs-baseline", "max_drop_vs_baseline", multiple=True, metavar="[NAME=]SHARE", help="Gate: how much more a model may lose than a baseline. Repeatable."),
    click.option("--policy", metavar="FILE", help="Gate: limits, required shifts and minimum n from a TOML file, instead of the three options above."),
)  # fmt: skip


def with_gate_options(command: C) -> C:
    for option in reversed(GATE_OPTIONS):
        command = option(command)
    return command


def policy_of(options: Mapping[str, Any], *, level: float | None = None) -> Policy | None:
    """The policy that the options ask for; None when they ask for none."""
    from pathlib import Path

    from robust_eval.gate import limits_from_options, read_policy

    limits: dict[LimitKind, Sequence[str]] = {
        "max-drop": options["max_drop"],
        "max-relative-drop": options["max_relative_drop"],
        "max-drop-vs-baseline": options["max_drop_vs_baseline"],
    }
    given = [kind for kind, values in limits.items() if values]
    if options["policy"] is not None:
        if given:
            raise UsageError(
                f"--policy and --{given[0]} together would be two policies; write the limit into the file"
            )
        return read_policy(Path(options["policy"]))
    return limits_from_options(limits, level=0.95 if level is None else level) if given else None


@click.command()
@click.argument("folder", metavar="FOLDER", type=click.Path())
@with_gate_options
@click.option("--quiet", is_flag=True, help="Only errors, and the outcome.")
def gate(folder: str, quiet: bool, **options: Any) -> int:
    """Judge a finished run by limits: pass (exit 0), fail (1) or inconclusive (3).

    Writes the outcome into the run and renders its reports, with junit.xml. No model is called.
    """
    from pathlib import Path

    from robust_eval import store
    from robust_eval.cli import terminal
    from robust_eval.gate import exit_code
    from robust_eval.run import failed_requests, gated, render

    policy = policy_of(options)
    if policy is None:
        raise UsageError("no limit to judge by; give --max-drop SHARE or --policy FILE")
    path = Path(folder)
    if not path.is_dir():
        raise UsageError(f"no folder {folder!r}; give the folder that a run was written to")
    record = gated(store.load(path), policy)
    assert record.gate is not None
    store.save_gate(path, record)
    render(path, record)
    terminal.show_gate(record, quiet=quiet)
    failed = failed_requests(record)
    if failed:
        terminal.warn(f"{failed} requests of the run failed; give its command again first")
        return EXIT_INFRASTRUCTURE
    return exit_code(record.gate)
