"""`robust-eval verify`: a run or a report checked against its own records."""

from __future__ import annotations

import click

from robust_eval.errors import EXIT_GATE_FAILED, EXIT_PASS


@click.command()
@click.argument("path", metavar="FOLDER|REPORT.HTML", type=click.Path())
@click.option("--quiet", is_flag=True, help="Only what does not agree.")
def verify(path: str, quiet: bool) -> int:
    """Compute every figure of a run again from its records; exit 1 when one does not agree.

    A folder is checked from its answers on, its reports included; a report.html from the score matrix
    that it carries. This finds damage and edits, not forgery: keep the digest elsewhere for that.
    """
    from hashlib import sha256
    from pathlib import Path

    from robust_eval.audit import verify as verified
    from robust_eval.cli import terminal

    found = verified(Path(path))
    for finding in found.findings:
        terminal.show_line(f"{finding.where}: {finding.what}")
    if not quiet:
        for note in found.notes:
            terminal.say(f"note: {note}")
        page = found.path / "report.html" if found.path.is_dir() else found.path
        if page.is_file():
            terminal.say(f"sha256 of {page.name}: {sha256(page.read_bytes()).hexdigest()}")
    if found.holds:
        terminal.show_line(f"verified: {', '.join(found.checked)}")
        return EXIT_PASS
    terminal.show_line(f"not verified: {len(found.findings)} disagree")
    return EXIT_GATE_FAILED


@click.command()
@click.argument("old", metavar="OLD", type=click.Path())
@click.argument("new", metavar="NEW", type=click.Path())
@click.option("--out", metavar="FILE", help="The page to write. [default: NEW/diff.html]")
def diff(old: str, new: str, out: str | None) -> int:
    """Say what changed from one run to another, as far as paired tests support it.

    Compares every model that both have on the examples that are the same in both. Exit code 1 when
    something got worse.
    """
    from pathlib import Path

    from robust_eval import store
    from robust_eval.audit import diff as compared
    from robust_eval.cli import terminal
    from robust_eval.files import write_atomic
    from robust_eval.report import diff_rows, diff_sentence, render_diff

    found = compared(store.load(Path(old)), store.load(Path(new)), names=(old, new))
    page = Path(out) if out else Path(new) / store.DIFF
    write_atomic(page, render_diff(found).encode("utf-8", "replace"))
    terminal.show_table(
        "Changes in points, supported ones first",
        ("verdict", "model", "set", "figure", "old", "new", "change", "p (Holm)", "examples"),
        diff_rows(found),
    )
    for note in found.notes:
        terminal.say(f"note: {note}")
    terminal.show_line(diff_sentence(found))
    terminal.show_path(page)
    return EXIT_GATE_FAILED if found.regressed else EXIT_PASS


@click.command()
@click.argument("shards", nargs=-1, required=True, metavar="SHARD...", type=click.Path())
@click.option("--out", required=True, metavar="FOLDER", help="Folder of the merged run.")
@click.option("--overwrite", is_flag=True, help="Replace a run in the folder.")
def merge(shards: tuple[str, ...], out: str, overwrite: bool) -> int:
    """Put finished shards of one run together, and compute its figures and reports anew.

    Shards share data and settings and differ in --shift, --model or --baseline: run each shift, or each model, on
    a machine of its own with the same --seed and --limit.
    """
    from pathlib import Path

    from robust_eval import store
    from robust_eval.audit import merge as merged
    from robust_eval.cli import terminal
    from robust_eval.run import render

    record = merged([store.load(Path(shard)) for shard in shards], shards)
    folder = store.open_run(Path(out), record.settings, overwrite=overwrite)
    folder.begin()
    store.save(folder.path, record)
    render(folder.path, record)
    terminal.show_summary(record)
    terminal.show_path(folder.path / store.HTML)
    return EXIT_PASS
