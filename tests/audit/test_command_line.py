"""diff and merge by their commands, with every command in this process: verify as a process is under e2e."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from robust_eval import store
from robust_eval.cli.entry import run_command

Command = Callable[..., tuple[int, str, str]]
COMMON = ("--dataset", "reviews.csv", "--limit", "60", "--validity", "off")


@pytest.fixture
def command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """One command in a folder with a data set: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ROBUST_EVAL_CACHE", str(tmp_path / "cache"))
    with (tmp_path / "reviews.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("id", "text", "label"))
        for i in range(200):
            word = "delightful" if i % 2 else "dreadful"
            tale = f"{word} number {i} of the evening {'again ' * (i % 3)}in town"
            writer.writerow((f"r{i}", tale, "positive" if i % 2 else "negative"))

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run_command(arguments)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_a_shard_for_each_shift_merges_into_the_run_that_was_never_split(
    command: Command, tmp_path: Path
) -> None:
    run = ("--model", "scripted:length", "--baseline", "bow", *COMMON)
    typos, drops = ("--shift", "keyboard-typos@3"), ("--shift", "word-drops@3")
    for name, shifts in (("one", typos), ("two", drops), ("whole", (*typos, *drops))):
        assert command(*run, *shifts, "--out", name)[0] == 0
    code, _, err = command("merge", "one", "two", "--out", "both")
    assert code == 0, err
    whole, both = (store.load(tmp_path / name) for name in ("whole", "both"))
    for part in ("gaps", "comparisons", "analysis", "scores", "predictions"):
        assert getattr(both, part) == getattr(whole, part), part
    for path in ("both", "both/report.html"):
        assert command("verify", path)[0] == 0
    code, out, _ = command("diff", "whole", "both")
    assert code == 0
    assert "0 worse, 0 better" in out
    assert command(*run, *drops, "--out", "other", "--seed", "5")[0] == 0
    for shards, said in (
        (("one", "other"), "other has another clean test set than one"),
        (("one",), "give at least two"),
        (("one", "nowhere"), "nowhere"),
    ):
        code, _, err = command("merge", *shards, "--out", "no")
        assert code == 2
        assert said in err
        assert not (tmp_path / "no").exists()


def test_a_shard_with_an_attack_merges_into_the_run_that_was_never_split(
    command: Command, tmp_path: Path
) -> None:
    run = ("--model", "scripted:length", "--baseline", "bow", *COMMON)
    run += ("--attack-model", "bow", "--attack-limit", "20", "--attack-budget", "30")
    noise, attack = ("--shift", "keyboard-typos@3"), ("--shift", "random-attack")
    for name, shifts in (("one", noise), ("two", attack), ("whole", (*noise, *attack))):
        assert command(*run, *shifts, "--out", name)[0] == 0
    code, _, err = command("merge", "one", "two", "--out", "both")
    assert code == 0, err
    whole, both = (store.load(tmp_path / name) for name in ("whole", "both"))
    assert whole.attacks
    for part in ("attacks", "gaps", "comparisons", "analysis", "scores", "predictions"):
        assert getattr(both, part) == getattr(whole, part), part
    for path in ("both", "both/report.html"):
        assert command("verify", path)[0] == 0


def test_diff_names_what_got_worse_writes_its_page_and_exits_1(
    command: Command, tmp_path: Path
) -> None:
    for name, accuracy in (("old", "0.95"), ("new", "0.5")):
        model = ("--model", f"scripted:noisy?accuracy={accuracy}", "--baseline", "bow")
        assert command(*model, *COMMON, "--shift", "word-drops@3", "--out", name)[0] == 0
    code, out, err = command("diff", "old", "new")
    assert code == 1, out + err
    assert out.splitlines()[1].startswith("worse\tscripted:noisy?accuracy=0.95 → ")
    assert "Scores, new minus old" in (tmp_path / "new" / "diff.html").read_text("utf-8")
    code, out, _ = command("diff", "new", "old", "--out", "better.html")
    assert code == 0
    assert (tmp_path / "better.html").is_file()
    assert " 0 worse" in out
    for runs, said in ((("old", "nowhere"), "nowhere"), (("old", "old/report.html"), "run.json")):
        code, _, err = command("diff", *runs)
        assert code == 2
        assert said in err
        assert "Traceback" not in err


def test_a_record_of_another_schema_is_refused_by_every_command_that_reads_it(
    command: Command, tmp_path: Path
) -> None:
    run = ("--model", "scripted:length", "--baseline", "bow", *COMMON)
    assert command(*run, "--shift", "word-drops@3", "--out", "run")[0] == 0
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
        code, _, err = command(*arguments)
        assert code == 2, arguments
        assert "schema version 99" in err
        assert "Traceback" not in err
