"""The sections of `robust-eval --help`: which option stands under which heading."""

from __future__ import annotations

from collections.abc import Iterable

import click

# Heading, then its options in the order in which they are shown.
SECTIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("What is compared", ("--model", "--baseline", "--dataset", "--shift", "--ood", "--limit", "--seed", "--preset", "--panel", "--temperature-scaling")),
    ("Data", ("--task", "--column", "--label-map", "--train", "--train-size", "--split", "--encoding")),
    ("Prompting", ("--shots", "--select", "--prompt-source", "--draws", "--scoring", "--prompting", "--template", "--chat", "--label-word", "--calibrate", "--length-normalised", "--max-new-tokens", "--temperature", "--samples", "--vote", "--repeats")),
    ("Fine-tuning", ("--seeds", "--equal-budgets", "--epochs", "--learning-rate", "--train-batch-size", "--layer-decay", "--class-weights", "--mixed-precision", "--gradient-checkpointing", "--truncation", "--max-length")),
    ("Attacks and rewriting", ("--attack-budget", "--attack-limit", "--attack-model", "--attack-control", "--rewriter", "--validity")),
    ("Gate", ("--max-drop", "--max-relative-drop", "--max-drop-vs-baseline", "--policy", "--level")),
    ("Servers", ("--base-url", "--endpoint", "--api-key-env", "--max-requests", "--max-cost", "--prices", "--timeout", "--deadline", "--retries", "--retry-wait", "--concurrency")),
    ("Machine", ("--device", "--dtype", "--batch-size", "--offline", "--cache-dir", "--model-version")),
    ("Output", ("--out", "--overwrite", "--quiet", "--version", "--help")),
)  # fmt: skip
REST = "More"


def grouped(options: Iterable[click.Parameter]) -> list[tuple[str, list[click.Parameter]]]:
    """The options under their headings, in the order of SECTIONS; what has no place comes last."""
    by_flag: dict[str, click.Parameter] = {
        option.opts[-1]: option for option in options if isinstance(option, click.Option)
    }
    found = [
        (heading, [by_flag.pop(flag) for flag in flags if flag in by_flag])
        for heading, flags in SECTIONS
    ]
    return [
        (heading, chosen) for heading, chosen in (*found, (REST, list(by_flag.values()))) if chosen
    ]


class SectionedHelp(click.Command):
    """Shows options under headings instead of in one long list."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for heading, options in grouped(self.get_params(ctx)):
            rows = [row for option in options if (row := option.get_help_record(ctx)) is not None]
            with formatter.section(heading):
                formatter.write_dl(rows)
