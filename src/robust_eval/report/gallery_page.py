"""A page that shows perturbations at work: every severity on the same texts, with its edits marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from robust_eval.report import numbers as n
from robust_eval.report.diffs import diff, plain


@dataclass(frozen=True, slots=True)
class Shown:
    """One text after a perturbation at one severity; `edit_rate` is the share of its characters that were edited."""

    severity: int
    text: str
    edit_rate: float


@dataclass(frozen=True, slots=True)
class Specimen:
    """A text and what the severities make of it, mildest first; `note` says what goes with the text."""

    text: str
    shown: tuple[Shown, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One perturbation: what it does, where it comes from, its parameters, and specimens."""

    name: str
    group: str  # a heading
    family: str
    rates: str
    unit: str
    description: tuple[str, ...]  # paragraphs
    source: str
    parameters: tuple[str, ...]
    nests: bool
    specimens: tuple[Specimen, ...]


def render_gallery(exhibits: Sequence[Exhibit], *, about: str) -> str:
    """One offline page under the report's own policy: no script, one style. The same exhibits give the same text."""
    from markupsafe import Markup

    from robust_eval.report.html import asset, environment, policy

    style = asset("report.css")
    return (
        environment()
        .get_template("gallery.html.j2")
        .render(
            groups=[
                (group, list(members)) for group, members in groupby(exhibits, lambda e: e.group)
            ],
            count=len(exhibits),
            about=about,
            diff=diff,
            plain=plain,
            n=n,
            style=Markup(style),
            policy=policy(style, ""),
        )
    )
