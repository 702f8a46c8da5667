"""`--temperature-scaling` from the command line: fitted on held-out examples, shown before and after, verified."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

import robust_eval
from robust_eval import store
from robust_eval.audit import verify
from robust_eval.errors import UsageError
from robust_eval.records import RunRecord

WORDS = {"positive": ("lovely", "bright", "warm"), "negative": ("dull", "grim", "stale")}


def reviews(n: int, seed: int) -> str:
    """One review in five has a word of the other label, so that no model can be sure and right always."""
    draw = Random(seed)
    rows = ["text,label"]
    for i in range(n):
        label = ("negative", "positive")[i % 2]
        other = ("positive", "negative")[i % 2]
        word = draw.choice(WORDS[label if draw.random() > 0.2 else other])
        rows.append(f"a {word} film about {draw.choice('abcdefgh')} number {i},{label}")
    return "\n".join(rows) + "\n"


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunRecord, Path]:
    folder = tmp_path_factory.mktemp("scaling")
    (folder / "reviews.csv").write_text(reviews(900, 1), encoding="utf-8")
    (folder / "other.csv").write_text(reviews(150, 2), encoding="utf-8")
    found = robust_eval.evaluate(
        "scripted:noisy?accuracy=0.8",
        baseline="bow",
        dataset=str(folder / "reviews.csv"),
        shift=("word-drops@3", "ood:other"),
        ood={"other": str(folder / "other.csv")},
        limit=100,
        train_size=200,
        seeds=1,
        temperature_scaling=True,
        validity="off",
        out=folder / "run",
        cache_dir=folder / "cache",
    )
    return found.record, found.folder


def test_every_model_has_a_temperature_from_examples_of_their_own(
    record: tuple[RunRecord, Path],
) -> None:
    run, _ = record
    assert [t.model for t in run.temperatures] == [card.name for card in run.models]
    assert run.splits["sizes"]["calibration"] == 200
    bow = run.temperatures[1]
    assert bow.n == 200
    assert bow.scaled_log_loss <= bow.log_loss


def test_calibration_stands_before_and_after_for_both_kinds_under_every_shift(
    record: tuple[RunRecord, Path],
) -> None:
    run, folder = record
    expected = [(c.name, key) for c in run.models for key in ("clean", "word-drops@3", "other")]
    for rows in (run.analysis.calibrations, run.analysis.scaled):
        assert [(c.model, c.set_key) for c in rows] == expected
        for c in rows:
            assert 0 <= c.ece_10 <= 1
            assert 0 <= c.brier <= 1
            assert len(c.risk) == 10
    before, after = (
        {(c.model, c.set_key): c for c in rows}
        for rows in (run.analysis.calibrations, run.analysis.scaled)
    )
    assert all(before[w].accuracy == after[w].accuracy for w in before)
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "After temperature scaling" in page
    assert 'id="scaled0-t"' in page
    assert 'id="scaling-c"' in page
    assert "Risk by coverage" in page


def test_verify_fits_the_temperatures_again_from_the_folder_and_from_the_page(
    record: tuple[RunRecord, Path], tmp_path: Path
) -> None:
    run, folder = record
    again = store.load(folder)
    assert (again.temperatures, again.scaled) == (run.temperatures, run.scaled)
    assert again.analysis == run.analysis
    for path in (folder, folder / "report.html"):
        found = verify(path)
        assert found.holds, found.findings
        assert "temperatures" in found.checked
    first = replace(run.temperatures[1], value=(run.temperatures[1].value or 1) * 1.1)
    store.save(tmp_path, replace(run, temperatures=(run.temperatures[0], first)))
    places = " ".join(f.where for f in verify(tmp_path).findings)
    assert "temperatures" in places
    assert "scaled" in places


def test_the_other_parts_of_the_data_are_the_same_with_and_without(
    record: tuple[RunRecord, Path],
) -> None:
    run, folder = record
    plain = robust_eval.evaluate(
        "scripted:noisy?accuracy=0.8",
        baseline="bow",
        dataset=str(folder.parent / "reviews.csv"),
        shift="word-drops@3",
        limit=100,
        train_size=200,
        validity="off",
        out=folder.parent / "plain",
        cache_dir=folder.parent / "cache",
    ).record
    assert plain.splits["fingerprints"] == run.splits["fingerprints"]
    assert plain.temperatures == ()
    assert plain.analysis.scaled == ()


def test_a_task_without_labels_has_no_temperature(tmp_path: Path) -> None:
    rows = "".join(f'{{"question": "What is {i}?", "answer": "{i}"}}\n' for i in range(40))
    (tmp_path / "open.jsonl").write_text(rows, encoding="utf-8")
    with pytest.raises(UsageError, match="--temperature-scaling needs labels"):
        robust_eval.evaluate(
            "scripted:oracle",
            baseline="scripted:mute",
            dataset=str(tmp_path / "open.jsonl"),
            task="open-qa",
            shift="keyboard-typos@1",
            limit=10,
            temperature_scaling=True,
            out=tmp_path / "run",
            cache_dir=tmp_path / "cache",
        )
