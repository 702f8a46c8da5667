"""Every figure of a run computed again from its per-example records, and compared with what is stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from robust_eval import __version__, store
from robust_eval.audit.page import page_record
from robust_eval.audit.walk import differences
from robust_eval.data.fingerprint import fingerprint
from robust_eval.errors import DataError, UsageError
from robust_eval.gate import judge_again
from robust_eval.records import RunRecord
from robust_eval.report import (
    render_html,
    render_junit,
    render_markdown,
    render_model_index,
    seal,
)
from robust_eval.score import (
    analysis,
    attack_figures,
    comparisons,
    gaps,
    mean_scores,
    reference_lines,
    refitted,
    score_all,
    score_repeats,
    static_figures,
)

LARGEST_PAGE = 512 * 1024**2  # bytes of a report that is read
MOST_FINDINGS = 200  # of one kind; a file that was damaged all over needs no longer list


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that does not agree."""

    where: str
    what: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What was checked, what could not be, and what does not agree."""

    path: Path
    checked: tuple[str, ...]
    notes: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def holds(self) -> bool:
        return not self.findings


def verify(path: Path) -> Verification:
    """Recomputes a run folder's figures, or those of a `report.html`.

    It detects corruption and edits, not forgery: whoever writes consistent records and pages anew passes. Keep
    the report's digest elsewhere for that. Raises DataError for what is not a run, UsageError for no file.
    """
    if path.is_dir():
        return _folder(path)
    if not path.is_file():
        raise UsageError(f"no folder or report {str(path)!r}; give a run's folder or report.html")
    if path.stat().st_size > LARGEST_PAGE:
        raise DataError(f"{path} is larger than {LARGEST_PAGE >> 20} MiB; not a report of ours")
    return _page(path)


def _folder(path: Path) -> Verification:
    record = store.load(path)
    findings = [*_cut(_answers(record)), *_figures(record), *_attacks(record)]
    checked = ["scores of every answer", *_what(record), "the data set's fingerprint"]
    checked += [f"figures of {len(record.attacks)} attacks"] if record.attacks else []
    notes: list[str] = []
    changed = store.changed_since(path, record)
    if changed is None:
        notes.append(
            "the run kept no digests: shifted texts that no figure rests on are not checked"
        )
    else:
        findings += _cut(Finding(*at) for at in changed)
        checked.append("the texts of every set")
    if record.human is not None:
        notes.append("what people said rests on their sheets, which are not part of the run")
    made_by = record.versions.get("robust-eval")
    pages: dict[str, Callable[[RunRecord], str]] = {
        store.HTML: render_html,
        store.MARKDOWN: render_markdown,
        store.MODEL_INDEX: render_model_index,
    }
    if record.gate is not None:
        pages[store.JUNIT] = render_junit
    for name, render in pages.items():
        if not (path / name).is_file():
            notes.append(f"{name} is not there")
        elif made_by != __version__:
            notes.append(
                f"{name} was made by version {made_by}, this is {__version__}: not compared"
            )
        else:
            findings += _rendered(path / name, render(record))
            checked.append(name)
    return Verification(path, tuple(checked), tuple(notes), tuple(findings))


def _answers(record: RunRecord) -> Iterator[Finding]:
    """Stored scores that the stored answers do not give."""
    about = record.dataset
    if fingerprint(about.task, about.labels, about.examples) != about.fingerprint:
        yield Finding("data set", "the texts or targets are not those of its fingerprint")
    found = mean_scores(record.models, score_all(about, record.sets, record.predictions))
    for where, stored in record.scores.items():
        yield from _vector(where, stored, found.get(where))
    again = score_repeats(about, record.repeats)
    for place, stored in record.repeat_scores.items():
        yield from _vector(place, stored, again.get(place))


def _vector(
    where: tuple[object, ...],
    stored: tuple[float | None, ...],
    found: tuple[float | None, ...] | None,
) -> Iterator[Finding]:
    if stored == found:
        return
    place = f"scores {'/'.join(map(str, where))}"
    for path, what in islice(differences(stored, found, place), 5):
        yield Finding(path, what)


def _figures(record: RunRecord) -> list[Finding]:
    """Stored figures that the scores do not give."""
    level = _level(record)
    parts = (record.dataset, record.sets, record.models, record.predictions, record.scores)
    findings: list[Finding] = []
    for name, stored, found in (
        ("gaps", record.gaps, gaps(*parts, level=level)),
        (
            "comparisons",
            record.comparisons,
            comparisons(
                *parts, level=level, equal_budgets=bool(record.settings.get("equal_budgets"))
            ),
        ),
        ("analysis", record.analysis, record.analysis and analysis(record, level=level)),
        ("temperatures", record.temperatures, tuple(map(refitted, record.temperatures))),
        ("static sets", record.static, record.static and static_figures(record, level=level)),
        ("reference lines", record.lines, reference_lines(record, level=level)),
        ("gate", record.gate, None if record.gate is None else judge_again(record)),
    ):
        if stored != found:
            findings += _cut(Finding(*found) for found in differences(stored, found, name))
    return findings


def _attacks(record: RunRecord) -> list[Finding]:
    """Figures of attacks, which rest on how every attack ended: a page alone does not hold that."""
    if not record.attacks:
        return []
    found = attack_figures(record, level=_level(record))
    return _cut(Finding(*at) for at in differences(record.attacks, found, "attacks"))


def _what(record: RunRecord) -> list[str]:
    return [
        f"{len(record.gaps)} gaps",
        f"{len(record.comparisons)} comparisons",
        *(["analysis"] if record.analysis else []),
        *(["temperatures"] if record.temperatures else []),
        *(["adversarial sets"] if record.static else []),
        *(["reference lines"] if record.panel else []),
        *([f"{len(record.gate.checks)} checks of the gate"] if record.gate else []),
    ]


def _level(record: RunRecord) -> float:
    level = record.settings.get("level")
    return float(level) if isinstance(level, int | float) else 0.95


def _rendered(path: Path, wanted: str) -> list[Finding]:
    written = path.read_bytes()
    if written == wanted.encode("utf-8", "replace"):
        return []
    text = written.decode("utf-8", "replace")
    changed = seal.changed_sections(text, wanted) if path.name == store.HTML else []
    return [
        Finding(path.name, f"{what} is not what the records give")
        for what in changed or ["the file"]
    ]


def _page(path: Path) -> Verification:
    page = path.read_bytes().decode("utf-8", "replace")
    record = page_record(page)
    broken = seal.broken(page)
    notes = [] if broken is not None else ["the page has no seal: sections were not compared"]
    if '<section id="attacks"' in page:
        notes.append("how attacks ended is not in the page: verify the folder for their figures")
    findings = [Finding(path.name, f"{what} was changed") for what in broken or ()]
    findings += _figures(record)
    checked = [*_what(record), "the seal of every section"]
    return Verification(path, tuple(checked), tuple(notes), tuple(findings))


def _cut(findings: Iterator[Finding]) -> list[Finding]:
    return list(islice(findings, MOST_FINDINGS))
