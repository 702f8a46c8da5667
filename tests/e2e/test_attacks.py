"""Attacks through the command line: killed and resumed, and on a prompted model."""

from __future__ import annotations

import signal
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from robust_eval import store

pytestmark = pytest.mark.e2e
Run = Callable[..., subprocess.CompletedProcess[str]]

# Answers by words, writes down what it answered, and dies at a given call before it answers that.
VICTIM = """
import os, signal

calls = 0

def classify(texts):
    global calls
    calls += 1
    if calls == int(os.environ.get("DIE_AT", "0")):
        os.kill(os.getpid(), signal.SIGKILL)
    with open(os.environ["ASKED"], "a", encoding="utf-8") as file:
        file.writelines(text + "\\n" for text in texts)
    return [scores(text.split()) for text in texts]

def scores(words):
    total = 2.0 * ("delightful" in words) - 2.0 * ("dreadful" in words) - 0.2 * (len(words) % 2)
    return [-total, total]
"""


def test_a_killed_attack_repeats_no_query_and_ends_in_the_same_record(
    robust_eval: Run, reviews: Path, tmp_path: Path
) -> None:
    (tmp_path / "victim.py").write_text(VICTIM, encoding="utf-8")
    arguments = (
        "--model", "python:victim:classify", "--model-version", "1", "--baseline", "bow", "--dataset", reviews.name,
        "--shift", "deepwordbug", "--shift", "pruthi", "--attack-control", "--limit", "20",
        "--attack-limit", "8", "--attack-budget", "40", "--validity", "off", "--out",
    )  # fmt: skip
    whole = robust_eval(*arguments, "whole", ASKED=str(tmp_path / "asked-whole"), ROBUST_EVAL_CACHE=str(tmp_path / "other"))  # fmt: skip
    assert whole.returncode == 0, whole.stderr
    asked = tmp_path / "asked-killed"
    kills = 0
    while (done := robust_eval(*arguments, "killed", ASKED=str(asked), DIE_AT="14")).returncode:
        assert done.returncode == -signal.SIGKILL, done.stderr
        kills += 1
        assert kills < 20
    assert kills >= 2
    said = [Counter((tmp_path / f"asked-{n}").read_text("utf-8").splitlines()) for n in ("whole", "killed")]  # fmt: skip
    assert said[0] == said[1]
    assert store.comparable(tmp_path / "killed") == store.comparable(tmp_path / "whole")
    record = store.load(tmp_path / "whole")
    assert {s.built_against for s in record.sets} == {"python:victim:classify", "bow"}
    assert any(a.outcome == "succeeded" for s in record.sets for a in s.attacks)


@pytest.mark.model
def test_a_prompted_model_is_attacked_and_its_texts_are_tried_on_the_other(
    robust_eval: Run, tmp_path: Path
) -> None:
    done = robust_eval(
        "--model", "demo:gemma-3-270m", "--baseline", "bow", "--dataset", "demo:rotten-tomatoes", "--shift", "deepwordbug",
        "--attack-model", "demo:gemma-3-270m", "--limit", "12", "--attack-limit", "3", "--attack-budget", "12",
        "--train-size", "200", "--shots", "2", "--validity", "off", "--out", "run",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    record = store.load(tmp_path / "run")
    (s,) = record.sets
    gemma = s.built_against
    assert gemma is not None
    assert gemma.startswith("demo:gemma-3-270m")
    assert len(s.attacks) == 3
    assert all(1 <= attack.queries <= 12 for attack in s.attacks)
    answers = record.predictions[gemma, s.key]
    for example, attack, answer in zip(s.examples, s.attacks, answers, strict=True):
        assert (attack.outcome == "failed") == (answer.label == example.target)
    assert ("bow", s.key) in record.predictions
    assert f"{s.key}" in (tmp_path / "run" / "report.md").read_text(encoding="utf-8")
