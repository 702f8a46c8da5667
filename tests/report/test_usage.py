"""Requests, tokens and cost of hosted models in both reports."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from robust_eval.records import RunRecord
from robust_eval.report import render_html, render_markdown
from robust_eval.report.usage import dollars, usage

Make = Callable[..., RunRecord]
ASKED: dict[str, Any] = {
    "requests": 1234,
    "prompt_tokens": 56789,
    "completion_tokens": 2345,
    "estimated_requests": 7,
}


def with_usage(record: RunRecord, **models: Any) -> RunRecord:
    return replace(record, host={**record.host, "usage": models})


def test_both_reports_show_requests_tokens_cost_and_the_day_of_the_prices(make_run: Make) -> None:
    record = with_usage(
        make_run(n=8),
        one=ASKED | {"cost": 0.0421, "prices_of": "2026-11-01"},
        two=ASKED | {"cost": 2.5, "prices_of": "2026-11-01"},
        three=ASKED,
    )
    page, short = render_html(record), render_markdown(record)
    assert '<section id="usage"' in page
    for said in ("1,234", "56,789", "2,345", "$0.0421", "$2.50", "2026-11-01", "Together $2.54"):
        assert said in page
    assert "| `one` | 1,234 | 56,789 | 2,345 | 7 | \\$0.0421 (2026-11-01) |" in short
    assert "| `three` | 1,234 | 56,789 | 2,345 | 7 | – |" in short
    assert "Together \\$2.54." in short


def test_a_run_without_hosted_models_has_no_such_section(make_run: Make) -> None:
    record = make_run(n=8)
    assert usage(record) is None
    assert 'id="usage"' not in render_html(record)
    assert "Requests and cost" not in render_markdown(record)


@pytest.mark.parametrize(
    "stated",
    [
        "many",
        {"<script>x</script>": {"requests": "<b>", "cost": "free", "prices_of": ["|"]}},
        {"a|b": {"requests": -1, "prompt_tokens": 1e300, "cost": float("nan")}, "c": 3},
    ],
)
def test_a_hostile_statement_neither_breaks_a_report_nor_gets_into_it_as_markup(
    stated: Any, make_run: Make
) -> None:
    record = make_run(n=8)
    record = replace(record, host={**record.host, "usage": stated})
    page = render_html(record)
    assert "<script>x" not in page
    assert "a|b" not in render_markdown(record).replace("a\\|b", "")


def test_small_sums_keep_four_decimals() -> None:
    assert [dollars(cost) for cost in (None, 0.0, 0.00004, 0.5, 1234.5)] == [
        "–", "$0.0000", "$0.0000", "$0.5000", "$1,234.50",
    ]  # fmt: skip
