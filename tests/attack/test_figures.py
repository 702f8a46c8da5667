"""What a run says of its attacks: figures against a count by hand, the page, and the way through the store."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest

import robust_eval
from robust_eval import store
from robust_eval.errors import UsageError
from robust_eval.report import render_html, render_markdown
from robust_eval.report.attacks import attacks
from robust_eval.report.cautions import limits
from robust_eval.score import attack_figures
from robust_eval.stats.intervals import wilson

LENGTH = "scripted:length"


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> robust_eval.Evaluation:
    folder = tmp_path_factory.mktemp("attacked")
    with (folder / "data.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("text", "label"))
        for i in range(160):
            word = "delightful" if i % 2 else "dreadful"
            tale = f"{word} number {i} of the evening {'again ' * (i % 3)}in town"
            writer.writerow((tale, "positive" if i % 2 else "negative"))
    return robust_eval.evaluate(
        LENGTH,
        baseline="bow",
        dataset=str(folder / "data.csv"),
        shift=("deepwordbug", "random-attack"),
        limit=40,
        attack_limit=30,
        attack_budget=25,
        validity="off",
        out=folder / "run",
        cache_dir=folder / "cache",
    )


def test_every_model_answers_every_set_and_each_set_knows_its_victim(result) -> None:
    sets = {s.key: s for s in result.record.sets}
    assert set(sets) == {
        f"{a}>{m}" for a in ("deepwordbug", "random-attack") for m in (LENGTH, "bow")
    }
    assert all(s.built_against == key.partition(">")[2] for key, s in sets.items())
    assert all((m, key) in result.record.predictions for key in sets for m in (LENGTH, "bow"))
    assert all(len(s.examples) == len(s.attacks) == 30 for s in sets.values())


def test_the_verdict_sets_direct_against_direct(result) -> None:
    rows = {c.shift: c for c in result.record.comparisons}
    gaps = {(g.model, g.set_key): g for g in result.record.gaps}
    assert len(result.record.comparisons) == 2
    row = rows["deepwordbug"]
    assert row.drop_model.value == pytest.approx(gaps[LENGTH, f"deepwordbug>{LENGTH}"].drop.value)
    assert row.drop_baseline.value == pytest.approx(gaps["bow", "deepwordbug>bow"].drop.value)
    assert row.p_holm is not None


def test_the_figures_are_those_counted_by_hand(result) -> None:
    record = result.record
    for figures in record.attacks:
        s = next(s for s in record.sets if s.key == figures.set_key)
        clean = {p.example_id: p.label for p in record.predictions[figures.model, "clean"]}
        now = record.predictions[figures.model, s.key]
        right = [e.id for e in s.examples if clean[e.id] == e.target]
        wrong = [e.id for e, p in zip(s.examples, now, strict=True) if p.label != e.target]
        assert (figures.attacked, figures.skipped) == (len(right), 30 - len(right))
        assert figures.flipped == wilson(len(set(right) & set(wrong)), len(right))
        assert figures.wrong == wilson(len(wrong), 30)
        assert figures.by_budget[-1][1] == pytest.approx(1 - len(wrong) / 30)
        assert [share for _, share in figures.by_budget] == sorted(
            (share for _, share in figures.by_budget), reverse=True
        )
        assert figures.not_repeated == figures.unanswered == 0
        assert figures.queries_p95 is not None
        assert figures.queries_p95 <= 25
    direct = next(f for f in record.attacks if f.set_key == f"deepwordbug>{LENGTH}")
    assert direct.flipped is not None
    assert direct.flipped.value == 1.0  # one letter more or less turns a victim that counts letters


def test_the_record_survives_its_folder_and_the_pages_show_the_attacks(result) -> None:
    again = store.load(result.folder)
    assert again.attacks == result.record.attacks
    assert [s.attacks for s in again.sets] == [s.attacks for s in result.record.sets]
    assert '<section id="attacks"' in render_html(again)
    assert "Flips among right" in render_html(again)
    assert "Each model on what was built against it" in render_markdown(again)


def test_each_seed_of_a_model_is_attacked_by_itself_and_shown_as_that_model(result) -> None:
    bow = next(card for card in result.record.models if card.name == "bow")
    group = replace(bow, name="bows", members=("bow",))
    grouped = replace(
        result.record,
        models=tuple(group if card is bow else card for card in result.record.models),
        members=(bow,),
    )
    grouped = replace(grouped, attacks=attack_figures(grouped))
    assert grouped.attacks == result.record.attacks
    view = attacks(grouped)
    assert view is not None
    assert {row.series for row in view.rows if row.figures.model == "bow"} == {1}
    assert any("each is attacked by itself" in said for said in limits(grouped))


def test_a_stranger_cannot_be_attacked(result, tmp_path: Path) -> None:
    data = result.record.settings["dataset"]
    with pytest.raises(UsageError, match="did you mean 'bow'"):
        robust_eval.evaluate(
            LENGTH,
            baseline="bow",
            dataset=data,
            shift="deepwordbug",
            attack_models=("bw",),
            out=tmp_path / "x",
        )
    with pytest.raises(UsageError, match="--attack-budget must be at least 1, not 0"):
        robust_eval.evaluate(
            LENGTH,
            baseline="bow",
            dataset=data,
            shift="deepwordbug",
            attack_budget=0,
            out=tmp_path / "x",
        )
