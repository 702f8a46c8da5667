from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from robust_eval.report import html, markdown, render_html, render_markdown, sections
from robust_eval.report.sections import SECTIONS, Section

SHELL = {"report.html.j2", "parts.html.j2", "diff.html.j2", "gallery.html.j2"}  # pages, and macros


def test_every_section_has_its_template_and_every_template_its_section():
    found = {path.name for path in html.TEMPLATES.glob("*.j2")}
    assert found == SHELL | {section.template for section in SECTIONS}


def test_idents_are_unique_anchors():
    idents = [section.ident for section in SECTIONS]
    assert len(set(idents)) == len(idents)
    assert all(re.fullmatch(r"[a-z][a-z-]*", ident) for ident in idents)


def test_a_section_without_a_view_leaves_page_and_contents(make_run):
    record = make_run(n=8)
    assert 'id="severity"' in render_html(record)
    flat = replace(record, sets=tuple(replace(s, severity=None) for s in record.sets))
    page = render_html(flat)
    assert 'id="severity"' not in page
    assert "#severity" not in page


@pytest.fixture
def extra(monkeypatch):
    """A section beside the real ones, shown with an existing template."""
    added = Section(
        "limits", "Extra", lambda record: ("said here",), markdown=lambda r: ["short form"]
    )
    for module in (html, markdown, sections):
        monkeypatch.setattr(module, "SECTIONS", (added,))


@pytest.mark.usefixtures("extra")
def test_one_line_in_the_list_puts_a_section_on_page_contents_and_markdown(make_run):
    record = make_run(n=8)
    page = render_html(record)
    assert '<h2 id="limits-h">Extra</h2>' in page
    assert '<a href="#limits">Extra</a>' in page
    assert "said here" in page
    assert "### Extra\n\nshort form" in render_markdown(record)


def test_the_architecture_page_says_how_to_add_a_section():
    page = (Path(__file__).parents[2] / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert "report/sections.py" in page
