"""A panel as a JSON file: read with every value checked, written whole, found among the embedded ones."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from robust_eval.decode import decode
from robust_eval.errors import DataError, StatisticsError, UsageError, did_you_mean
from robust_eval.files import write_atomic
from robust_eval.records import Panel, PanelScore, RunRecord
from robust_eval.score import panel_line, panel_mismatch
from robust_eval.stats.ranks import friedman

FORMAT = 1  # raise when the file's layout changes
LARGEST = 8 * 1024**2  # bytes of a panel file
MOST_MEMBERS = 2_000
EMBEDDED = Path(__file__).parent
AUTO, OFF = "auto", "off"


def read_panel(path: Path) -> Panel:
    """The panel of a file. Raises UsageError when there is none, DataError when it does not hang together."""
    try:
        if path.stat().st_size > LARGEST:
            raise DataError(f"{path} is larger than {LARGEST >> 20} MiB; not a panel file")
        data = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise UsageError(
            f"no panel file {str(path)!r}; make one with robust-eval panel FILE --baseline ... "
            "--dataset ..."
        ) from error
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not valid JSON: {str(error)[:120]}") from error
    if not isinstance(data, dict) or "members" not in data:
        raise DataError(f"{path} is not a panel file; make one with robust-eval panel")
    if data.get("format") != FORMAT:
        raise DataError(
            f"{path} has panel format {str(data.get('format'))[:20]}; this version reads {FORMAT}"
        )
    panel = decode(Panel, data, path.name)
    _check(panel, path)
    return panel


def write_panel(path: Path, panel: Panel) -> None:
    """One member a line, so that two versions of a panel can be compared line by line."""
    data = asdict(panel)
    rows = ",\n".join("  " + json.dumps(row, ensure_ascii=False) for row in data.pop("members"))
    head = json.dumps(data, ensure_ascii=False, indent=1, allow_nan=False)
    text = head.removesuffix("\n}") + ',\n "members": [\n' + rows + "\n ]\n}\n"
    write_atomic(path, text.encode("utf-8", "backslashreplace"))


def embedded_names() -> tuple[str, ...]:
    """The panels that this package brings along."""
    return tuple(sorted(path.stem for path in EMBEDDED.glob("*.json")))


def read_embedded(name: str) -> Panel:
    """An embedded panel. Raises UsageError with the nearest name when there is none of this one."""
    if name not in embedded_names():
        raise UsageError(f"no embedded panel {name!r}{did_you_mean(name, embedded_names())}")
    return read_panel(EMBEDDED / f"{name}.json")


def choose_panel(wanted: str) -> Panel | None:
    """What `--panel` names: a file, an embedded panel, or `off`; None for `off` and `auto`.

    Raises UsageError when there is no such file or name.
    """
    if wanted in (AUTO, OFF):
        return None
    if wanted in embedded_names() and not Path(wanted).exists():
        return read_embedded(wanted)
    return read_panel(Path(wanted))


def fitting_panel(record: RunRecord) -> Panel | None:
    """The first embedded panel made on the run's own data; None when there is none."""
    panels = (read_embedded(name) for name in embedded_names())
    return next((panel for panel in panels if not panel_mismatch(record, panel)), None)


def _check(panel: Panel, path: Path) -> None:
    if len(panel.members) > MOST_MEMBERS:
        raise DataError(f"{path} has over {MOST_MEMBERS:,} members")
    names = [member.name for member in panel.members]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(f"{path} has two members named {twice[:80]!r}")
    keys = [shift.key for shift in panel.shifts]
    for member in panel.members:
        if sorted(member.shifted) != sorted(keys):
            raise DataError(
                f"{path}: {member.name[:80]!r} has scores on {', '.join(member.shifted)[:80]}, the panel "
                f"is about {', '.join(keys)[:80]}"
            )
        _check_scores((member.clean, *member.shifted.values()), member.name, path)


def _check_scores(scores: Iterable[PanelScore], name: str, path: Path) -> None:
    for score in scores:
        if score.n < 1 or not (math.isfinite(score.score) and 0 <= score.score <= 1):
            raise DataError(
                f"{path}: a score of {name[:80]!r} is {score.score} on {score.n} examples; it lies between 0 "
                "and 1, on one example or more"
            )


def describe_panels() -> list[tuple[str, ...]]:
    """One row for each embedded panel: name, clean set, shifts, number of models, fit."""
    rows: list[tuple[str, ...]] = []
    for panel in map(read_embedded, embedded_names()):
        fits = [(s.key, panel_line(panel, s.key)) for s in panel.shifts]
        said = [f"{key}: {f if isinstance(f, str) else f'R² {f.r2:.2f}'}" for key, f in fits]
        keys = ", ".join(s.key for s in panel.shifts)
        rows.append((panel.name, panel.dataset.key, keys, str(len(panel.members)), "; ".join(said)))
    return rows


def described(panel: Panel) -> list[str]:
    """What a panel is about and what its lines are, in lines of text."""
    lines = [f"clean: {panel.dataset.population}, {panel.dataset.n:,} examples"]
    for shift in panel.shifts:
        lines.append(f"{shift.key}: {shift.population}, {shift.n:,} examples")
        fitted = panel_line(panel, shift.key)
        lines.append(
            f"{shift.key}: no line: {fitted}"
            if isinstance(fitted, str)
            else f"{shift.key}: probit(shifted) = {fitted.slope:.3f} probit(clean) {fitted.intercept:+.3f}, "
            f"R² {fitted.r2:.3f}, scatter {fitted.scatter:.3f} probits"
        )
    return [*lines, *_ranked(panel)]


def _ranked(panel: Panel) -> list[str]:
    """Who is ahead over several shifts, by Friedman's mean ranks; nothing for a single shift."""
    keys = [shift.key for shift in panel.shifts]
    try:
        ranks = friedman([[m.shifted[key].score for key in keys] for m in panel.members])
    except StatisticsError:
        return []
    best = sorted(zip(ranks.mean, (m.name for m in panel.members), strict=True))[:3]
    ahead = ", ".join(f"{name} {mean:.2f}" for mean, name in best)
    return [
        f"mean ranks over {len(keys)} shifts, 1 the best: {ahead}; Friedman's chi-squared "
        f"{ranks.statistic:.1f} on {ranks.df} df, p = {ranks.p:.2g}"
    ]
