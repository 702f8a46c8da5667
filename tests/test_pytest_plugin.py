"""The plugin in a project of its own: what passes, what fails and with which words."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import pytest

pytest_plugins = ("pytester",)

TESTS = """
import pytest

DATA = dict(dataset="reviews.csv", baseline="bow", shift="smoke", limit=60)

@pytest.mark.robustness(max_drop=0.1)
def test_sturdy(robustness):
    assert robustness("scripted:oracle", **DATA).gate.outcome == "pass"

@pytest.mark.robustness(max_drop=0.01)
def test_fragile(robustness):
    robustness("scripted:noisy?accuracy=1&loss=1", **DATA)

@pytest.mark.robustness(max_drop=0.001)
def test_too_few(robustness):
    robustness("scripted:oracle", **DATA)

@pytest.mark.robustness(max_drop=0.001, inconclusive="skip")
def test_too_few_skipped(robustness):
    robustness("scripted:oracle", **DATA)

def test_limit_of_the_call(robustness):
    assert robustness("scripted:oracle", max_drop=0.1, **DATA).report.exists()

def test_no_limit(robustness):
    robustness("scripted:oracle", **DATA)
"""


def test_a_projects_own_tests_assert_gaps(pytester: pytest.Pytester) -> None:
    rows = [
        f"r{i},{'a delightful film' if i % 2 else 'a dreadful film'} number {i},{'good' if i % 2 else 'bad'}"
        for i in range(240)
    ]
    Path(pytester.path / "reviews.csv").write_text("id,text,label\n" + "\n".join(rows) + "\n")
    pytester.makepyfile(TESTS)
    installed = {e.value for e in importlib.metadata.entry_points(group="pytest11")}
    plugin = [] if "robust_eval.pytest_plugin" in installed else ["-p", "robust_eval.pytest_plugin"]
    result = pytester.runpytest_subprocess(
        *plugin, "--strict-markers", "-p", "no:cacheprovider", "-rs"
    )
    result.assert_outcomes(passed=2, failed=3, skipped=1)
    result.stdout.fnmatch_lines_random(
        [
            "*robustness gate: fail*",
            "*is over the limit of 1.0*",
            "*robustness gate: inconclusive*",
            "*originals would*",
            "*no limit to assert*",
        ]
    )
