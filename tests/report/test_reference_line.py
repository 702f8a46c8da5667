"""The plot on probit axes and its table: positions, refusals, hostile names."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from robust_eval.records import (
    Estimate,
    OffLine,
    Panel,
    PanelMaking,
    PanelMember,
    PanelScore,
    PanelSet,
    ReferenceLine,
)
from robust_eval.report import render_html, render_markdown
from robust_eval.report.charts import Dot, Spot, probit_line
from robust_eval.report.charts.probit_line import probit, probit_axis

HOSTILE = "<script>alert(1)</script>\u202e|`{{x}}"


def at(value: float) -> Estimate:
    return Estimate(value, value - 0.03, value + 0.03, 200, 0.95, "made up")


def drawn(dots: list[Dot], band: list, spots: list[Spot]) -> str:
    svg = probit_line(dots, band, spots, ident="x", title="t", description="d")
    ElementTree.fromstring(svg)
    return svg


def test_equal_steps_on_the_axis_are_equal_probits() -> None:
    axis = probit_axis([0.52, 0.93])
    assert (axis.low, axis.high) == pytest.approx((probit(0.5), probit(0.95)))
    assert [word for _, word in axis.ticks] == ["50%", "60%", "70%", "80%", "90%", "95%"]
    gaps = [b - a for (a, _), (b, _) in zip(axis.ticks, axis.ticks[1:], strict=False)]
    assert gaps[0] < gaps[-2]  # from 50 to 60% is less than from 80 to 90%


@pytest.mark.parametrize("values", [[0.0, 1.0], [1.0, 1.0], [0.0, 0.0], [0.5, 0.5], [0.999, 1.0]])
def test_scores_of_none_and_all_are_drawn_at_the_edge(values: list[float]) -> None:
    axis = probit_axis(values)
    assert axis.low < axis.high
    svg = drawn([Dot(*values, "edge")], [], [])
    assert "nan" not in svg
    assert "inf" not in svg


def test_a_mark_over_the_line_lies_over_it() -> None:
    band = [(x, x, x - 0.05, x + 0.05) for x in (0.6, 0.7, 0.8, 0.9)]
    svg = drawn([Dot(0.7, 0.7, "member")], band, [Spot(0, at(0.7), at(0.85), "new")])
    mark = re.search(r'class="mark" cx="([\d.]+)" cy="([\d.]+)"', svg)
    member = re.search(r'class="member">.*?cx="([\d.]+)" cy="([\d.]+)"', svg)
    assert mark is not None
    assert member is not None
    assert float(mark[1]) == pytest.approx(float(member[1]))
    assert float(mark[2]) < float(member[2])
    assert 'class="panel-band"' in svg
    assert 'class="reference"' in svg


def with_line(record, refusal: str = ""):
    member = PanelMember(
        HOSTILE,
        "bow",
        "floor",
        32,
        0,
        900,
        "f",
        PanelScore(100, 0.7),
        {"imdb": PanelScore(100, 0.7)},
    )
    panel = Panel(
        1, HOSTILE, "classification", record.dataset.labels, "accuracy",
        PanelSet("d", "f", HOSTILE, "clean", 100), (PanelSet("imdb", "r", HOSTILE, "domain", 100),),
        (member,), (PanelMaking(f"robust-eval {HOSTILE}", {}, {}),),
    )  # fmt: skip
    first, second, *_ = record.models
    models = (
        OffLine(first.name, at(0.86), at(0.9), 0.84, Estimate(0.06, 0.01, 0.11, 200, 0.95, "t"),
                (0.5, 0.4, 0.1), "more robust than the line", ""),
        OffLine(second.name, at(0.97), at(0.9), None, None, None, "refused", "its clean score lies over"),
    )  # fmt: skip
    line = ReferenceLine("imdb", HOSTILE, 1, 1.1, -0.1, 0.93, 0.05, (0.5, 0.9),
                         tuple((x, x, x - 0.04, x + 0.04) for x in (0.5, 0.7, 0.9)), "", models)  # fmt: skip
    if refusal:
        line = ReferenceLine("imdb", HOSTILE, 1, None, None, None, None, None, (), refusal, ())
    return replace(record, panel=panel, lines=(line,))


def test_the_section_shows_figures_and_refusals_and_escapes_what_a_panel_says(make_run) -> None:
    page = render_html(with_line(make_run(n=8)))
    assert 'id="reference-line"' in page
    assert "+6.0" in page
    assert "(+1.0 to +11.0)" in page
    assert "refused: <bdi>its clean score lies over</bdi>" in page
    assert "<script>alert" not in page
    assert "\u202e" not in page
    short = render_markdown(with_line(make_run(n=8)))
    assert "Against the reference line" in short
    assert "+6.0 (+1.0 to +11.0)" in short
    assert "<script>" not in short


def test_a_line_that_is_refused_says_why_and_draws_nothing(make_run) -> None:
    record = with_line(make_run(n=8), refusal="R² of the panel is 0.31")
    page = render_html(record)
    assert "no reference line" in page
    assert "R² of the panel is 0.31" in page
    assert 'id="line0-t"' not in page
    assert "No reference line: R² of the panel is 0.31" in render_markdown(record)


def test_without_a_panel_there_is_no_section(make_run) -> None:
    assert 'id="reference-line"' not in render_html(make_run(n=8))
