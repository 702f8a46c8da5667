"""The subcommands: list, perturb, gallery, report, sheet, doctor."""

from __future__ import annotations

from typing import Any

import click

from robust_eval.errors import EXIT_PASS, EXIT_USAGE, UsageError, did_you_mean

KINDS = (
    "perturbations",
    "external",
    "recipes",
    "textattack",
    "domains",
    "models",
    "templates",
    "presets",
    "panels",
)


@click.command("list")
@click.argument("what", required=False, default=None, metavar="[WHAT]")
def list_(what: str | None) -> int:
    """Show what there is: perturbations, external ones, recipes, textattack's recipes, domains, models, templates, presets or panels. Without WHAT, all of them."""
    from robust_eval.cli import terminal

    if what is not None and what not in KINDS:
        raise UsageError(f"cannot list {what!r}{did_you_mean(what, KINDS)}")
    for kind in KINDS if what is None else (what,):
        title, header, rows = _listing(kind)
        terminal.show_table(title, header, rows)
        if what is None:
            click.echo()
    return EXIT_PASS


def _listing(kind: str) -> tuple[str, tuple[str, ...], list[tuple[str, ...]]]:
    if kind == "perturbations":
        from robust_eval.recipes import describe_perturbations

        header: tuple[str, ...] = (
            "name",
            "group",
            "family",
            "rates at severity 1-5",
            "what it does",
        )
        return "Perturbations (--shift NAME@SEVERITY)", header, describe_perturbations()
    if kind == "panels":
        from robust_eval.panels import describe_panels

        names = ("name", "clean set", "shifts", "models", "lines")
        return "Panels behind the reference line (--panel NAME)", names, describe_panels()
    if kind == "external":
        from robust_eval.perturb.external import describe_external

        header = ("name", "parameters", "NLTK data")
        title = "nlpaug's and textattack's augmenters (--shift NAME@SEVERITY?PARAMETER=VALUE)"
        return title, header, [*describe_external()]
    if kind == "recipes":
        from robust_eval.recipes import describe_recipes

        return "Recipes (--shift NAME)", ("name", "sets", "what it holds"), describe_recipes()
    if kind == "textattack":
        from robust_eval.attack import describe_textattack

        header = ("name", "reads", "paper")
        return "TextAttack's recipes (--shift NAME)", header, describe_textattack()
    if kind == "domains":
        from robust_eval.data import describe_domains

        rows = [tuple(row.values()) for row in describe_domains()]
        header = ("data set", "shift", "source", "rule", "paired", "licence", "paper")
        return "Natural shifts (--shift domain, or ood:NAME)", header, rows
    if kind == "templates":
        from robust_eval.models.templates import describe_templates

        header = ("name", "version", "tasks", "prompting", "paraphrases", "what it is")
        return "Prompt templates (--template NAME or a TOML file)", header, describe_templates()
    if kind == "presets":
        from robust_eval.presets import describe_presets

        return "Presets (--preset NAME)", ("name", "what it is", "options"), describe_presets()
    from robust_eval.models.specs import PROVIDERS

    models = [tuple(line.split(", ", 1)) for line in PROVIDERS.values()]
    return "Models (--model) and baselines (--baseline)", ("spec", "what it is"), models


@click.command()
@click.argument("source", metavar="IN", type=click.Path())
@click.argument("target", metavar="OUT", type=click.Path())
@click.option(
    "--shift",
    "shifts",
    multiple=True,
    required=True,
    metavar="SHIFT",
    help="Perturbation NAME[@SEVERITY,...] or noise recipe. Repeatable.",
)
@click.option(
    "--field",
    "fields",
    multiple=True,
    metavar="FIELD",
    help="Text column to perturb. Repeatable. [default: text]",
)
@click.option("--seed", default=0, show_default=True, help="Seed of every draw.")
@click.option(
    "--processes",
    default=1,
    show_default=True,
    help="Worker processes; the bytes are the same for any number.",
)
@click.option("--encoding", default="utf-8", show_default=True, help="Encoding of IN.")
@click.option("--overwrite", is_flag=True, help="Replace OUT if it exists.")
@click.option("--quiet", is_flag=True, help="Only errors.")  # fmt: skip
def perturb(source: str, target: str, quiet: bool, **options: Any) -> int:
    """Perturb a JSONL, CSV or TSV file (also .gz), line by line, with no model.

    Every row of IN appears in OUT once for each shifted set, with its columns, the shift's name,
    severity and realised dose.
    """
    from pathlib import Path

    from robust_eval.build import perturb_file
    from robust_eval.cli import terminal
    from robust_eval.recipes import parse_shifts

    if Path(target).exists() and not options["overwrite"]:
        raise UsageError(f"{target} exists; give --overwrite to replace it")
    if options["processes"] < 1:
        raise UsageError(f"--processes must be at least 1, not {options['processes']}")
    summary = perturb_file(
        Path(source),
        Path(target),
        parse_shifts(options["shifts"], seed=options["seed"]),
        fields=options["fields"] or ("text",),
        seed=options["seed"],
        processes=options["processes"],
        encoding=options["encoding"],
        progress=terminal.no_progress if quiet else terminal.progress,
    )
    if not quiet:
        terminal.say(str(summary))
    return EXIT_PASS


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "--texts",
    metavar="FILE",
    type=click.Path(),
    help="Your own texts, one a line (UTF-8, up to 20).",
)
@click.option("--out", "target", required=True, metavar="FILE", help="The page to write.")
@click.option("--seed", default=0, show_default=True, help="Seed of every draw.")
@click.option("--overwrite", is_flag=True, help="Replace FILE if it exists.")
def gallery(
    names: tuple[str, ...], texts: str | None, target: str, seed: int, overwrite: bool
) -> int:
    """Write a page that shows perturbations at work: every severity on the same texts, edits marked.

    NAMEs are native perturbations (`robust-eval list perturbations`); without any, all of them. No model is called.
    """
    from pathlib import Path

    from robust_eval.cli import terminal
    from robust_eval.files import write_atomic
    from robust_eval.gallery import gallery as page
    from robust_eval.gallery import read_texts

    path = Path(target)
    if path.exists() and not overwrite:
        raise UsageError(f"{target} exists; give --overwrite to replace it")
    own = None if texts is None else read_texts(Path(texts))
    write_atomic(path, page(names, own, seed).encode("utf-8", "replace"))
    terminal.show_path(path)
    return EXIT_PASS


@click.command()
@click.argument("folder", metavar="FOLDER", type=click.Path())
@click.option(
    "--annotations",
    multiple=True,
    type=click.Path(),
    metavar="SHEET",
    help="Sheet of `robust-eval sheet`, filled in by a person: drops are corrected by it. Repeatable.",
)
@click.option(
    "--panel",
    metavar="FILE|NAME|off",
    help="Panel of models behind the reference line. [default: the run's own]",
)
def report(folder: str, annotations: tuple[str, ...], panel: str | None) -> int:
    """Render report.html and report.md again from a finished run's records. No model is called."""
    from pathlib import Path

    from robust_eval import store
    from robust_eval.cli import terminal
    from robust_eval.panels import AUTO, choose_panel, fitting_panel
    from robust_eval.run import annotate, lined, render

    path = Path(folder)
    if not path.is_dir():
        raise UsageError(f"no folder {folder!r}; give the folder that a run was written to")
    record = annotate(path, [Path(s) for s in annotations]) if annotations else store.load(path)
    if panel is not None:
        record = lined(record, fitting_panel(record) if panel == AUTO else choose_panel(panel))
        store.save_gate(path, record)
    render(path, record)
    terminal.show_summary(record)
    terminal.show_path(path / store.HTML)
    return EXIT_PASS


@click.command()
@click.argument("folder", metavar="FOLDER", type=click.Path())
@click.option(
    "--out", "target", required=True, metavar="FILE", help="Sheet to write: .csv or .xlsx."
)
@click.option(
    "--size",
    default=100,
    show_default=True,
    help="Shifted examples; a fifth as many clean ones are mixed in.",
)
@click.option("--seed", default=0, show_default=True, help="Seed of the draw.")
@click.option(
    "--set",
    "keys",
    multiple=True,
    metavar="SET",
    help="Only this set, e.g. word-drops@3. Repeatable.",
)
@click.option("--overwrite", is_flag=True, help="Replace FILE if it exists.")
def sheet(
    folder: str, target: str, size: int, seed: int, keys: tuple[str, ...], overwrite: bool
) -> int:
    """Write a blinded sheet for people to judge: which label has this text?

    Texts of shifted and clean examples in random order, without the shift's name or the label. Fill in the column
    `judgement` and give the sheet back with `robust-eval report FOLDER --annotations FILE`.
    """
    from pathlib import Path

    from robust_eval import store
    from robust_eval.cli import terminal
    from robust_eval.validity.sheet import sample, write_sheet

    path = Path(target)
    if path.exists() and not overwrite:
        raise UsageError(f"{target} exists; give --overwrite to replace it")
    record = store.load(Path(folder))
    chosen = sample(record, size, seed, keys)
    write_sheet(path, record, chosen)
    terminal.say(f"{len(chosen)} texts in {target}; fill in the column 'judgement'")
    return EXIT_PASS


@click.command()
@click.option("--cache-dir", metavar="FOLDER", help="Cache to check. [default: as a run would use]")
@click.option(
    "--base-url",
    metavar="URL",
    help="Server of openai: models to reach. [default: $OPENAI_BASE_URL]",
)
@click.option(
    "--api-key-env", metavar="NAME", help="Variable that holds its key. [default: OPENAI_API_KEY]"
)
def doctor(cache_dir: str | None, base_url: str | None, api_key_env: str | None) -> int:
    """Check Python, packages, accelerators, demo models, caches, keys, a server and disk; print each remedy."""
    import os

    from robust_eval.cli import terminal
    from robust_eval.doctor import KEY_NAME, diagnose, worst

    given = {"ROBUST_EVAL_CACHE": cache_dir, "OPENAI_BASE_URL": base_url, KEY_NAME: api_key_env}
    environment = dict(os.environ) | {name: value for name, value in given.items() if value}
    findings = diagnose(environment)
    terminal.show_table(
        "robust-eval doctor",
        ("state", "check", "found", "remedy"),
        ((f.status, f.name, f.detail, f.remedy) for f in findings),
    )
    return EXIT_USAGE if worst(findings) == "fail" else EXIT_PASS
