"""The sections of a report, in reading order: the one list that the page, its contents and `report.md` follow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from robust_eval.records import RunRecord
from robust_eval.report import (
    attacks,
    calibration,
    decomposition,
    examples,
    heat,
    human,
    pictures,
    reference_line,
    static_sets,
    transfer,
    validity,
    views,
)
from robust_eval.report.budgets import budgets_markdown, budgets_view
from robust_eval.report.extraction import readings, readings_markdown
from robust_eval.report.further import further
from robust_eval.report.gates import gate_view
from robust_eval.report.prompt_shift import prompt_markdown, prompt_view, texts_only
from robust_eval.report.usage import usage, usage_markdown
from robust_eval.report.variance import variance_markdown, variance_view
from robust_eval.report.words import limit_list, verdict

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, what stands under it and, where a pull request needs it, its short form.

    `view` arranges the record for `templates/<ident>.html.j2`, where it is called `view`; it computes
    no figure that the record could hold. None leaves the section out. `markdown` gives blocks for `report.md`.
    """

    ident: str  # anchor, and name of the template
    heading: str
    view: Callable[[RunRecord], Any | None]
    short: str = ""  # the heading's form in the contents, where it is too long for them
    markdown: Callable[[RunRecord], Sequence[str]] | None = None

    @property
    def template(self) -> str:
        return f"{self.ident}.html.j2"


def of_texts(view: Callable[[RunRecord], T]) -> Callable[[RunRecord], T]:
    """The view without prompt-side sets, which stand in a section of their own."""
    return lambda record: view(texts_only(record))


SECTIONS: tuple[Section, ...] = (
    Section("gate", "Gate", gate_view),
    Section("verdict", "Verdict", verdict),
    Section("gaps", "Gaps", of_texts(pictures.gaps)),
    Section("heat", "Shifts by model", of_texts(heat.drops)),
    Section("severity", "Score by severity", of_texts(pictures.severities), short="Severity"),
    Section(
        "against-clean",
        "Clean against shifted scores",
        of_texts(pictures.against_clean),
        short="Clean–shifted",
    ),
    Section(
        "reference-line",
        "Against the reference line",
        of_texts(reference_line.reference_view),
        short="Reference line",
        markdown=reference_line.reference_markdown,
    ),
    Section(
        "decomposition",
        "What the drops are made of",
        of_texts(decomposition.decomposition),
        short="Causes",
    ),
    Section(
        "extraction",
        "Strict and lenient reading",
        readings,
        short="Strict–lenient",
        markdown=readings_markdown,
    ),
    Section(
        "calibration",
        "Reliability of probabilities",
        of_texts(calibration.calibration),
        short="Reliability",
    ),
    Section(
        "budgets",
        "By number of examples",
        of_texts(budgets_view),
        short="Examples learnt from",
        markdown=budgets_markdown,
    ),
    Section(
        "variance",
        "Seeds and draws",
        variance_view,
        markdown=variance_markdown,
    ),
    Section("further", "Further figures", further, short="Further"),
    Section(
        "attacks",
        "Attacks",
        of_texts(attacks.attacks),
        markdown=of_texts(attacks.attacks_markdown),
    ),
    Section(
        "transfer",
        "Transfer of attacks",
        of_texts(transfer.transfer),
        short="Transfer",
        markdown=of_texts(transfer.transfer_markdown),
    ),
    Section(
        "static",
        "Published adversarial sets",
        static_sets.static_sets,
        short="Adversarial sets",
        markdown=static_sets.static_markdown,
    ),
    Section("shifts", "Shift by shift", of_texts(views.shifts)),
    Section(
        "validity",
        "Whether labels survived",
        of_texts(validity.labels),
        short="Labels",
        markdown=validity.labels_markdown,
    ),
    Section(
        "human", "What people said", human.people, short="People", markdown=human.people_markdown
    ),
    Section("distance", "How far each shift is", of_texts(validity.distances), short="Distance"),
    Section("prompts", "Prompt-side shift", prompt_view, markdown=prompt_markdown),
    Section("examples", "Examples", of_texts(examples.sample)),
    Section("models", "Models", views.models),
    Section("usage", "Requests and cost", usage, short="Cost", markdown=usage_markdown),
    Section("data", "Data", views.data),
    Section("method", "Method", views.methods),
    Section("settings", "Settings and versions", views.made_with, short="Settings"),
    Section("limits", "Limits", limit_list),
)
