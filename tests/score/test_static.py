"""Adversarial sets that were made before the run: both success rates, for every model."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

import robust_eval
from robust_eval import store
from robust_eval.audit import verify
from robust_eval.report import render_html, render_markdown
from robust_eval.score import static_figures
from robust_eval.stats.intervals import wilson


def figures(run, **changes):
    record = run.record()
    sets = tuple(replace(s, family="adversarial", **changes) for s in record.sets)
    return static_figures(replace(record, sets=sets))


def test_the_two_rates_are_told_apart(invented_run) -> None:
    # right then wrong, right then right, wrong then wrong, wrong then right, and two without an answer
    run = invented_run({("m", "clean"): "++--+f", ("m", "advglue"): "-+-+f-"})
    (row,) = figures(run)
    assert row.flipped == wilson(1, 2)  # of the two that were right when clean and are answered
    assert row.wrong == wilson(3, 5)  # of all that are answered


def test_without_originals_nothing_can_flip(invented_run) -> None:
    run = invented_run({("m", "clean"): "++", ("m", "adv"): "-+-"}, unpaired=("adv",))
    (row,) = figures(run)
    assert row.flipped is None
    assert row.wrong == wilson(2, 3)


def test_what_was_built_against_a_model_of_the_run_is_no_static_set(invented_run) -> None:
    run = invented_run({("m", "clean"): "++", ("m", "adv"): "-+"})
    assert figures(run, built_against="m") == ()
    assert static_figures(run.record()) == ()  # noise


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> robust_eval.Evaluation:
    folder = tmp_path_factory.mktemp("static")
    rows = [
        {
            "id": f"r{i}",
            "text": f"a {'delightful' if i % 2 else 'dreadful'} evening no. {i}",
            "label": "positive" if i % 2 else "negative",
        }
        for i in range(160)
    ]
    edited = [
        {
            **row,
            "id": f"a{row['id']}",
            "source_id": row["id"],
            "text": row["text"].replace("eful", "efull"),
        }
        for row in rows
    ]
    for name, content in (("data", rows), ("attacked", edited)):
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, content)) + "\n", "utf-8")
    return robust_eval.evaluate(
        "bow",
        baseline="scripted:length",
        dataset=str(folder / "data.jsonl"),
        ood={
            "published": f"adversarial:paired:{folder / 'attacked.jsonl'}",
            "others": f"adversarial:{folder / 'attacked.jsonl'}",
        },
        shift=("ood:published", "ood:others"),
        limit=40,
        validity="off",
        out=folder / "run",
        cache_dir=folder / "cache",
    )  # fmt: skip


def test_a_file_is_adversarial_when_its_spec_says_so(result: robust_eval.Evaluation) -> None:
    assert [(s.key, s.family, s.paired) for s in result.record.sets] == [
        ("published", "adversarial", True),
        ("others", "adversarial", False),
    ]
    rows = {(f.set_key, f.model): f for f in result.record.static}
    assert len(rows) == 4
    assert rows["published", "bow"].flipped is not None
    assert rows["others", "bow"].flipped is None


def test_the_record_the_pages_and_verify_hold_them(result: robust_eval.Evaluation) -> None:
    again = store.load(result.folder)
    assert again.static == result.record.static
    page = render_html(again)
    assert "Success of published adversarial sets, by both definitions" in page
    assert "Flips among right" in render_markdown(again)
    assert verify(result.folder).findings == ()
    wrong = replace(again.static[0], wrong=replace(again.static[0].wrong, value=0.123))
    store.save(result.folder, replace(again, static=(wrong, *again.static[1:])))
    assert any("static" in finding.where for finding in verify(result.folder).findings)
