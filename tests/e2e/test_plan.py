"""plan: the calls it announces are the calls that a run makes, and nothing heavy is loaded for it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e

Run = Callable[..., subprocess.CompletedProcess[str]]
QUICK = ("--model", "scripted:length", "--baseline", "bow", "--dataset", "reviews.csv",
         "--shift", "smoke", "--limit", "60", "--out", "run")  # fmt: skip


def calls(output: str) -> list[int]:
    rows = [line.split("\t") for line in output.splitlines() if line.count("\t") > 4]
    return [int(row[3].replace(",", "")) for row in rows[1:]]


def test_the_plan_names_the_calls_that_the_run_then_makes(
    robust_eval: Run, reviews: Path, tmp_path: Path
) -> None:
    planned = robust_eval("plan", *QUICK)
    assert planned.returncode == 0, planned.stderr
    assert not (tmp_path / "run").exists()
    assert "smallest drop found with 80% power" in planned.stdout
    assert robust_eval(*QUICK).returncode == 0
    made = json.loads((tmp_path / "run" / "run.json").read_text())["host"]["model_calls"]
    assert sum(calls(planned.stdout)) == made > 0
    assert calls(robust_eval("plan", *QUICK).stdout) == [0, 0]


def test_what_attacks_may_ask_is_a_bound_that_the_run_keeps(
    robust_eval: Run, reviews: Path, tmp_path: Path
) -> None:
    attacked = ("--model", "scripted:length", "--baseline", "bow", "--dataset", "reviews.csv", "--limit", "60",
                "--shift", "deepwordbug", "--attack-budget", "12", "--attack-limit", "10", "--out", "run")  # fmt: skip
    planned = robust_eval("plan", *attacked)
    assert planned.returncode == 0, planned.stderr
    assert "scripted:length: at most 120 queries of attacks and 20 answers" in planned.stdout
    assert "after adjusting for 1 test " in planned.stdout
    assert robust_eval(*attacked).returncode == 0
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert len(record["sets"]) == 2
    assert [c["set_key"] for c in record["comparisons"]] == [None]
    for made in record["sets"]:
        assert 0 < sum(result["queries"] for result in made["attacks"]) <= 120


def test_planning_loads_neither_torch_nor_transformers(
    robust_eval: Run, reviews: Path, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import atexit, sys\n"
        "atexit.register(lambda: print('loaded', sorted({'torch', 'transformers'} & set(sys.modules)), "
        "file=sys.stderr))\n"
    )
    result = robust_eval("plan", *QUICK, PYTHONPATH=f"{tmp_path}:{_source()}")
    assert result.returncode == 0, result.stderr
    assert "loaded []" in result.stderr


def _source() -> str:
    import robust_eval

    return str(Path(robust_eval.__file__).parents[1])


def test_a_plan_is_refused_as_the_run_would_be(robust_eval: Run, reviews: Path) -> None:
    for arguments, said in (
        (("plan", "--dataset", "reviews.csv"), "no model"),
        (("plan", *QUICK, "--shift", "keybord-typos"), "keyboard-typos"),
        (("plan", *QUICK, "--max-drop", "5"), "write 0.05"),
        (("plan",), "nothing to do"),
    ):
        result = robust_eval(*arguments)
        assert result.returncode == 2
        assert said in result.stderr
