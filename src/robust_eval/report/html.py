"""`report.html`: one file that opens offline, whatever the texts and names in it try to do."""

from __future__ import annotations

import base64
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from robust_eval.records import RunRecord
from robust_eval.report import matrix, numbers, pictures, sampling, seal, views
from robust_eval.report.cautions import described, primary
from robust_eval.report.sections import SECTIONS, Section
from robust_eval.report.text import script_json, visible
from robust_eval.report.words import summary_title

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"


def render_html(record: RunRecord) -> str:
    """The report page. The same record gives the same text.

    Nothing in it is fetched, and its policy forbids every script and style but its own two.
    """
    from markupsafe import Markup

    style, script = asset("report.css"), asset("report.js")
    page = (
        environment()
        .get_template("report.html.j2")
        .render(
            record=record,
            title=summary_title(record),
            sections=[page for section in SECTIONS if (page := _arranged(section, record))],
            metric=primary(record),
            metrics=[m.name for m in record.dataset.task.metrics],
            series=pictures.series(record),
            outcomes=sampling.OUTCOMES,
            reasons=sampling.REASONS,
            host=views.flat(record.host),
            signature=views.signature(record),
            described=described,
            flat=views.flat,
            n=numbers,
            # Both are files of this package, and the hashes below are of these very characters.
            style=Markup(style),
            script=Markup(script),
            policy=policy(style, script),
            matrix=matrix.pack(record),
            matrix_id=matrix.ELEMENT,
            # Escaped by script_json.
            about=Markup(
                script_json({"format": matrix.FORMAT, "signature": views.signature(record)})
            ),
            svg=Markup,
        )
    )
    return seal.sealed(page)


def _arranged(section: Section, record: RunRecord) -> dict[str, Any] | None:
    view = section.view(record)
    if view is None:
        return None
    return {
        "ident": section.ident,
        "heading": section.heading,
        "short": section.short,
        "template": section.template,
        "view": view,
    }


def policy(style: str, script: str) -> str:
    """The Content-Security-Policy that allows this one style and this one script, and nothing else."""
    return (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(sha256(text.encode('utf-8')).digest()).decode('ascii')}"


def asset(file: str) -> str:
    """A style or script, as it stands between its tags: line ends as HTML parsers normalise them."""
    text = (TEMPLATES / file).read_text(encoding="utf-8")
    return "\n" + text.replace("\r\n", "\n").strip() + "\n"


@cache
def environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_shown,
    )


def _shown(value: Any) -> Any:
    """Every text that a template prints, with hidden characters written out; markup stays as it is."""
    return visible(value) if type(value) is str else value
