"""The gate through the command line: exit codes, files, and what is refused."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from robust_eval import store

pytestmark = pytest.mark.e2e

Run = Callable[..., subprocess.CompletedProcess[str]]
QUICK = ("--baseline", "bow", "--dataset", "reviews.csv", "--shift", "smoke", "--limit", "100", "--out", "run")  # fmt: skip
STURDY = ("--model", "scripted:oracle", *QUICK)
FRAGILE = ("--model", "scripted:noisy?accuracy=1&loss=1", *QUICK)


def test_a_run_with_limits_passes_fails_or_cannot_tell_by_its_exit_code(
    robust_eval: Run, reviews: Path, tmp_path: Path
) -> None:
    passed = robust_eval(*STURDY, "--max-drop", "0.05")
    assert passed.returncode == 0, passed.stderr
    assert "gate: limits of the command: pass" in passed.stdout
    assert store.load(tmp_path / "run").gate is not None
    assert "<testsuites" in (tmp_path / "run" / "junit.xml").read_text()

    unsettled = robust_eval("gate", "run", "--max-drop", "0.005")
    assert unsettled.returncode == 3, unsettled.stderr
    assert "originals would" in unsettled.stdout

    failed = robust_eval(*FRAGILE[:-1], "fragile", "--max-drop", "0.01")
    assert failed.returncode == 1, failed.stderr
    assert failed.stdout.splitlines()[-1] == str(Path("fragile") / "report.html")
    assert "is over the limit" in (tmp_path / "fragile" / "report.md").read_text()


def test_a_finished_run_is_judged_by_a_policy_file_and_calls_no_model(
    robust_eval: Run, reviews: Path, tmp_path: Path
) -> None:
    assert robust_eval(*STURDY).returncode == 0
    assert not (tmp_path / "run" / "junit.xml").exists()
    policy = tmp_path / "release.toml"
    policy.write_text('name = "release"\nminimum_n = 50\n[limits]\nmax_drop = 0.05\n')
    result = robust_eval("gate", "run", "--policy", "release.toml")
    assert result.returncode == 0, result.stderr
    assert "gate: release: pass" in result.stdout
    policy.write_text('required = ["imdb"]\n[limits]\nmax_drop = 0.05\n')
    lacking = robust_eval("gate", "run", "--policy", "release.toml")
    assert lacking.returncode == 3
    assert "names imdb, which this run lacks" in lacking.stdout
    early = robust_eval(*STURDY[:-1], "other", "--policy", "release.toml")
    assert early.returncode == 2
    assert "'imdb'" in early.stderr
    assert not (tmp_path / "other" / "report.html").exists()


def test_failed_requests_come_before_the_gate(robust_eval: Run, reviews: Path) -> None:
    flaky = ("--model", "scripted:flaky", *QUICK)
    assert robust_eval(*flaky, "--max-drop", "0.9").returncode == 4
    assert robust_eval("gate", "run", "--max-drop", "0.9").returncode == 4


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("gate", "run"), "--max-drop SHARE or --policy FILE"),
        (("gate", "nowhere", "--max-drop", "0.05"), "no folder 'nowhere'"),
        (("gate", ".", "--max-drop", "0.05"), "no run.json"),
        (("gate", "run", "--max-drop", "5"), "write 0.05 for 5 points"),
        (("gate", "run", "--policy", "none.toml"), "no policy file"),
        (("gate", "run", "--policy", "x.toml", "--max-drop", "0.1"), "two policies"),
        ((*STURDY, "--max-drop", "keybord=0.1"), "keybord"),
    ],
)
def test_wrong_gates_are_refused_in_one_line(
    robust_eval: Run, reviews: Path, arguments: tuple[str, ...], said: str
) -> None:
    result = robust_eval(*arguments)
    assert result.returncode == 2, result.stderr
    (line,) = [x for x in result.stderr.splitlines() if x.startswith("robust-eval:")]
    assert said in line
