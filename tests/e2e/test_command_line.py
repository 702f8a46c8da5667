"""The command line end to end, on models that need no weights: results, faults and exit codes."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from robust_eval import store

pytestmark = pytest.mark.e2e

Run = Callable[..., subprocess.CompletedProcess[str]]
QUICK = ("--model", "scripted:noisy?accuracy=0.8", "--baseline", "bow", "--dataset", "reviews.csv",
         "--shift", "smoke", "--limit", "60", "--out", "run")  # fmt: skip


def expect(result: subprocess.CompletedProcess[str], code: int, *said: str) -> None:
    """This exit code, these words on one stderr line, and no traceback."""
    assert result.returncode == code, result.stderr
    assert "Traceback" not in result.stderr
    for words in said:
        assert any(words in line for line in result.stderr.splitlines()), result.stderr


def test_a_run_writes_every_file_and_ends_with_the_path_of_its_report(
    robust_eval: Run, reviews: Path, tmp_path: Path
) -> None:
    result = robust_eval(*QUICK)
    expect(result, 0, "predictions")
    assert result.stdout.splitlines()[-1] == str(Path("run") / "report.html")
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert names == {
        "run.json",
        "examples.parquet",
        "predictions.parquet",
        "report.html",
        "report.md",
        "model-index.yml",
    }
    record = store.load(tmp_path / "run")
    assert len(record.dataset.examples) == 60
    assert {card.role for card in record.models} == {"model", "baseline"}
    assert all(gap.drop.low <= gap.drop.value <= gap.drop.high for gap in record.gaps)
    assert any(comparison.set_key is None for comparison in record.comparisons)


def test_the_record_is_the_same_for_any_row_order_and_a_warm_cache_calls_no_model(
    robust_eval: Run, reviews: Path, tmp_path: Path
) -> None:
    assert robust_eval(*QUICK).returncode == 0
    lines = reviews.read_text(encoding="utf-8").splitlines()
    body = lines[1:]
    random.Random(3).shuffle(body)
    reviews.write_text("\n".join([lines[0], *body]) + "\n", encoding="utf-8")
    assert robust_eval(*QUICK[:-1], "again").returncode == 0
    first, second = (store.comparable(tmp_path / name) for name in ("run", "again"))
    for record in (first, second):  # the file itself is another one: only its hash may differ
        del record["dataset"]["revision"], record["splits"]["training_source"]["revision"]
    assert first == second
    assert json.loads((tmp_path / "again" / "run.json").read_text())["host"]["model_calls"] == 0


def test_a_complete_run_is_rendered_again_and_other_settings_are_refused(
    robust_eval: Run, reviews: Path, tmp_path: Path
) -> None:
    assert robust_eval(*QUICK).returncode == 0
    page = (tmp_path / "run" / "report.html").read_bytes()
    (tmp_path / "run" / "report.html").unlink()
    (tmp_path / "run" / "notes.txt").write_text("mine")
    expect(robust_eval(*QUICK), 0, "complete")
    assert (tmp_path / "run" / "report.html").read_bytes() == page
    expect(robust_eval(*QUICK, "--seed", "5"), 2, "seed: 0 there, 5 here", "--overwrite")
    expect(robust_eval(*QUICK, "--seed", "5", "--overwrite"), 0)
    assert (tmp_path / "run" / "notes.txt").read_text() == "mine"


def test_changed_data_under_the_same_name_is_noticed(
    robust_eval: Run, reviews: Path, tmp_path: Path
) -> None:
    assert robust_eval(*QUICK).returncode == 0
    text = reviews.read_text(encoding="utf-8")
    reviews.write_text(text.replace("bakery", "cinema"), encoding="utf-8")
    expect(robust_eval(*QUICK), 2, "other data")


def test_a_mistyped_model_takes_no_folder_and_overwrites_none(
    robust_eval: Run, reviews: Path, tmp_path: Path
) -> None:
    mistyped = [part.replace("scripted:noisy", "scripted:nosiy") for part in QUICK]
    assert mistyped != list(QUICK)
    expect(robust_eval(*mistyped), 2, "did you mean 'noisy'")
    assert robust_eval(*QUICK).returncode == 0
    expect(robust_eval(*mistyped, "--overwrite"), 2, "did you mean 'noisy'")
    assert robust_eval("verify", "run").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 2, "nothing to do"),
        (("--modle", "x"), 2, "--modle"),
        (("lst",), 2, "did you mean 'list'"),
        (("--seed", "3", "list"), 2, "--seed belongs to"),
        (("list", "perturbation"), 2, "did you mean 'perturbations'"),
        (("--model", "scripted:oracle"), 2, "no data set"),
        (("--dataset", "reviews.csv"), 2, "no model"),
        (("--model", "scripted:oracle", "--dataset", "nowhere.csv"), 2, "nowhere.csv"),
        (("--model", "scripted:oracel", "--dataset", "reviews.csv", "--baseline", "bow"), 2, "oracle"),
        (("--model", "scripted:oracle", "--dataset", "demo:rotten-tomatos"), 2, "rotten-tomatoes"),
        (("--model", "scripted:oracle", "--baseline", "bow", "--dataset", "reviews.csv", "--shift", "keybord-typos"), 2, "keyboard-typos"),
        (("--model", "scripted:oracle", "--baseline", "bow", "--dataset", "reviews.csv", "--shift", "keyboard-typos@6"), 2, "6"),
        (("--model", "scripted:oracle", "--baseline", "bow", "--dataset", "reviews.csv", "--column", "text=txt"), 2, "txt"),
        (("--model", "scripted:oracle", "--baseline", "bow", "--dataset", "reviews.csv", "--label-map", "positive=good"), 2, "negative"),
        (("--model", "scripted:oracle", "--baseline", "bow", "--dataset", "reviews.csv", "--limit", "many"), 2, "'many'"),
        (("--model", "scripted:oracle", "--baseline", "bow", "--dataset", "reviews.csv", "--shift", "domain"), 2, "--ood"),
        (("--model", "scripted:oracle", "--baseline", "no/such-encoder", "--dataset", "reviews.csv"), 2, "no/such-encoder"),
        (("--model", "python:os:nothing", "--baseline", "bow", "--dataset", "reviews.csv"), 2, "nothing"),
        (("report", "nowhere"), 2, "nowhere"),
        (("perturb", "nowhere.jsonl", "out.jsonl", "--shift", "noisy"), 2, "nowhere.jsonl"),
    ],
)  # fmt: skip
def test_wrong_usage_gives_one_line_with_the_value_and_exit_code_2(
    robust_eval: Run,
    reviews: Path,
    arguments: tuple[str, ...],
    code: int,
    said: str,
    tmp_path: Path,
) -> None:
    result = robust_eval(*arguments)
    expect(result, code, said)
    assert (
        len([line for line in result.stderr.splitlines() if line.startswith("robust-eval:")]) == 1
    )
    assert not list(tmp_path.rglob("report.html"))


def test_an_internal_error_exits_70_and_keeps_its_traceback_in_a_file(
    robust_eval: Run, reviews: Path, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import robust_eval.recipes as r\n"
        "def broken(*a, **k): raise RuntimeError('boom')\n"
        "r.parse_shifts = broken\n"
    )
    result = robust_eval(*QUICK, PYTHONPATH=str(tmp_path), TMPDIR=str(tmp_path))
    expect(result, 70, "internal error: RuntimeError: boom")
    (kept,) = tmp_path.glob("robust-eval-traceback-*.txt")
    assert "RuntimeError: boom" in kept.read_text()


def test_an_output_folder_that_cannot_be_used_is_one_clear_line(
    robust_eval: Run, reviews: Path, tmp_path: Path
) -> None:
    (tmp_path / "run").write_text("a file")
    expect(robust_eval(*QUICK), 2, "is a file, not a folder")
    expect(robust_eval(*QUICK[:-1], "run/below"), 2, "run")
    expect(robust_eval(*QUICK[:-1], "/proc/nothing/run"), 2, "/proc/nothing")


def test_a_failing_model_ends_with_exit_code_4_and_is_not_scored(
    robust_eval: Run, reviews: Path, tmp_path: Path
) -> None:
    result = robust_eval("--model", "scripted:flaky", *QUICK[2:])
    expect(result, 4, "requests failed and are left out")
    record = store.load(tmp_path / "run")
    assert any(gap.left_out for gap in record.gaps)
    assert "failed" in (tmp_path / "run" / "report.md").read_text()


def killed_run(arguments: list[str], folder: Path, after: int, how: signal.Signals) -> int:
    """Starts a run and signals it once its cache has taken `after` writes (or it has ended)."""
    process = subprocess.Popen(
        [sys.executable, "-m", "robust_eval", *arguments],
        cwd=folder,
        env=os.environ | {"ROBUST_EVAL_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    timer = threading.Timer(after / 1000, process.send_signal, (how,))
    timer.start()
    try:
        return process.wait(timeout=120)
    finally:
        timer.cancel()


def test_a_run_killed_at_ten_random_moments_resumes_to_the_same_record(
    robust_eval: Run, reviews: Path, tmp_path: Path
) -> None:
    arguments = [*QUICK[:-1], "whole"]
    assert robust_eval(*arguments, ROBUST_EVAL_CACHE=str(tmp_path / "other")).returncode == 0
    moments = random.Random(11)
    arguments[-1] = "killed"
    codes = [
        killed_run(arguments, tmp_path, moments.randrange(200, 4000), signal.SIGKILL)
        for _ in range(10)
    ]
    assert -signal.SIGKILL in codes, "no run was killed: the moments are too late to test anything"
    assert robust_eval(*arguments).returncode == 0
    assert store.comparable(tmp_path / "killed") == store.comparable(tmp_path / "whole")
    assert not list((tmp_path / "killed").glob(".robust-eval-partial-*"))


def test_prompt_side_shift_is_shown_apart_and_leaves_models_without_a_prompt_out(
    robust_eval: Run, reviews: Path, tmp_path: Path
) -> None:
    result = robust_eval(
        "--model", "scripted:prompted?accuracy=0.9&loss=0.3", "--baseline", "bow", "--dataset",
        "reviews.csv", "--shift", "label-case", "--shift", "smoke", "--limit", "60", "--out", "run",
    )  # fmt: skip
    expect(result, 0, "predictions")
    assert "not applicable to bow (it has no prompt): label-case" in result.stdout
    record = store.load(tmp_path / "run")
    assert {gap.model for gap in record.gaps if gap.set_key == "label-case"} == {
        "scripted:prompted?accuracy=0.9&loss=0.3"
    }
    assert all(row.shift != "label-case" for row in record.comparisons)
    assert "Prompt-side shift" in (tmp_path / "run" / "report.md").read_text(encoding="utf-8")


def test_templates_are_listed_with_their_versions(robust_eval: Run) -> None:
    result = robust_eval("list", "templates")
    expect(result, 0)
    rows = {line.split("\t")[0]: line.split("\t") for line in result.stdout.splitlines()}
    assert rows["sentiment"][1:4] == ["2", "classification", "direct"]
    assert rows["math-cot"][3] == "cot"
