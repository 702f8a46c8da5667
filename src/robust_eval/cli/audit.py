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
