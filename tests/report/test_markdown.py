from __future__ import annotations

import re
from dataclasses import replace

import pytest

from robust_eval.report import render_markdown
from robust_eval.report.text import markdown_code, markdown_text

HOSTILE = [
    "a | b",
    "[click](javascript:alert(1))",
    "![x](http://evil.example/x.png)",
    "<img src=x onerror=alert(1)>",
    "@everyone see https://evil.example and www.evil.example",
    "mail me@evil.example",
    "fixes #123 and GH-77",
    "`code` and ``more``",
    "line\nbreak\r\n# heading",
    "back\\slash \\| pipe",
    "\u202eevil\x1b[31m",
    "1. list",
    "- item",
    "$x^2$ ~~gone~~ &lt;",
]


def test_the_page_has_headline_table_warnings_and_limits_and_is_short(run_record):
    page = render_markdown(run_record)
    assert page.startswith("## Robustness gap")
    assert (
        page.index("**When the test set shifts")
        < page.index("| Shift |")
        < page.index("### Warnings")
    )
    assert page.index("### Warnings") < page.index("### Limits")
    assert page.count("\n") < 60
    assert "−" in page
    assert "±" not in page


@pytest.mark.parametrize("bad", HOSTILE)
def test_hostile_names_stay_in_their_cell_and_form_no_markup(run_record, bad):
    record = replace(
        run_record,
        dataset=replace(run_record.dataset, name=bad),
        models=(replace(run_record.models[0], name=bad), *run_record.models[1:]),
        comparisons=tuple(
            replace(c, model=bad, shift=bad, reason=bad) for c in run_record.comparisons
        ),
        warnings=(bad,),
    )
    page = render_markdown(record)
    rows = [line for line in page.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {10}
    outside = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", page)  # without code spans
    bare = re.sub(r"\\.", "", outside)
    assert "<img" not in bare
    assert not re.search(r"\]\(|https?://|www\.|@\w+\.|(^|\W)@\w|#\d|GH-\d", bare)
    assert not set(page) & set("\u202e\x1b\r")
    assert "\n# heading" not in page


@pytest.mark.parametrize("bad", HOSTILE)
def test_a_code_span_ends_where_it_should(bad):
    span = markdown_code(bad)
    fence = re.match(r"`+", span)[0]
    assert span.endswith(fence)
    assert fence not in span[len(fence) : -len(fence)]
    assert "\n" not in span


def test_a_set_key_keeps_its_sign():
    assert markdown_text("under keyboard-typos@3, too") == "under keyboard-typos@3, too"
    assert markdown_text("by @someone") == "by ＠someone"


def test_without_comparisons_the_drops_are_tabled(make_run):
    record = make_run(n=20)
    page = render_markdown(replace(record, models=record.models[:1], comparisons=()))
    assert "| Set | Model | Clean | Shifted | Drop, points (95%) |" in page


def test_a_long_table_is_cut_and_says_so(make_run, run_record):
    record = replace(run_record, comparisons=run_record.comparisons * 10)
    page = render_markdown(record)
    assert "40 further rows in `report.html`" in page
