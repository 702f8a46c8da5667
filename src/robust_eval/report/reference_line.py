"""Where the run's models lie against the reference line of a panel: effective robustness, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass

from robust_eval.records import OffLine, Panel, ReferenceLine, RunRecord
from robust_eval.report import numbers as n
from robust_eval.report.cautions import name
from robust_eval.report.charts import Dot, Spot, probit_line
from robust_eval.report.text import markdown_code, markdown_table, markdown_text, one_line

MOST_COMMANDS = 10  # that made a panel: those that are shown


@dataclass(frozen=True, slots=True)
class ModelRow:
    series: int
    clean: str
    shifted: str
    expected: str
    effective: str
    range: str
    verdict: str
    reason: str


@dataclass(frozen=True, slots=True)
class MemberRow:
    name: str
    parameters: str
    clean: str
    shifted: str


@dataclass(frozen=True, slots=True)
class LineView:
    set_key: str
    svg: str  # "" where there is no line
    sentence: str
    refusal: str
    rows: tuple[ModelRow, ...]
    members: tuple[MemberRow, ...]


@dataclass(frozen=True, slots=True)
class LinesView:
    panel: str
    about: str
    commands: tuple[str, ...]
    lines: tuple[LineView, ...]


def reference_view(record: RunRecord) -> LinesView | None:
    """One plot and table a set; None for a run without a panel."""
    panel = record.panel
    if panel is None or not record.lines:
        return None
    return LinesView(
        name(panel.name),
        f"{n.counted(len(panel.members), 'model')}, {one_line(panel.dataset.population, 300)}",
        tuple(one_line(made.command, 600) for made in panel.made[:MOST_COMMANDS]),
        tuple(_line(record, panel, line, i) for i, line in enumerate(record.lines)),
    )


def reference_markdown(record: RunRecord) -> list[str]:
    """Effective robustness of every model, one row each, and every refusal."""
    view = reference_view(record)
    if view is None:
        return []
    blocks = []
    for line in view.lines:
        about = f"{line.set_key}: {line.sentence}" if line.set_key else line.sentence
        blocks.append(markdown_text(about, 800))
        if line.rows:
            blocks.append(
                markdown_table(
                    ("Model", "Verdict", "Clean", "Shifted", "On the line", "Effective robustness"),
                    (
                        (
                            markdown_code(record.models[row.series].name, cell=True),
                            markdown_text(_said(row)),
                            row.clean,
                            row.shifted,
                            row.expected,
                            f"{row.effective} {row.range}".strip(),
                        )
                        for row in line.rows
                    ),
                    numbers_from=2,
                )
            )
    return blocks


def _said(row: ModelRow) -> str:
    return f"{row.verdict}: {row.reason}" if row.reason else row.verdict


def _line(record: RunRecord, panel: Panel, line: ReferenceLine, at: int) -> LineView:
    if line.refusal:
        said = f"No reference line: {line.refusal}."
        return LineView(name(line.set_key), "", said, line.refusal, (), ())
    index = {card.name: i for i, card in enumerate(record.models)}
    spots = [
        Spot(index[m.model], m.clean, m.shifted, _note(m)) for m in line.models if m.model in index
    ]
    dots = [
        Dot(
            m.clean.score,
            m.shifted[line.set_key].score,
            f"{name(m.name)}: clean {n.percent(m.clean.score)}, shifted "
            f"{n.percent(m.shifted[line.set_key].score)}",
        )
        for m in panel.members
    ]
    svg = probit_line(
        dots,
        line.band,
        spots,
        ident=f"line{at}",
        title=f"Against the reference line: {name(line.set_key)}",
        description="Score on the shifted set by score on the clean one, both on the probit scale: small "
        "circles are the panel's models, the line is theirs, and a further one falls into the band. "
        "The tables below have the same figures.",
    )
    rows = tuple(_row(index[m.model], m) for m in line.models if m.model in index)
    return LineView(name(line.set_key), svg, _sentence(line), "", rows, _members(panel, line))


def _sentence(line: ReferenceLine) -> str:
    slope, intercept, r2 = line.slope or 0.0, line.intercept or 0.0, line.r2 or 0.0
    low, high = line.range or (0.0, 0.0)
    return (
        f"probit(shifted) = {n.number(slope, 2)} probit(clean) {'+' if intercept >= 0 else n.MINUS} "
        f"{n.number(abs(intercept), 2)} over {line.members} models with clean scores from {n.percent(low)} to "
        f"{n.percent(high)}; R² {n.number(r2, 2)}, scatter {n.number(line.scatter or 0.0, 2)} probits"
    )


def _row(series: int, m: OffLine) -> ModelRow:
    return ModelRow(
        series,
        n.percent(m.clean.value),
        n.percent(m.shifted.value),
        "–" if m.expected is None else n.percent(m.expected),
        "–" if m.effective is None else n.signed_points(m.effective.value),
        "" if m.effective is None else f"({n.bounds(m.effective, signed=True)})",
        m.verdict,
        m.reason,
    )


def _note(m: OffLine) -> str:
    said = (
        f"{name(m.model)}: clean {n.percent(m.clean.value)}, shifted {n.percent(m.shifted.value)}"
    )
    if m.effective is None:
        return f"{said}; {m.reason}"
    return f"{said}; effective robustness {n.with_bounds(m.effective, signed=True)} points"


def _members(panel: Panel, line: ReferenceLine) -> tuple[MemberRow, ...]:
    ordered = sorted(panel.members, key=lambda m: (m.clean.score, m.name))
    return tuple(
        MemberRow(
            name(m.name),
            "–" if m.parameters is None else n.count(m.parameters),
            n.percent(m.clean.score),
            n.percent(m.shifted[line.set_key].score),
        )
        for m in ordered
    )
