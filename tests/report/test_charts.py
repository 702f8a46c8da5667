from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from robust_eval.records import Estimate
from robust_eval.report.charts import (
    Bar,
    BarGroup,
    Bin,
    Curve,
    ForestRow,
    Mark,
    Part,
    Point,
    Reliability,
    Spot,
    clean_against_shifted,
    forest,
    reliability_diagram,
    severity_curves,
    shape,
    stacked_bars,
)

AXIS = ("gains", "drop, points", "loses")


def at(value: float, half: float = 0.02) -> Estimate:
    return Estimate(value, value - half, value + half, 100, 0.95, "made up")


def drawn(*marks: Mark, label: str = "keyboard-typos@3", wide: bool = True) -> str:
    return forest(
        [ForestRow(label, marks)], ident="x", title="t", description="d", axis=AXIS, wide=wide
    )


@pytest.mark.parametrize("wide", [True, False])
def test_a_chart_is_well_formed_named_and_without_styles_or_handlers(wide):
    svg = drawn(Mark(0, at(0.1), "a <b> & \u202e"), label="<script>alert(1)</script>", wide=wide)
    root = ElementTree.fromstring(svg)
    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == "x-t x-d"
    assert not any(k == "style" or k.startswith("on") for e in root.iter() for k in e.attrib)
    assert "script" not in {e.tag for e in root.iter()}
    assert "\u202e" not in svg


def test_a_larger_drop_lies_further_right_and_every_mark_is_inside():
    svg = drawn(Mark(0, at(0.05), ""), Mark(0, at(0.2), ""), Mark(0, at(-0.1), ""))
    xs = [float(x) for x in re.findall(r'<circle class="mark" cx="([\d.]+)"', svg)]
    assert xs[2] < xs[0] < xs[1]
    assert all(190 <= x <= 690 for x in xs)


def test_the_zero_line_is_drawn_even_when_every_interval_is_far_from_it():
    assert 'class="zero"' in drawn(Mark(0, at(0.4), ""))


@pytest.mark.parametrize("value", [0.0, 1.0, -1.0])
def test_extreme_and_empty_ranges_still_have_ticks(value):
    svg = drawn(Mark(0, at(value, 0.0), ""))
    assert svg.count('class="tick"') >= 2
    assert "nan" not in svg


def test_no_two_of_many_series_share_both_shape_and_colour():
    looks = {
        (re.sub(r'(c?[xy]|points)="[^"]*"', "", shape(i, 0, 0)), shape(i, 0, 0), i % 6)
        for i in range(42)
    }
    assert len({(s, c) for _, s, c in looks}) == 42


def test_a_lone_surrogate_or_an_endless_name_does_not_break_a_chart():
    svg = drawn(Mark(0, at(0.1), "\ud800"), label="n" * 5000)
    svg.encode("utf-8")
    assert len(svg) < 6000


def test_severity_curves_go_up_for_higher_scores_and_draw_the_floor():
    points = (Point(0, 0.0, at(0.9), "clean"), Point(3, 0.1, at(0.6), "three"))
    svg = severity_curves([Curve(0, points)], ident="v", title="t", description="d", floor=0.5)
    ElementTree.fromstring(svg)
    ys = [float(y) for y in re.findall(r'<circle class="mark" cx="[\d.]+" cy="([\d.]+)"', svg)]
    assert ys[0] < ys[1]
    assert "majority label" in svg


def test_a_flat_curve_has_a_scale():
    points = (Point(1, None, at(1.0, 0.0), ""), Point(5, None, at(1.0, 0.0), ""))
    svg = severity_curves([Curve(0, points)], ident="v", title="t", description="d", floor=None)
    assert "nan" not in svg


def test_curves_stand_by_realised_dose_where_it_grows_and_else_by_severity():
    def drawn_at(*doses):
        points = [Point(s, d, at(0.9 - s / 10), "") for s, d in zip((0, 1, 5), doses, strict=True)]
        svg = severity_curves(
            [Curve(0, tuple(points))], ident="v", title="t", description="d", floor=None
        )
        ElementTree.fromstring(svg)
        xs = [float(x) for x in re.findall(r'<circle class="mark" cx="([\d.]+)"', svg)]
        return svg, (xs[1] - xs[0]) / (xs[2] - xs[0])

    svg, share = drawn_at(0.0, 0.09, 0.1)
    assert "realised dose" in svg
    assert share == pytest.approx(0.9, abs=0.01)
    for doses in ((0.0, None, 0.1), (0.0, 0.1, 0.1)):
        svg, share = drawn_at(*doses)
        assert "severity asked for" in svg
        assert share == pytest.approx(0.2, abs=0.01)


def test_a_mark_on_the_line_of_no_loss_lies_on_it_and_a_loss_lies_under():
    spots = [Spot(0, at(0.8), at(0.8), ""), Spot(0, at(0.8), at(0.6), "")]
    svg = clean_against_shifted(spots, ident="x", title="t", description="d")
    ElementTree.fromstring(svg)
    (x, on), (_, under) = (
        (float(a), float(b))
        for a, b in re.findall(r'<circle class="mark" cx="([\d.]+)" cy="([\d.]+)"', svg)
    )
    (x1, y1, x2, y2) = map(
        float, re.search(r'class="floor" d="M([\d.]+) ([\d.]+)L([\d.]+) ([\d.]+)"', svg).groups()
    )
    assert on == pytest.approx(y1 + (x - x1) / (x2 - x1) * (y2 - y1), abs=0.2)
    assert under > on


def test_bars_grow_from_zero_to_both_sides_and_their_lengths_are_their_shares():
    parts = (Part(0, 0.2, "<a>"), Part(1, 0.1, "b"), Part(4, -0.1, "c"), Part(2, 0.0, "none"))
    svg = stacked_bars(
        [BarGroup("<set>", (Bar("m", parts, 0.2),))],
        ident="x", title="t", description="d", caption="points", wide=True,
    )  # fmt: skip
    ElementTree.fromstring(svg)
    (zero,) = re.findall(r'class="zero" d="M([\d.]+) ', svg)
    rects = {
        int(k): (float(x), float(w))
        for k, x, w in re.findall(r'class="k(\d)" x="([\d.]+)" y="[\d.]+" width="([\d.]+)"', svg)
    }
    assert set(rects) == {0, 1, 4}
    assert rects[0][0] == float(zero)
    assert rects[1][0] == pytest.approx(rects[0][0] + rects[0][1], abs=0.2)
    assert sum(rects[4]) == pytest.approx(float(zero), abs=0.2)
    assert rects[0][1] == pytest.approx(2 * rects[1][1], abs=0.2)


def test_a_reliability_diagram_starts_at_a_half_only_when_every_answer_does():
    def axis(*bins):
        line = Reliability(0, "clean", bins)
        svg = reliability_diagram([line], ident="x", title="t", description="d")
        ElementTree.fromstring(svg)
        return svg

    sure, unsure = Bin(0.9, 1.0, 50, 0.95, 0.9), Bin(0.2, 0.3, 4, 0.25, 0.5)
    assert axis(sure).count(">25%<") == 1
    assert axis(unsure, sure).count(">25%<") == 2
    assert axis(unsure).count('class="few"') == 1
