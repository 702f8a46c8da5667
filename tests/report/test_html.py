from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

import pytest

from robust_eval.records import TASKS, TaskKind
from robust_eval.report import render_html
from robust_eval.report.text import script_json, visible


class Page(HTMLParser):
    """Tags, attributes, headings and the text of scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.raw: list[tuple[str, dict[str, str | None], str]] = []
        self.open = False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.open = tag in ("script", "style")

    def handle_endtag(self, tag):
        self.open = False

    def handle_data(self, data):
        if self.open:
            self.raw.append((*self.elements[-1], data))


@pytest.fixture(scope="module")
def page(run_record):
    return render_html(run_record)


def test_the_same_record_gives_the_same_bytes_in_another_process(make_run, tmp_path):
    code = (
        "import importlib.util, sys, hashlib\n"
        "spec = importlib.util.spec_from_file_location('made_up', sys.argv[1])\n"
        "made_up = importlib.util.module_from_spec(spec); sys.modules['made_up'] = made_up\n"
        "spec.loader.exec_module(made_up)\n"
        "from robust_eval.report import render_html\n"
        "page = render_html(made_up.make_record(n=30)).encode()\n"
        "sys.stdout.write(hashlib.sha256(page).hexdigest())\n"
    )
    source = sys.modules[make_run.__module__].__file__
    digests = {
        subprocess.run(
            [sys.executable, "-c", code, source],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert digests == {sha256(render_html(make_run(n=30)).encode()).hexdigest()}


def test_the_policy_allows_exactly_the_style_and_the_script_of_the_page(page):
    (policy,) = [a["content"] for t, a in Page(page).elements if a.get("http-equiv")]
    run = [(t, text) for t, a, text in Page(page).raw if t == "style" or "type" not in a]
    assert [t for t, _ in run] == ["style", "script"]
    for tag, text in run:
        digest = base64.b64encode(sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy


def test_nothing_is_fetched_and_nothing_is_inline(page):
    for tag, attributes in Page(page).elements:
        assert tag not in ("link", "img", "iframe", "object", "embed", "base", "form")
        assert not {"style", "src", "srcset"} & set(attributes)
        assert not any(name.startswith("on") for name in attributes)
        # The run's own files beside the page are the only thing that a reader can go to from it.
        href = attributes.get("href", "#")
        assert href.startswith("#") or href in ("examples.parquet", "predictions.parquet")


def test_sections_come_in_the_order_of_a_readers_questions(page):
    found = re.findall(r'<section id="([\w-]+)"', page)
    assert found == [
        "verdict", "gaps", "heat", "severity", "against-clean", "decomposition", "calibration", "shifts", "examples", "models", "data", "method", "settings", "limits",
    ]  # fmt: skip


def test_ids_are_unique_and_every_reference_has_its_target(page):
    ids = [a["id"] for _, a in Page(page).elements if "id" in a]
    assert len(ids) == len(set(ids))
    for _, attributes in Page(page).elements:
        for name in ("aria-labelledby", "aria-describedby"):
            assert set((attributes.get(name) or "").split()) <= set(ids)
        if (attributes.get("href") or "").startswith("#"):
            assert attributes["href"][1:] in ids


def test_every_table_has_a_caption_and_scopes_and_scrolls_by_itself(page):
    assert page.count("<table") == page.count("<caption") == page.count('class="scroll"')
    assert all(a.get("scope") for t, a in Page(page).elements if t == "th")
    assert all(
        a.get("tabindex") == "0" for _, a in Page(page).elements if a.get("class") == "scroll"
    )


CORPUS = json.loads((Path(__file__).parent / "hostile.json").read_text("utf-8"))
HOSTILE = [text for group in CORPUS.values() for text in group]


@pytest.fixture(scope="module")
def small(make_run):
    sets = [("noise", "mixed-noise", 1), ("noise", "mixed-noise", 5), ("domain", "imdb", None)]
    return make_run(n=4, sets=sets)


@pytest.fixture(scope="module")
def harmless(small, poison):
    return Page(render_html(poison(small, "harmless")))


@pytest.mark.parametrize("bad", HOSTILE)
def test_a_hostile_string_anywhere_adds_no_element_and_no_attribute(small, harmless, poison, bad):
    hostile_text = render_html(poison(small, bad))
    hostile_text.encode("utf-8")
    hostile = Page(hostile_text)
    # A long value stands in a `pre`, which "harmless" is too short for.
    assert {t for t, _ in hostile.elements} <= {t for t, _ in harmless.elements} | {"pre"}
    assert {n for _, a in hostile.elements for n in a} <= {
        n for _, a in harmless.elements for n in a
    } | {"title"}
    assert sum(t == "script" for t, _ in hostile.elements) == 3
    assert not set(hostile_text) & set(
        "\u200b\u200e\u202a\u202e\u2066\u2028\u2029\0\x1b\ud800\ufffe"
    )
    assert "136117223861" not in hostile_text


def test_host_facts_stand_in_the_footer_only_and_only_when_recorded(run_record):
    with_host = render_html(replace(run_record, host={"finished": "2026-11-23T10:00:00Z"}))
    assert with_host.count("2026-11-23") == 1
    assert with_host.index("2026-11-23") > with_host.index("<footer>")
    assert "finished" not in render_html(run_record)


@pytest.mark.parametrize(
    "change",
    [
        lambda r: replace(r, comparisons=()),
        lambda r: replace(r, comparisons=(), gaps=(), scores={}, predictions={}),
        lambda r: replace(r, sets=(), comparisons=(), gaps=()),
        lambda r: replace(r, models=(), comparisons=(), gaps=(), near_ties={}),
        lambda r: replace(r, settings={}, splits={}, versions={}, near_ties={}),
        lambda r: replace(r, gaps=tuple(replace(g, drop_changed=None) for g in r.gaps)),
        lambda r: replace(r, sets=tuple(replace(s, doses=()) for s in r.sets)),
        lambda r: replace(r, sets=tuple(replace(s, severity=None) for s in r.sets)),
        lambda r: replace(r, dataset=replace(r.dataset, labels=(), task=TASKS[TaskKind.OPEN_QA])),
    ],
)  # fmt: skip
def test_records_with_parts_missing_still_render(make_run, change):
    page = render_html(change(make_run(n=8)))
    assert 'id="limits"' in page
    assert "None" not in re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)


def test_a_thousand_examples_on_seven_sets_stay_under_a_megabyte_and_a_half(make_run):
    assert len(render_html(make_run(n=1000)).encode()) < 1_500_000


def test_script_json_cannot_leave_its_element():
    text = script_json({"a": "</script><!--&\u2028\u2029\ud800"})
    assert not set(text) & set("<>&\u2028\u2029")
    text.encode("ascii")


def test_visible_keeps_ordinary_writing():
    for text in ("naïve café", "שלום", "日本語", "مرحبا", "می‌خواهم", "a\tb\nc", "👍🏽"):
        assert visible(text) == text
