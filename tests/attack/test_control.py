"""The random baseline beside a search: as many queries, fewer successes."""

from __future__ import annotations

import csv

import pytest
from scipy.stats import binomtest

import robust_eval
from robust_eval import store
from robust_eval.report import render_html, render_markdown
from robust_eval.stats.intervals import wilson

FILLER = [
    "river",
    "stone",
    "garden",
    "window",
    "paper",
    "candle",
    "mountain",
    "basket",
    "winter",
    "harbour",
]


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> robust_eval.Evaluation:
    """One word of 41 decides: a search finds it, chance seldom does."""
    folder = tmp_path_factory.mktemp("control")
    with (folder / "data.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("text", "label"))
        for i in range(200):
            words = [FILLER[(i * 7 + k * 3) % 10] for k in range(40)]
            words.insert(i % 41, "splendid" if i % 2 else "horrid")
            writer.writerow((f"{' '.join(words)} {i}", "positive" if i % 2 else "negative"))
    return robust_eval.evaluate(
        "bow",
        baseline="scripted:oracle",
        dataset=str(folder / "data.csv"),
        shift=("deepwordbug", "random-attack", "input-reduction"),
        limit=60,
        attack_limit=40,
        attack_models=("bow",),
        attack_control=True,
        validity="off",
        out=folder / "run",
        cache_dir=folder / "cache",
    )


def test_the_search_beats_chance_with_the_same_queries(result: robust_eval.Evaluation) -> None:
    figures = {f.set_key: f for f in result.record.attacks}
    searched = figures["deepwordbug>bow"]
    assert searched.control is not None
    assert searched.control_p is not None
    assert searched.flipped is not None
    assert searched.flipped.low > searched.control.high
    assert searched.control_p < 0.001


def test_the_figures_are_those_counted_by_hand(result: robust_eval.Evaluation) -> None:
    (s,) = (s for s in result.record.sets if s.key == "deepwordbug>bow")
    (figures,) = (f for f in result.record.attacks if f.set_key == s.key)
    tried = [a for a in s.attacks if a.outcome != "skipped"]
    assert figures.control == wilson(sum(a.control == "succeeded" for a in tried), len(tried))
    alone = sum(a.outcome == "succeeded" and a.control != "succeeded" for a in tried)
    chance = sum(a.outcome != "succeeded" and a.control == "succeeded" for a in tried)
    assert figures.control_p == pytest.approx(binomtest(alone, alone + chance).pvalue)
    assert all((a.control == "skipped") == (a.outcome == "skipped") for a in s.attacks)


def test_chance_has_no_baseline_of_its_own(result: robust_eval.Evaluation) -> None:
    for s in result.record.sets:
        if s.key in ("random-attack>bow", "input-reduction>bow"):
            assert all(a.control is None for a in s.attacks)


def test_the_record_and_the_pages_hold_it(result: robust_eval.Evaluation) -> None:
    again = store.load(result.folder)
    assert [s.attacks for s in again.sets] == [s.attacks for s in result.record.sets]
    assert again.attacks == result.record.attacks
    assert "The search against chance" in render_html(again)
    assert "flipped by random changes with as many queries" in render_markdown(again)
