"""`report.md`: the conclusion on one screen, fit for a pull request."""

from __future__ import annotations

from robust_eval.records import RunRecord
from robust_eval.report import numbers as n
from robust_eval.report import views
from robust_eval.report.cautions import primary
from robust_eval.report.gates import gate_blocks
from robust_eval.report.sections import SECTIONS
from robust_eval.report.text import markdown_bullets, markdown_code, markdown_table, markdown_text
from robust_eval.report.words import Summary, summary

MOST_ROWS = 60  # of one table: a comment on a pull request is read, not searched


def render_markdown(record: RunRecord) -> str:
    """Headline, table, warnings and limits. Names and texts in it can form no markup of their own."""
    said = summary(record)
    parts: list[str] = [
        f"## {markdown_text(said.title)}",
        *gate_blocks(record),
        f"**{markdown_text(said.headline, 1200)}**",
        *markdown_bullets(said.sentences),
        *(_compared(said) if said.rows else _drops(said, record)),
    ]
    for section in SECTIONS:
        if section.markdown and (blocks := section.markdown(record)):
            parts += [f"### {markdown_text(section.heading)}", *blocks]
    if said.warnings:
        parts += ["### Warnings", *markdown_bullets(said.warnings)]
    if said.limits:
        parts += ["### Limits", *markdown_bullets(said.limits)]
    parts += [
        f"Metric: {markdown_text(primary(record))}; "
        f"{n.counted(len(record.dataset.examples), 'clean example')}, "
        f"{n.counted(len(record.sets), 'shifted set')}. "
        "Tables by shift, examples, method and settings are in `report.html`.",
        f"Signature: {markdown_code(views.signature(record), limit=400)}",
    ]
    return "\n\n".join(parts) + "\n"


def _compared(said: Summary) -> list[str]:
    level = n.level(said.rows[0].comparison.difference.level)
    table = markdown_table(
        (
            "Shift",
            "Model",
            "Baseline",
            "Verdict",
            f"Difference of drops ({level})",
            "p (Holm)",
            "Clean, model",
            "Clean, baseline",
            f"Difference of shifted scores ({level})",
        ),
        (
            (
                markdown_code(row.shift, cell=True),
                markdown_code(row.model, cell=True),
                markdown_code(row.baseline, cell=True),
                f"**{row.verdict}**",
                row.difference,
                markdown_text(row.p_holm),
                row.clean_model,
                row.clean_baseline,
                row.shifted_difference,
            )
            for row in said.rows[:MOST_ROWS]
        ),
        numbers_from=4,
    )
    return [
        table,
        *_left_out(len(said.rows)),
        "Differences are in points. Difference of drops: what the baseline loses minus what the model "
        "loses; above zero, the model loses less.",
    ]


def _drops(said: Summary, record: RunRecord) -> list[str]:
    if not said.drops:
        return []
    level = n.level(said.drops[0].gap.drop.level)
    table = markdown_table(
        ("Set", "Model", "Clean", "Shifted", f"Drop, points ({level})"),
        (
            (
                markdown_code(row.set_key, cell=True),
                markdown_code(row.model, cell=True),
                row.clean,
                row.shifted,
                row.drop,
            )
            for row in said.drops[:MOST_ROWS]
        ),
        numbers_from=2,
    )
    return [table, *_left_out(len(said.drops))]


def _left_out(rows: int) -> list[str]:
    more = rows - MOST_ROWS
    return [f"{n.counted(more, 'further row')} in `report.html`."] if more > 0 else []
