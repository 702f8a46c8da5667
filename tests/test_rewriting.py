"""Sets that a model writes: asked once, checked for their labels, refused without a writer."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

import robust_eval
from robust_eval import store
from robust_eval.build import perturb_file
from robust_eval.errors import InfrastructureError, RecipeError, UsageError
from robust_eval.recipes import parse_shifts
from robust_eval.rewriting import FOLDER, RewritePlan, styles

WRITER = """
CALLS = []


def chatty(texts):
    CALLS.extend(texts)
    return [f"well, {text.lower()}" for text in texts]


def turned(texts):
    return [text.replace(" was ", " was never ") for text in texts]


def silent(texts):
    return [None for text in texts]


def broken(texts):
    raise RuntimeError("no")
"""


@pytest.fixture
def reviews(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "writer_for_tests.py").write_text(WRITER)
    monkeypatch.syspath_prepend(str(tmp_path))
    words = ["wonderful", "pleasant", "clever", "moving", "honest", "bright"]
    lines = ["id,text,label"]
    for i in range(40):
        text = f"The Film number {i} was {words[i % 6]} and {words[(i + 2) % 6]}"
        lines.append(f"r{i},{text},{('positive', 'negative')[i % 2]}")
    (tmp_path / "reviews.csv").write_text("\n".join(lines) + "\n")
    return str(tmp_path / "reviews.csv")


def run(reviews: str, out: Path, function: str | None) -> robust_eval.Evaluation:
    return robust_eval.evaluate(
        "scripted:noisy?accuracy=0.9",
        baseline="scripted:constant",
        dataset=reviews,
        shift="rewrite:informal",
        rewriter=None if function is None else f"python:writer_for_tests:{function}",
        limit=20,
        shots=0,
        out=out,
        validity="words",
    )


def test_a_rewritten_set_is_paired_checked_and_stored(reviews: str, tmp_path: Path) -> None:
    record = run(reviews, tmp_path / "run", "chatty").record
    (written,) = record.sets
    assert (written.key, written.family, written.paired) == ("rewrite:informal", "domain", True)
    clean = {e.id: e for e in record.dataset.examples}
    for example in written.examples:
        assert example.inputs["text"] == f"well, {clean[example.id].inputs['text'].lower()}"
        assert example.target == clean[example.id].target
    assert all(d.changed for d in written.doses)
    assert len(written.preservation) == 20
    assert written.size is not None
    assert "python:writer_for_tests:chatty" in written.source
    assert store.load(tmp_path / "run").sets == record.sets


def test_a_writer_that_turns_meanings_round_is_caught(reviews: str, tmp_path: Path) -> None:
    (written,) = run(reviews, tmp_path / "run", "turned").record.sets
    assert all("negation changed" in check.reasons for check in written.preservation)


def test_what_is_not_answered_stays_as_it_was(reviews: str, tmp_path: Path) -> None:
    (written,) = run(reviews, tmp_path / "run", "silent").record.sets
    assert not any(d.changed for d in written.doses)
    assert "20 texts unchanged" in written.source


def test_a_writer_that_always_fails_ends_the_run(reviews: str, tmp_path: Path) -> None:
    with pytest.raises((InfrastructureError, UsageError)):
        run(reviews, tmp_path / "run", "broken")


def test_without_a_writer_and_with_a_wrong_style_the_remedy_is_named(
    reviews: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="give --rewriter SPEC"):
        run(reviews, tmp_path / "run", None)
    with pytest.raises(RecipeError, match="did you mean 'informal'"):
        parse_shifts(["rewrite:informel"], seed=0)
    with pytest.raises(RecipeError, match="has no severity"):
        parse_shifts(["rewrite:formal@3"], seed=0)
    with pytest.raises(RecipeError, match="needs a model that writes"):
        perturb_file(Path(reviews), tmp_path / "o.csv", [RewritePlan("formal", 0)], fields=["text"], seed=0)  # fmt: skip


def test_every_style_asks_for_the_same_meaning() -> None:
    assert styles() == ("formal", "informal", "paraphrase", "simple")
    for style in styles():
        table = tomllib.loads((FOLDER / f"{style}.toml").read_text("utf-8"))
        assert "the same meaning and the same opinion" in table["instruction"]
        assert "{question}" in table["example"]
