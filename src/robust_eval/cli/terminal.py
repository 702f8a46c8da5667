"""What a terminal shows: progress on stderr, the summary on stdout; model text never controls it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from robust_eval.cli.entry import printable
from robust_eval.records import silent

if TYPE_CHECKING:
    from pathlib import Path

    from robust_eval.records import Comparison, Estimate, RunRecord

no_progress = silent


def progress(what: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
    """A bar on stderr while the block runs; nothing when stderr is not a terminal."""
    return _bar(what, total) if sys.stderr.isatty() else silent(what, total)


@contextmanager
def _bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        bar = bars.add_task(printable(what), total=total)
        yield lambda steps: bars.advance(bar, steps)


def say(line: str) -> None:
    """One line of plain text on stderr: news of the run, not its result."""
    print(printable(line), file=sys.stderr, flush=True)


def warn(line: str) -> None:
    """One line on stderr that the user should not miss."""
    say(f"warning: {line}")


def show_line(line: str) -> None:
    """One line of a command's result, on stdout."""
    print(printable(line), flush=True)


def show_path(path: Path) -> None:
    """The last line of a run: where the report is. Alone on stdout's last line, for scripts."""
    print(printable(str(path)), flush=True)


def show_table(title: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table on stdout: aligned in a terminal, tab-separated for a pipe."""
    safe = [[printable(str(cell)) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        print("\t".join(header))
        for row in safe:
            print("\t".join(row))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", show_edge=False, pad_edge=False)
    for name in header:
        table.add_column(name, overflow="fold")
    for row in safe:
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)


def show_summary(record: RunRecord) -> None:
    """The conclusion, the headline rows and every model's drop, as the report states them."""
    from robust_eval.report import summary

    found = summary(record)
    for sentence in (found.headline, *found.sentences):
        print(printable(sentence))
    edits = {s.key for s in record.sets if s.family == "prompt"}
    edit_shifts = {s.shift for s in record.sets if s.family == "prompt"}
    pooled = [c for c in record.comparisons if c.set_key is None]
    what = (
        "Difference of drops: positive means that the model loses less than the baseline (points)"
    )
    _show_comparisons(what, [c for c in pooled if c.shift not in edit_shifts])
    _show_comparisons(f"Prompt edits. {what}", [c for c in pooled if c.shift in edit_shifts])
    primary = record.dataset.task.metrics[0].name
    for title, keys in (
        ("Drop per shifted set", {s.key for s in record.sets} - edits),
        ("Drop per prompt edit: the clean examples, asked otherwise", edits),
    ):
        if keys:
            _show_drops(f"{title} ({primary}, points)", record, keys)
    _show_lines(record)
    for model in dict.fromkeys(entry.model for entry in record.not_applicable):
        said = [entry for entry in record.not_applicable if entry.model == model]
        for reason in dict.fromkeys(entry.reason for entry in said):
            named = ", ".join(entry.set_key for entry in said if entry.reason == reason)
            print(printable(f"not applicable to {model} ({reason}): {named}"))
    for line in record.warnings:
        warn(line)


def _show_comparisons(title: str, pooled: Sequence[Comparison]) -> None:
    if not pooled:
        return
    show_table(
        title,
        ("model", "baseline", "shift", "difference", "interval", "p (Holm)", "verdict"),
        (
            (
                c.model,
                c.baseline,
                c.shift,
                points(c.difference.value, sign=True),
                interval(c.difference),
                "-" if c.p_holm is None else f"{c.p_holm:.3g}",
                c.verdict,
            )
            for c in pooled
        ),
    )


def _show_lines(record: RunRecord) -> None:
    for line in record.lines:
        if line.refusal:
            about = f" for {line.set_key}" if line.set_key else ""
            print(printable(f"no reference line{about}: {line.refusal}"))
    rows = [(line, model) for line in record.lines for model in line.models]
    if not rows:
        return
    show_table(
        "Against the reference line: effective robustness, in points above what the clean score lets expect",
        ("model", "set", "effective robustness", "interval", "verdict"),
        (
            (
                m.model,
                line.set_key,
                "-" if m.effective is None else points(m.effective.value, sign=True),
                "-" if m.effective is None else interval(m.effective),
                f"{m.verdict}: {m.reason}" if m.effective is None else m.verdict,
            )
            for line, m in rows
        ),
    )


def _show_drops(title: str, record: RunRecord, keys: Collection[str]) -> None:
    primary = record.dataset.task.metrics[0].name
    show_table(
        title,
        ("model", "set", "clean", "shifted", "drop", "interval"),
        (
            (
                g.model,
                g.set_key,
                points(g.clean.value),
                points(g.shifted.value),
                points(g.drop.value, sign=True),
                interval(g.drop),
            )
            for g in record.gaps
            if g.metric == primary and g.set_key in keys
        ),
    )


def show_gate(record: RunRecord, *, quiet: bool = False) -> None:
    """The gate's outcome and, unless quiet, every check."""
    from robust_eval.report import gate_view

    gate = gate_view(record)
    if gate is None:
        return
    if not quiet:
        show_table(
            "Gate: figures with their one-sided bounds, and limits, in points",
            ("outcome", "model", "where", "what", "figure", "limit", "originals"),
            (
                (r.outcome, r.model, r.where, r.what, r.figure, r.limit, r.originals)
                for r in gate.rows
            ),
        )
        for row in gate.rows:
            if row.outcome != "pass":
                print(printable(row.reason))
        if gate.limited:
            print(printable(f"limited to {'; '.join(gate.limited)}"))
    print(printable(f"gate: {gate.sentence}"))


def show_usage(record: RunRecord) -> None:
    """What hosted models were asked in this run, one line each on stderr."""
    for model, used in record.host.get("usage", {}).items():
        line = (
            f"{model}: {used['requests']:,} requests, {used['prompt_tokens']:,} prompt and "
            f"{used['completion_tokens']:,} completion tokens"
        )
        if used["estimated_requests"]:
            line += (
                f" ({used['estimated_requests']:,} requests counted at the most they may have used)"
            )
        if "cost" in used:
            line += f", ${used['cost']:.4f} by the prices of {used['prices_of']}"
        say(line)


def points(share: float, *, sign: bool = False) -> str:
    """A share in percentage points with one decimal."""
    return f"{100 * share:+.1f}" if sign else f"{100 * share:.1f}"


def interval(estimate: Estimate) -> str:
    """`[low, high]` in points."""
    return f"[{points(estimate.low, sign=True)}, {points(estimate.high, sign=True)}]"
