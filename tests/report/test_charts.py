from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from robust_eval.records import Estimate
from robust_eval.report.charts import Curve, ForestRow, Mark, Point, forest, severity_curves, shape

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
    points = (Point(0, at(0.9), "clean"), Point(3, at(0.6), "three"))
    svg = severity_curves([Curve(0, points)], ident="v", title="t", description="d", floor=0.5)
    ElementTree.fromstring(svg)
    ys = [float(y) for y in re.findall(r'<circle class="mark" cx="[\d.]+" cy="([\d.]+)"', svg)]
    assert ys[0] < ys[1]
    assert "majority label" in svg


def test_a_flat_curve_has_a_scale():
    points = (Point(1, at(1.0, 0.0), ""), Point(5, at(1.0, 0.0), ""))
    svg = severity_curves([Curve(0, points)], ident="v", title="t", description="d", floor=None)
    assert "nan" not in svg
