"""The example reports are what their records give, to the byte, and stay small."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from robust_eval import store
from robust_eval.audit import verify
from robust_eval.report import matrix, render_html, render_markdown

EXAMPLES = Path(__file__).parents[1] / "reports" / "examples"
FOLDERS = sorted(path.parent for path in EXAMPLES.glob("*/run.json"))
LARGEST = 6_000_000  # bytes of all that lies there


def test_there_are_three_with_their_records_and_they_are_small():
    assert [folder.name for folder in FOLDERS] == ["demo", "head-to-head", "reviews-file"]
    assert sum(p.stat().st_size for p in EXAMPLES.rglob("*") if p.is_file()) < LARGEST


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_record_renders_to_the_bytes_that_lie_beside_it(folder):
    record = store.load(folder)
    hint = "the pages changed: `make examples` renders them again"
    assert render_html(record).encode() == (folder / store.HTML).read_bytes(), hint
    assert render_markdown(record).encode() == (folder / store.MARKDOWN).read_bytes(), hint


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_figure_is_what_the_answers_give(folder):
    hint = "a statistic or a page changed: `make examples` makes them again"
    assert verify(folder).findings == (), hint


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_page_holds_the_records_scores(folder):
    record = store.load(folder)
    packed = matrix.unpack((folder / store.HTML).read_text("utf-8"))
    back = {
        (s["model"], s["set"], s["metric"]): matrix.outcomes(s["values"]) for s in packed["scores"]
    }
    assert back == {key: list(values) for key, values in record.scores.items()}


def test_the_page_about_them_gives_the_command_that_the_makefile_runs():
    page = (EXAMPLES / "README.md").read_text("utf-8")
    makefile = (EXAMPLES.parents[1] / "Makefile").read_text("utf-8")
    for first in ("--model bow", "--preset head-to-head"):
        (shown,) = re.findall(
            rf"robust-eval {first}(.*?)--out", page.replace("\\\n", ""), re.DOTALL
        )
        (run,) = re.findall(
            rf'robust-eval" {first}(.*?)--out', makefile.replace("\\\n", ""), re.DOTALL
        )
        assert shown.split() == run.split()
