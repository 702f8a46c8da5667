"""verify through the command line, as an auditor would use it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

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
