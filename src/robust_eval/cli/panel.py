"""`robust-eval panel`: baselines of several sizes, training amounts and seeds, for a reference line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from robust_eval.cli.sections import SectionedHelp
from robust_eval.errors import EXIT_PASS, UsageError

if TYPE_CHECKING:
    from robust_eval.records import Panel

# Of the root command's options, those that decide what a panel's members are and answer.
TAKEN = (
    "baselines", "dataset", "shifts", "ood", "limit", "seed", "task", "columns", "label_map", "train", "train_sizes",
    "split", "encoding", "seeds", "epochs", "learning_rate", "train_batch_size", "layer_decay", "class_weights",
    "mixed_precision", "gradient_checkpointing", "truncation", "max_length", "device", "dtype", "batch_size",
    "offline", "cache_dir", "quiet",
)  # fmt: skip

# What is said otherwise here than of a run.
HELP = {
    "baselines": "Member to train and measure: an encoder id or folder, demo:minilm, demo:roberta-mini, lora:MODEL, full:MODEL, bow. Repeatable.",
    "shifts": "Shift that takes no model: domain, ood:NAME, a noise recipe, NAME[@SEVERITY,...] or a recipe file. Repeatable. [default: domain]",
    "train_sizes": "Training examples; each baseline is trained once with each number: 32,128,512,all.",
    "seeds": "Fine-tunings of each baseline at each number, with as many seeds.",
}  # fmt: skip


def panel_command(options: Sequence[Callable[[Any], Any]]) -> click.Command:
    """The subcommand, with those options of the root command that it has a use for."""

    def panel(path: str, add: bool, overwrite: bool, runs: tuple[str, ...], **given: Any) -> int:
        """Measure a panel of baselines, or show one: scores on a clean set and under shifts.

        Every --baseline is fine-tuned once a --train-size and seed, and asked about --dataset and each --shift. FILE
        is the panel to write; a run of the same data takes it with --panel FILE. With --from, the members are those of
        finished runs, and nothing is trained. Without either, FILE or the embedded panel of that name is shown.
        """
        from pathlib import Path

        from robust_eval.panels import embedded_names, read_embedded, read_panel

        target = Path(path)
        if runs and (given["dataset"] or given["baselines"]):
            raise UsageError(
                "--from takes models as they are; measure others with a command of their own and --add"
            )
        if given["dataset"] is None and not runs:
            if given["baselines"] or add:
                raise UsageError("no data set to measure the panel on; give one with --dataset")
            embedded = path in embedded_names() and not target.exists()
            _show(read_embedded(path) if embedded else read_panel(target))
            return EXIT_PASS
        if target.exists() and not (add or overwrite):
            raise UsageError(
                f"{path} exists; give --add to put further members into it, or --overwrite to replace it"
            )
        more = read_panel(target) if add else None
        _show(_taken(target, more, runs) if runs else _made(target, more, given))
        return EXIT_PASS

    command: Any = panel
    for option in reversed(options):
        command = option(command)
    made: click.Command = click.command("panel", cls=SectionedHelp)(command)
    for option in made.params:
        if isinstance(option, click.Option) and option.name in HELP:
            option.help = HELP[option.name]
    made.params = [
        click.Argument(["path"], metavar="FILE", type=click.Path()),
        *(p for p in made.params if p.name in TAKEN),
        click.Option(["--from", "runs"], multiple=True, metavar="RUN", type=click.Path(), help="Take the fine-tuned models and floors of this finished run on the same data. Repeatable."),
        click.Option(["--add"], is_flag=True, help="Put the members into the panel that FILE holds already."),
        click.Option(["--overwrite"], is_flag=True, help="Replace FILE if it exists."),
    ]  # fmt: skip
    return made


def _made(target: Any, more: Panel | None, given: dict[str, Any]) -> Panel:
    from robust_eval.cli import terminal
    from robust_eval.panel_making import make_panel
    from robust_eval.panels import default_name, write_panel
    from robust_eval.settings import Output, Settings, largest, pairs

    if not given["baselines"]:
        raise UsageError(
            "no baseline for the panel; give some, such as --baseline demo:minilm --baseline bow"
        )
    sizes = given["train_sizes"]
    settings = Settings(
        models=given["baselines"],
        dataset=given["dataset"],
        shifts=given["shifts"] or ("domain",),
        ood=pairs("--ood", given["ood"], commas=False),
        columns=pairs("--column", given["columns"]),
        label_map=pairs("--label-map", given["label_map"]),
        train_size=largest(sizes),
        train_sizes=sizes if len(sizes) > 1 else (),
        **{
            name: given[name]
            for name in TAKEN
            if name
            not in ("baselines", "dataset", "shifts", "ood", "columns", "label_map", "train_sizes")
            and name not in ("offline", "cache_dir", "quiet")
        },
    )
    quiet = given["quiet"]
    panel = make_panel(
        settings,
        Output(cache_dir=given["cache_dir"], offline=given["offline"]),
        more=more,
        name=default_name(target),
        progress=terminal.no_progress if quiet else terminal.progress,
        announce=(lambda line: None) if quiet else terminal.say,
    )
    write_panel(target, panel)
    return panel


def _taken(target: Any, more: Panel | None, runs: tuple[str, ...]) -> Panel:
    from pathlib import Path

    from robust_eval import store
    from robust_eval.panels import default_name, panel_of_runs, write_panel

    records = [store.load(Path(run)) for run in runs]
    made = panel_of_runs(records, runs, more=more, name=default_name(target))
    write_panel(target, made)
    return made


def _show(panel: Panel) -> None:
    from robust_eval.cli import terminal
    from robust_eval.panels import described

    keys = [shift.key for shift in panel.shifts]
    terminal.show_table(
        f"{panel.name}: {panel.metric} of {len(panel.members)} models",
        ("model", "parameters", "clean", *keys),
        (
            (
                member.name,
                "-" if member.parameters is None else f"{member.parameters:,}",
                f"{member.clean.score:.1%}",
                *(f"{member.shifted[key].score:.1%}" for key in keys),
            )
            for member in sorted(panel.members, key=lambda m: (m.clean.score, m.name))
        ),
    )
    for line in described(panel):
        terminal.show_line(line)
