"""The help of the root command: every option stands under a heading."""

from __future__ import annotations

import click

from robust_eval.cli.root import robust_eval
from robust_eval.cli.sections import REST, SECTIONS, grouped


def test_every_option_has_a_heading_and_every_name_is_an_option() -> None:
    with click.Context(robust_eval) as ctx:
        parameters = robust_eval.get_params(ctx)
        headings = [heading for heading, _ in grouped(parameters)]
    assert REST not in headings
    flags = [flag for _, listed in SECTIONS for flag in listed]
    assert len(flags) == len(set(flags))
    assert set(flags) == {parameter.opts[-1] for parameter in parameters}


def test_an_option_without_a_place_is_still_shown() -> None:
    stray = click.Option(["--stray"])
    assert grouped([stray]) == [(REST, [stray])]


def test_the_help_shows_headings_options_and_subcommands() -> None:
    with click.Context(robust_eval, info_name="robust-eval") as ctx:
        text = robust_eval.get_help(ctx)
    for words in ("What is compared:", "--model", "Commands:", "perturb", "Exit codes:"):
        assert words in text
