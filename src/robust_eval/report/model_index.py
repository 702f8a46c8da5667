"""`model-index.yml`: a run's scores as metadata of a Hugging Face model card.

Source of the format: https://github.com/huggingface/hub-docs/blob/main/modelcard.md (model-index).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from robust_eval.records import Estimate, Gap, RunRecord, TaskKind
from robust_eval.report import views
from robust_eval.report.cautions import name, primary
from robust_eval.report.text import one_line

TASKS = {
    TaskKind.CLASSIFICATION: "text-classification",
    TaskKind.PAIR: "text-classification",
    TaskKind.MULTIPLE_CHOICE: "multiple-choice",
    TaskKind.BOOLEAN_QA: "text-classification",
    TaskKind.EXTRACTIVE_QA: "question-answering",
    TaskKind.OPEN_QA: "question-answering",
    TaskKind.MATH: "text-generation",
}


def render_model_index(record: RunRecord) -> str:
    """Every model's clean and shifted scores with their intervals, as YAML for a card's front matter.

    Texts are double-quoted as JSON writes them, which YAML reads alike, so that none can form keys.
    """
    lines = [f"# {line}" for line in _header(record)] + ["model-index:"]
    for card in record.models:
        if card.role != "model":
            continue
        lines += [f"- name: {_text(name(card.name))}", "  results:"]
        seen_clean = False
        for gap in record.gaps:
            if gap.model != card.name or gap.metric != primary(record):
                continue
            if not seen_clean and gap.paired:
                lines += _result(record, "clean", gap.clean, None)
                seen_clean = True
            lines += _result(record, gap.set_key, gap.shifted, gap)
    return "\n".join(lines) + "\n"


def _header(record: RunRecord) -> Iterator[str]:
    yield "Copy into the front matter of a model card (README.md on a model hub)."
    yield one_line(views.signature(record), 400)


def _result(record: RunRecord, key: str, score: Estimate, gap: Gap | None) -> list[str]:
    data = name(record.dataset.name)
    rows: list[tuple[int, str, Any]] = [
        (4, "task", None),
        (6, "type", TASKS[record.dataset.task.kind]),
        (4, "dataset", None),
        (6, "name", data if gap is None else f"{data}, {name(key)}"),
        (6, "type", data),
        (6, "config", name(key)),
        (6, "revision", one_line(record.dataset.revision, 120)),
        (4, "metrics", None),
    ]
    metrics = [(primary(record), score)] + ([("drop", gap.drop)] if gap else [])
    lines = [
        f"{' ' * indent}{label}:{'' if value is None else ' ' + _text(value)}"
        for indent, label, value in rows
    ]
    lines[0] = "  - " + lines[0].strip()
    for metric, figure in metrics:
        lines += [
            f"    - type: {_text(metric)}",
            f"      value: {figure.value:.6f}",
            f"      name: {_text(f'{metric}, {name(key)}')}",
            "      args:",
            f"        low: {figure.low:.6f}",
            f"        high: {figure.high:.6f}",
            f"        level: {figure.level:g}",
            f"        n: {figure.n}",
        ]
    return lines


def _text(value: str) -> str:
    return json.dumps(one_line(value, 400), ensure_ascii=True)
