"""`robust-eval plan`: a run's size, time, cost and power before it starts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from robust_eval.errors import EXIT_PASS

if TYPE_CHECKING:
    from robust_eval.plan import RunPlan


def show(found: RunPlan) -> None:
    """The table of calls, and what attacks and fine-tuning may add."""
    from robust_eval.cli import terminal
    from robust_eval.estimate import in_words

    terminal.show_table(
        "Model calls, and tokens read and written for them (about)",
        ("model", "role", "answers", "calls", "tokens read", "tokens written", "time", "cost, US$"),
        (
            (
                row.model,
                row.role,
                f"{row.answers:,}",
                f"{row.calls:,}",
                f"{row.prompt_tokens:,}",
                f"{row.answer_tokens:,}",
                in_words(row.seconds) if row.calls else "none: all cached",
                "-" if row.cost is None else f"{row.cost:.2f}",
            )
            for row in found.asked
        ),
    )  # fmt: skip
    terminal.show_line(
        f"{found.clean:,} clean and {found.shifted:,} shifted examples, {found.sets} shifted set{'s' * (found.sets != 1)}; "
        f"{sum(row.calls for row in found.asked):,} model calls, {in_words(found.seconds)}"
    )
    for row in found.asked:
        if row.training_seconds:
            terminal.show_line(
                f"fine-tuning {row.model}: {in_words(row.training_seconds)} if it takes all its epochs (an estimate)"
            )
        if row.attack_queries or row.later:
            cost = "" if row.attack_cost is None else f", US$ {row.attack_cost:.2f}"
            terminal.show_line(
                f"attacks and rewrites, {row.model}: at most {row.attack_queries:,} queries of attacks and {row.later:,} answers "
                f"to the sets that are made; at most {in_words(row.attack_seconds)}{cost} (an upper bound: most attacks end sooner)"
            )


def plan_command(options: Sequence[Callable[[Any], Any]]) -> click.Command:
    """The subcommand, with the options of the root command."""

    def plan(**given: Any) -> int:
        """Say what a run would ask, take and be able to find, with the options of the run itself.

        Data are read and perturbed; no model is asked and no weights are loaded. Times are estimates, good to a
        factor of about two; what attacks may ask is an upper bound.
        """
        from robust_eval.cli import terminal
        from robust_eval.cli.evaluate import settings_of
        from robust_eval.cli.gate import policy_of
        from robust_eval.panels import choose_panel
        from robust_eval.plan import plan as planned

        settings, output = settings_of(given)
        # A wrong policy or panel is told before the run too.
        policy_of(given, level=settings.level)
        choose_panel(given["panel"])
        quiet = given["quiet"]
        found = planned(
            settings, output, progress=terminal.no_progress if quiet else terminal.progress
        )
        show(found)
        points = terminal.points
        terminal.show_line(
            f"smallest drop found with 80% power: {points(found.detectable_drop)} points for one model on one "
            f"paired set; {points(found.detectable_difference)} for a difference of drops, "
            f"{points(found.detectable_adjusted)} after adjusting for {found.tests} test{'s' * (found.tests != 1)} "
            "(if a tenth of the answers turn)"
        )
        return EXIT_PASS

    command: Any = plan
    for option in reversed(options):
        command = option(command)
    made: click.Command = click.command("plan")(command)
    return made
