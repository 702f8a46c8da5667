"""The page in a real Chromium: nothing runs but its own script, nothing is fetched, it fits a phone."""

from __future__ import annotations

import json
import os
import re
from contextlib import contextmanager
from dataclasses import replace
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import pytest

from robust_eval.records import DiffRow, Estimate, RunDiff
from robust_eval.report import render_diff, render_html

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
TOTAL = 7 * 24  # examples that the made-up report shows
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")

# What a page that was taken over in part would show otherwise.
PROBE = """() => ({
    ran: window.__pwned === undefined,
    scripts: document.querySelectorAll("script").length,
    foreign: document.querySelectorAll(
        "img, iframe, form, base, link, object, embed, math, foreignObject, animate, set, use, image"
    ).length,
    handlers: Array.from(document.querySelectorAll("*")).filter((e) =>
        Array.from(e.attributes).some((a) => a.name.startsWith("on") || a.name === "style" || /javascript:/i.test(a.value) && a.name === "href")
    ).length,
    heading: document.querySelector("h1").getBoundingClientRect().height > 0,
    footer: document.querySelector("body > footer") !== null,
    sections: document.querySelectorAll("main > section").length,
    wide: document.documentElement.scrollWidth <= document.documentElement.clientWidth,
    ltr: getComputedStyle(document.body).direction === "ltr",
})"""
EXPECTED = {
    "ran": True, "scripts": 3, "foreign": 0, "handlers": 0, "heading": True, "footer": True,
    "sections": None, "wide": True, "ltr": True,
}  # fmt: skip


@pytest.fixture(scope="module")
def chromium():
    if not Path(CHROMIUM).exists():
        pytest.skip("Chromium: not installed")
    if find_spec("playwright") is None:
        pytest.skip("Chromium: playwright is not installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


def injections():
    """The corpus of hostile strings; each would set window.__pwned, send a request or change the page."""
    path = Path(__file__).parent / "hostile.json"
    return [text for group in json.loads(path.read_text("utf-8")).values() for text in group]


@contextmanager
def opened(browser, path, *, width=1280, javascript=True, scheme="light"):
    """A page with everything that it should not do collected in `page.trouble`."""
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        java_script_enabled=javascript,
        color_scheme=scheme,
    )
    page = context.new_page()
    page.trouble = []
    page.on("console", lambda message: page.trouble.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: page.trouble.append(f"error: {error}"))

    def dismissed(dialog):
        page.trouble.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    page.on("dialog", dismissed)
    page.on(
        "request",
        lambda r: page.trouble.append(f"request: {r.url}") if r.url != path.as_uri() else None,
    )
    page.goto(path.as_uri())
    try:
        yield page
    finally:
        context.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("pages")


@pytest.fixture(scope="module")
def report(folder, run_record):
    path = folder / "report.html"
    path.write_text(render_html(run_record), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def hostile(folder, make_run, poison):
    path = folder / "hostile.html"
    path.write_text(render_html(poison(make_run(n=12), " ".join(injections()))), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def hostile_one_by_one(folder, make_run, poison):
    """One page an injection: together, one could close what another needs open."""
    sets = [("noise", "mixed-noise", 1), ("noise", "mixed-noise", 5), ("domain", "imdb", None)]
    record = make_run(n=3, sets=sets)
    pages = []
    for at, bad in enumerate(injections()):
        pages.append(folder / f"hostile-{at}.html")
        pages[-1].write_text(render_html(poison(record, bad)), encoding="utf-8")
    return pages


def overflow(page):
    return page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("which", ["report", "hostile"])
def test_the_page_is_quiet_and_fits_its_window(chromium, request, which, width):
    with opened(chromium, request.getfixturevalue(which), width=width) as page:
        page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
        assert overflow(page) <= 0
        assert page.trouble == []


def diff_of(bad=""):
    """Two models on two sets, one of them worse, under names of any kind."""
    rows = tuple(
        DiffRow(
            f"{bad}old", f"{bad}new", f"{bad}{key}", what, 0.8, 0.8 + by,
            Estimate(by, by - 0.04, by + 0.04, 200, 0.95, "t"), 0.01, 0.02, "exact McNemar",
            "worse" if by < 0 else "no supported change",
        )
        for key, by in (("clean", -0.06), ("mixed-noise@5", 0.01))
        for what in ("score", "drop")
    )  # fmt: skip
    return RunDiff(f"{bad}a", f"{bad}b", "accuracy", 0.95, rows, (f"{bad}: left out",))


@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_of_a_diff_is_quiet_fits_and_has_margins(chromium, folder, width):
    path = folder / f"diff-{width}.html"
    path.write_text(render_diff(diff_of()), encoding="utf-8")
    with opened(chromium, path, width=width) as page:
        assert overflow(page) <= 0
        left = page.evaluate("document.querySelector('main').getBoundingClientRect().left")
        assert left >= 16
        assert page.locator("svg.chart:visible").count() == 2
        assert page.trouble == []
    with opened(chromium, path, javascript=False) as page:
        assert page.locator("tbody tr").count() == 4


def test_injections_do_nothing_to_the_page_of_a_diff(chromium, folder):
    count = "[...document.querySelectorAll('*')].filter((e) => e.tagName !== 'BR').length"
    found = []
    for at, bad in enumerate(("x", " ".join(injections()))):
        path = folder / f"diff-hostile-{at}.html"
        path.write_text(render_diff(diff_of(bad)), encoding="utf-8")
        with opened(chromium, path, width=390) as page:
            found.append(page.evaluate(count))
            assert page.evaluate("window.__pwned") is None
            assert overflow(page) <= 0
            assert page.trouble == []
    assert found[0] == found[1]


def test_hostile_texts_never_run(chromium, hostile):
    with opened(chromium, hostile) as page:
        assert page.evaluate("window.__pwned") is None
        assert page.evaluate("document.querySelectorAll('script').length") == 3
        assert (
            page.evaluate("document.querySelectorAll('img, iframe, form, base, link').length") == 0
        )
        assert page.locator("h1").is_visible()
        page.locator("#f-text").fill("alert(1)")
        page.locator("#f-set").select_option(index=1)
        assert page.evaluate("window.__pwned") is None
        assert page.trouble == []


def test_no_single_injection_runs_fetches_hides_or_leaves_its_place(chromium, hostile_one_by_one):
    wrong = []
    with opened(chromium, hostile_one_by_one[-1]) as page:
        sections = page.evaluate(PROBE)["sections"]
    assert sections > 10
    for path in hostile_one_by_one:
        with opened(chromium, path, width=390) as page:
            found = page.evaluate(PROBE)
            if page.trouble or found != EXPECTED | {"sections": sections}:
                wrong.append((path.name, page.trouble, found))
    assert wrong == []


def test_an_injected_script_would_be_stopped_by_the_policy(chromium, folder, report):
    # The control for the tests above: it shows that they can fail, and that the policy is in force.
    text = report.read_text(encoding="utf-8")
    broken = folder / "broken.html"
    script = "<script>window.__pwned = 1</script><p style='color:red' onclick='1'>x</p>"
    broken.write_text(text.replace("<main>", f"<main>{script}"), encoding="utf-8")
    with opened(chromium, broken) as page:
        assert page.evaluate("window.__pwned") is None
        assert any("Content Security Policy" in said for said in page.trouble)


def test_filters_by_set_model_and_outcome_work_together(chromium, report):
    with opened(chromium, report) as page:
        shown = page.locator("article.example:visible")
        assert page.locator("#filters").is_visible()
        page.locator("#f-set").select_option(label="keyboard-typos@3")
        assert shown.count() == 24
        page.locator("#f-model").select_option(label="demo:minilm")
        page.locator("#f-outcome").select_option(label="right → wrong")
        outcomes = shown.evaluate_all("list => list.map((e) => e.dataset.outcomes)")
        assert outcomes
        assert all("1:rw" in entry.split() for entry in outcomes)
        assert page.locator("#f-count").inner_text() == f"{len(outcomes)} of {TOTAL} examples"
        page.locator("#f-clear").click()
        assert page.locator("#f-count").inner_text() == f"{TOTAL} examples"
        assert page.trouble == []


def test_search_finds_shifted_words_as_they_read(chromium, report):
    with opened(chromium, report) as page:
        page.locator("#f-text").fill("rt-0")
        assert page.locator("article.example:visible").count() > 60
        added = page.locator("details.group:visible ins").first
        word = added.evaluate(
            "ins => { const t = ins.closest('.text').cloneNode(true);"
            " t.querySelectorAll('del').forEach((d) => d.remove()); return t.textContent.slice(0, 40); }"
        )
        page.locator("#f-text").fill(word)
        assert page.locator("article.example:visible").count() >= 1
        page.locator("#f-text").fill("no such words anywhere")
        assert page.locator("article.example:visible").count() == 0
        assert page.locator("#f-count").inner_text() == f"0 of {TOTAL} examples"


def test_orders_over_all_sets_bring_the_worst_or_the_smallest_edit_first_and_back(chromium, report):
    with opened(chromium, report) as page:
        shown = page.locator("article.example:visible")
        first = shown.first.evaluate("e => e.dataset.rank")
        page.locator("#f-order").select_option("rank")
        assert shown.count() == TOTAL
        ranks = shown.evaluate_all("list => list.map((e) => Number(e.dataset.rank))")
        assert ranks == list(range(TOTAL))
        assert shown.first.locator(".of").is_visible()
        page.locator("#f-order").select_option("edit")
        edits = shown.evaluate_all("list => list.map((e) => e.dataset.edit)")
        edited = [float(e) for e in edits if e]
        assert edited == sorted(edited)
        assert set(edits[len(edited) :]) == {""}
        page.locator("#f-reason").select_option("draw")
        assert shown.count() == TOTAL // 3
        page.locator("#f-clear").click()
        assert page.locator("#f-count").inner_text() == f"{TOTAL} examples"
        assert shown.first.evaluate("e => e.dataset.rank") == first
        assert page.trouble == []


def test_without_javascript_every_example_can_be_opened_and_no_dead_control_shows(chromium, report):
    from playwright.sync_api import expect

    with opened(chromium, report, javascript=False) as page:
        assert page.locator("#filters").is_hidden()
        groups = page.locator("details.group")
        assert groups.count() == 7
        for at in range(1, 7):
            # By key: what is out of view has no height yet, so that a click may land beside a heading that moves.
            groups.nth(at).locator("summary").press("Enter")
            expect(groups.nth(at)).to_have_attribute("open", "")  # waits for a slow browser
        assert page.locator("article.example:visible").count() == TOTAL
        assert page.locator("#verdict .headline").is_visible()


@pytest.mark.parametrize(("width", "seen"), [(390, "narrow"), (1280, "wide")])
def test_each_width_has_its_own_charts_with_readable_letters(chromium, report, width, seen):
    with opened(chromium, report, width=width) as page:
        charts = page.locator("svg.chart:visible")
        assert page.locator(f".{seen} svg:visible").count() == 3
        for at in range(charts.count()):
            drawn = charts.nth(at).evaluate(
                "svg => svg.getBoundingClientRect().width / svg.viewBox.baseVal.width"
            )
            assert drawn * 12 >= 10  # pixels of the labels' letters


def test_the_keyboard_reaches_the_skip_link_first_and_then_the_verdict(chromium, report):
    with opened(chromium, report) as page:
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the verdict"
        page.keyboard.press("Enter")
        assert page.url.endswith("#verdict")


def test_print_shows_no_controls_and_clips_no_table(chromium, report):
    with opened(chromium, report) as page:
        page.emulate_media(media="print")
        assert page.locator("nav").is_hidden()
        assert page.locator("#filters").is_hidden()
        assert (
            page.locator(".scroll").first.evaluate("e => getComputedStyle(e).overflowX")
            == "visible"
        )


def test_no_table_or_chart_is_wider_than_a_sheet(chromium, report):
    with opened(chromium, report, width=700) as page:  # A4 less its margins, in CSS pixels
        page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        page.emulate_media(media="print")
        wide = page.evaluate(
            "Array.from(document.querySelectorAll('table, svg.chart, pre'))"
            ".filter((e) => e.getBoundingClientRect().right > document.documentElement.clientWidth + 1)"
            ".map((e) => e.outerHTML.slice(0, 200))"
        )
        assert wide == []


def test_the_page_prints_to_a_pdf_with_every_section_and_every_shown_example(chromium, report):
    with opened(chromium, report) as page:
        pdf = page.pdf(format="A4", tagged=True)
        assert pdf.startswith(b"%PDF-")
        assert len(re.findall(rb"/Type\s*/Page\b", pdf)) > 10
        assert b"/StructTreeRoot" in pdf
        # What was closed was opened for the print and is closed again.
        assert page.locator("details[open]").count() == 1
        page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        page.emulate_media(media="print")
        assert page.locator("article.example:visible").count() == TOTAL
        assert page.locator("details:not([open])").count() == 0
        assert page.trouble == []


def test_without_javascript_charts_tables_and_figures_stay(chromium, report):
    with opened(chromium, report, javascript=False) as page, opened(chromium, report) as scripted:
        for what in ("svg.chart:visible", "table:visible", "main > section"):
            assert page.locator(what).count() == scripted.locator(what).count() > 0


@pytest.fixture(scope="module")
def small_report(folder, make_run):
    """Every kind of part once: the checker's time grows with the number of elements."""
    path = folder / "small.html"
    sets = [("noise", "mixed-noise", 1), ("noise", "mixed-noise", 5), ("domain", "imdb", None)]
    record = replace(make_run(n=4, sets=sets, failing=0.2), warnings=("made up",))
    path.write_text(render_html(record), encoding="utf-8")
    return path


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light")])
def test_axe_finds_no_accessibility_fault(chromium, small_report, width, scheme):
    if find_spec("axe_playwright_python") is None:
        pytest.skip("Chromium: axe-playwright-python is not installed")
    axe = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
    with opened(chromium, small_report, width=width, scheme=scheme) as page:
        page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
        page.evaluate(axe)
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
        assert [(v["id"], [n["html"][:200] for n in v["nodes"][:3]]) for v in found] == []


@pytest.fixture(scope="module")
def many(folder, make_run):
    gemma, *baselines = make_run(n=2).models
    models = [replace(gemma, name=n) for n in ("a", "org/" + "x" * 300, "with spaces " * 20)]
    names = ["s" * 200, *(f"shift-{i}" for i in range(1, 10))]
    sets = [("noise", name, severity) for name in names for severity in (1, 3, 5)]
    path = folder / "many.html"
    path.write_text(
        render_html(make_run(n=6, sets=sets, models=[*models, *baselines])), encoding="utf-8"
    )
    return path


@pytest.mark.parametrize("width", [390, 1280])
def test_many_models_and_sets_with_endless_names_still_fit(chromium, many, width):
    with opened(chromium, many, width=width) as page:
        assert overflow(page) <= 0
        assert page.trouble == []
        assert page.locator("svg.chart").count() == 6 + 10 + 1 + 5
