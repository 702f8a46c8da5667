"""verify through the command line, as an auditor would use it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from robust_eval import store

pytestmark = pytest.mark.e2e

Run = Callable[..., subprocess.CompletedProcess[str]]
QUICK = ("--model", "scripted:noisy?accuracy=0.8", "--baseline", "bow", "--dataset", "reviews.csv",
         "--shift", "smoke", "--limit", "60", "--out", "run")  # fmt: skip


def test_verify_holds_on_a_fresh_run_and_exits_1_on_an_edited_one(
    robust_eval: Run, reviews: Path, tmp_path: Path
) -> None:
    assert robust_eval(*QUICK, "--max-drop", "0.3").returncode in (0, 3)
    page = tmp_path / "run" / "report.html"
    for path in ("run", "run/report.html"):
        held = robust_eval("verify", path)
        assert held.returncode == 0, held.stdout + held.stderr
        assert held.stdout.startswith("verified: ")
        assert "sha256 of report.html: " in held.stderr
    text = page.read_text(encoding="utf-8")
    page.write_text(text.replace('<section id="verdict"', '<section id="verdict" hidden'))
    for path in ("run", "run/report.html"):
        broken = robust_eval("verify", path)
        assert broken.returncode == 1
        assert "section 'verdict'" in broken.stdout


def test_verify_of_what_is_no_run_is_exit_code_2(robust_eval: Run, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("<html></html>")
    for path, said in (("page.html", "no score matrix"), ("nowhere", "nowhere"), (".", "run.json")):
        result = robust_eval("verify", path)
        assert result.returncode == 2
        assert said in result.stderr
        assert "Traceback" not in result.stderr


def test_a_shard_for_each_shift_merges_into_the_run_that_was_never_split(
    robust_eval: Run, reviews: Path, tmp_path: Path
) -> None:
    common = ("--model", "scripted:length", "--baseline", "bow", "--dataset", "reviews.csv", "--limit", "60")  # fmt: skip
    typos, drops = ("--shift", "keyboard-typos@3"), ("--shift", "word-drops@3")
    assert robust_eval(*common, *typos, "--out", "one").returncode == 0
    assert robust_eval(*common, *drops, "--out", "two").returncode == 0
    assert robust_eval(*common, *typos, *drops, "--out", "whole").returncode == 0
    merged = robust_eval("merge", "one", "two", "--out", "both")
    assert merged.returncode == 0, merged.stderr
    whole, both = (store.load(tmp_path / name) for name in ("whole", "both"))
    for part in ("gaps", "comparisons", "analysis", "scores", "predictions"):
        assert getattr(both, part) == getattr(whole, part), part
    for path in ("both", "both/report.html"):
        assert robust_eval("verify", path).returncode == 0
    again = robust_eval("merge", "one", "two", "--out", "both")
    assert again.returncode == 0  # the same settings: written again
    same = robust_eval("diff", "whole", "both")
    assert same.returncode == 0
    assert "0 worse, 0 better" in same.stdout
    other = robust_eval(*common, *drops, "--out", "other", "--seed", "5")
    assert other.returncode == 0
    for arguments, said in (
        (("one", "other"), "other has another clean test set than one"),
        (("one",), "give at least two"),
        (("one", "nowhere"), "nowhere"),
    ):
        refused = robust_eval("merge", *arguments, "--out", "no")
        assert refused.returncode == 2
        assert said in refused.stderr
        assert not (tmp_path / "no").exists()


def test_diff_names_what_got_worse_writes_its_page_and_exits_1(
    robust_eval: Run, reviews: Path, tmp_path: Path
) -> None:
    common = ("--baseline", "bow", "--dataset", "reviews.csv", "--shift", "smoke", "--limit", "100")
    for name, accuracy in (("old", "0.95"), ("new", "0.6")):
        model = ("--model", f"scripted:noisy?accuracy={accuracy}")
        assert robust_eval(*model, *common, "--out", name).returncode == 0
    worse = robust_eval("diff", "old", "new")
    assert worse.returncode == 1, worse.stdout + worse.stderr
    assert worse.stdout.splitlines()[1].startswith("worse\tscripted:noisy?accuracy=0.95 → ")
    page = (tmp_path / "new" / "diff.html").read_text("utf-8")
    assert "Scores, new minus old" in page
    better = robust_eval("diff", "new", "old", "--out", "better.html")
    assert better.returncode == 0
    assert (tmp_path / "better.html").is_file()
    assert " 0 worse" in better.stdout
    for arguments, said in (
        (("old", "nowhere"), "nowhere"),
        (("old", "old/report.html"), "folder"),
    ):
        refused = robust_eval("diff", *arguments)
        assert refused.returncode == 2, refused.stdout
        assert said in refused.stderr
        assert "Traceback" not in refused.stderr


def test_a_record_of_another_schema_is_refused_by_every_command_that_reads_it(
    robust_eval: Run, reviews: Path, tmp_path: Path
) -> None:
    assert robust_eval(*QUICK).returncode == 0
    file = tmp_path / "run" / "run.json"
    data = json.loads(file.read_text("utf-8"))
    file.write_text(json.dumps(data | {"schema_version": 99}), "utf-8")
    for arguments in (
        ("verify", "run"),
        ("diff", "run", "run"),
        ("merge", "run", "run", "--out", "both"),
        ("report", "run"),
        ("gate", "run", "--max-drop", "0.1"),
    ):
        refused = robust_eval(*arguments)
        assert refused.returncode == 2, arguments
        assert "schema version 99" in refused.stderr
        assert "Traceback" not in refused.stderr
