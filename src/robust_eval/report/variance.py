"""Seeds and draws: what the variance of each difference is made of, and each member's clean score."""

from __future__ import annotations

import math
from dataclasses import dataclass

from robust_eval.records import CLEAN, Comparison, RunRecord
from robust_eval.report import numbers as n
from robust_eval.report.cautions import name, primary
from robust_eval.report.text import markdown_table, markdown_text

MOST_ROWS = 20  # of the short form


@dataclass(frozen=True, slots=True)
class Members:
    """A group and how its members score on the clean set, where all of them answered."""

    model: str
    varied: str  # "seeds" or "draws"
    scores: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Variance:
    groups: tuple[Members, ...]
    comparisons: tuple[Comparison, ...]  # pooled rows with components


def variance_view(record: RunRecord) -> Variance | None:
    """None for a run without groups."""
    groups = tuple(
        Members(
            name(card.name),
            "draws" if card.kind == "prompted" else "seeds",
            tuple(_clean(record, member) for member in card.members),
        )
        for card in record.models
        if card.members
    )
    rows = tuple(c for c in record.comparisons if c.set_key is None and c.components)
    return Variance(groups, rows) if groups else None


def variance_markdown(record: RunRecord) -> list[str]:
    """The components of every pooled difference, one row each."""
    view = variance_view(record)
    if view is None or not view.comparisons:
        return []
    table = markdown_table(
        ("Shift", "Model", "Baseline", "Where the variance comes from"),
        (
            (
                markdown_text(name(c.shift)),
                markdown_text(name(c.model)),
                markdown_text(name(c.baseline)),
                markdown_text(
                    ", ".join(
                        f"{n.percent(part.share)} {n.counted(part.count, kind(part.source))}"
                        for part in c.components
                    )
                ),
            )
            for c in view.comparisons[:MOST_ROWS]
        ),
        numbers_from=4,
    )
    more = len(view.comparisons) - MOST_ROWS
    return [table, *([f"{n.counted(more, 'further row')} in `report.html`."] if more > 0 else [])]


def kind(source: str) -> str:
    """`seed` of "seeds of demo:minilm"; `example` of "examples"."""
    return source.partition(" ")[0].removesuffix("s")


def _clean(record: RunRecord, member: str) -> float:
    scores = record.scores.get((member, CLEAN, primary(record)), ())
    values = [score for score in scores if score is not None]
    return math.fsum(values) / len(values) if values else math.nan
