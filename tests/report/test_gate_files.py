"""What the gate leaves behind: JUnit XML, model-card metadata, and its section in both reports."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace

import pytest
import yaml
from huggingface_hub.repocard_data import model_index_to_eval_results

from robust_eval.errors import StatisticsError
from robust_eval.records import Estimate, GateCheck, GateResult, RunRecord
from robust_eval.report import (
    gate_view,
    render_html,
    render_junit,
    render_markdown,
    render_model_index,
)

HOSTILE = '<script>alert(1)</script> ]]> & "quoted" \x00\x1b[31m \u202e @team | `x` \ud800'


def check(outcome: str, **changed: object) -> GateCheck:
    figure = Estimate(0.031, 0.012, 0.048, 200, 0.95, "exact one-sided, paired")
    found = GateCheck(
        "demo:gemma-3-270m", None, "keyboard-typos", None, "max-drop", 0.05, figure,
        0.03, 0.9, 1.0, 200, None, outcome, "Because.",  # type: ignore[arg-type]
    )  # fmt: skip
    return replace(found, **changed)  # type: ignore[arg-type]


@pytest.fixture
def gated(run_record: RunRecord) -> RunRecord:
    checks = (
        check("pass"),
        check("inconclusive", shift="imdb", figure=None, reason="The run lacks imdb."),
        check("fail", kind="max-drop-vs-baseline", baseline="demo:minilm", reason="Over."),
    )
    return replace(run_record, gate=GateResult("release", "fail", 0.95, 100, checks))


def test_junit_counts_failures_and_errors_and_puts_them_first(gated: RunRecord) -> None:
    root = ET.fromstring(render_junit(gated))
    assert root.attrib == {"name": "robust-eval", "tests": "3", "failures": "1", "errors": "1"}
    cases = root.findall("./testsuite/testcase")
    assert [case[0].tag for case in cases] == ["failure", "error", "system-out"]
    assert cases[0].get("name") == "keyboard-typos: drop against baseline demo:minilm"
    assert cases[0][0].get("message") == "Over."
    assert "3.1 (1.2 to 4.8) against a limit of 5.0" in (cases[2][0].text or "")


def test_a_run_without_a_gate_has_no_junit_file(run_record: RunRecord) -> None:
    assert gate_view(run_record) is None
    with pytest.raises(StatisticsError, match="no gate"):
        render_junit(run_record)


def test_hostile_names_stay_text_in_every_file(
    gated: RunRecord, poison: Callable[[RunRecord, str], RunRecord]
) -> None:
    assert gated.gate is not None
    hostile = replace(
        gated.gate,
        policy=HOSTILE,
        checks=tuple(
            replace(c, model=HOSTILE, shift=HOSTILE, reason=HOSTILE) for c in gated.gate.checks
        ),
    )
    record = replace(poison(gated, HOSTILE), gate=hostile)
    root = ET.fromstring(render_junit(record).encode("utf-8"))
    assert len(root.findall("./testsuite/testcase")) == 3
    assert {e.tag for e in root.iter()} == {
        "testsuites", "testsuite", "properties", "property", "testcase", "failure", "error", "system-out",
    }  # fmt: skip
    index = yaml.safe_load(render_model_index(record))
    assert list(index) == ["model-index"]
    assert "<script>alert" not in render_html(record)
    assert "\\<script\\>alert(1)" in render_markdown(record)  # outside code spans it is escaped


def test_the_model_index_is_read_by_the_hub_library(gated: RunRecord) -> None:
    data = yaml.safe_load(render_model_index(gated))["model-index"]
    name, results = model_index_to_eval_results(data)
    assert name == "demo:gemma-3-270m"
    clean = next(r for r in results if r.dataset_config == "clean")
    paired = next(g for g in gated.gaps if g.paired)
    assert clean.metric_value == pytest.approx(paired.clean.value, abs=1e-6)
    assert clean.metric_args["low"] == pytest.approx(paired.clean.low, abs=1e-6)
    sets = {r.dataset_config for r in results}
    assert sets == {"clean", *(s.key for s in gated.sets)}
    drops = [r for r in results if r.metric_type == "drop"]
    assert len(drops) == len(gated.sets)


def test_both_reports_lead_with_the_gate(gated: RunRecord) -> None:
    page = render_html(gated)
    assert page.index('id="gate"') < page.index('id="verdict"')
    assert "release: fail, a limit is exceeded" in page
    text = render_markdown(gated)
    assert text.index("Gate: release: fail") < text.index("Shift |")
    assert "- Over." in text
    assert "- The run lacks imdb." in text
    assert "- Because." not in text


def test_a_run_without_a_gate_has_no_gate_section(run_record: RunRecord) -> None:
    assert 'id="gate"' not in render_html(run_record)
    assert "Gate:" not in render_markdown(run_record)
