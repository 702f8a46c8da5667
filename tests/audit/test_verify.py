"""Verification notices what was changed, names it, and finds nothing where nothing was."""

from __future__ import annotations

import base64
import json
import math
import re
import shutil
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from robust_eval import score, store
from robust_eval.audit import verify
from robust_eval.data.fingerprint import fingerprint
from robust_eval.errors import DataError, RobustEvalError, UsageError
from robust_eval.gate import Limits, Policy
from robust_eval.records import CLEAN, RunRecord
from robust_eval.report import matrix
from robust_eval.run import gated, render

ANSWERS = {
    ("m", CLEAN): "+" * 50 + "-" * 10,
    ("m", "typos@1"): "+" * 44 + "u" * 6 + "-" * 10,
    ("m", "typos@3"): "+" * 40 + "f" * 2 + "-" * 18,
    ("m", "imdb"): "+-" * 30,
    ("b", CLEAN): "+" * 48 + "-" * 12,
    ("b", "typos@1"): "+" * 40 + "-" * 20,
    ("b", "typos@3"): "+" * 30 + "-" * 30,
    ("b", "imdb"): "++-" * 20,
}


def finished(invented_run: Callable[..., Any], folder: Path) -> Path:
    """A saved run with a gate and its reports."""
    run = invented_run(ANSWERS, unpaired=("imdb",))
    record: RunRecord = run.record()
    about = record.dataset
    record = replace(
        record,
        dataset=replace(about, fingerprint=fingerprint(about.task, about.labels, about.examples)),
        gaps=run.gaps(),
        comparisons=run.comparisons(),
        settings={"level": 0.95},
        versions={"robust-eval": __import__("robust_eval").__version__},
    )
    record = with_repeats_and_probabilities(record)
    record = replace(record, analysis=score.analysis(record))
    limits = Limits(max_drop=0.05, max_relative_drop=0.1, max_drop_vs_baseline=0.02)
    record = gated(record, Policy(everywhere=limits, required=("yelp",)))
    folder.mkdir()
    store.save(folder, record)
    render(folder, record)
    return folder


def with_repeats_and_probabilities(record: RunRecord) -> RunRecord:
    """The run as a stochastic model with probabilities leaves it."""
    sure = tuple(math.log(x) for x in (0.3, 0.7))
    answers = {
        where: tuple(
            replace(p, scores=sure if p.label == "b" else sure[::-1])
            if p.label in ("a", "b")
            else p
            for p in given
        )
        for where, given in record.predictions.items()
    }
    repeats = {}
    for repeat in (1, 2, 3):
        given = list(answers["m", CLEAN])
        given[repeat] = replace(given[repeat], label="ab"[repeat % 2 == 0])
        repeats["m", CLEAN, repeat] = tuple(given)
    for key in (CLEAN, "typos@1"):  # "m" wrote these, every fifth one in other words
        answers["m", key] = tuple(
            replace(p, strict=i % 5 != 0) if p.label else p for i, p in enumerate(answers["m", key])
        )
    scores = score.score_repeats(record.dataset, repeats)
    sets = tuple(
        replace(s, doses=tuple(replace(d, edit_rate=0.03 * (s.severity or 1)) for d in s.doses))
        for s in record.sets
    )
    return replace(record, sets=sets, predictions=answers, repeats=repeats, repeat_scores=scores)


@pytest.fixture
def run_folder(
    invented_run: Callable[..., Any], tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A copy of the run of its own; it is made once."""
    whole = tmp_path_factory.getbasetemp() / "verified"
    if not whole.exists():
        finished(invented_run, whole)
    return shutil.copytree(whole, tmp_path / "run")


def changed_json(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    data = json.loads(path.read_text(encoding="utf-8"))
    change(data)
    path.write_text(json.dumps(data), encoding="utf-8")


def repacked(page: str, change: Callable[[dict[str, Any]], None]) -> str:
    """The page with another matrix inside."""
    found = matrix.unpack(page)
    change(found)
    packed = base64.b64encode(zlib.compress(json.dumps(found).encode())).decode()
    return re.sub(rf'(id="{matrix.ELEMENT}">)[^<]*', lambda m: m[1] + packed, page)


def places(path: Path) -> str:
    return "\n".join(f"{f.where}: {f.what}" for f in verify(path).findings)


def test_an_untouched_run_and_its_page_hold(run_folder: Path) -> None:
    for path in (run_folder, run_folder / "report.html"):
        found = verify(path)
        assert found.findings == ()
        assert found.holds
        assert not found.notes
    assert {"report.html", "report.md", "junit.xml"} <= set(verify(run_folder).checked)


def test_a_changed_gap_is_named_with_both_values(run_folder: Path) -> None:
    def nicer(data: dict[str, Any]) -> None:
        data["gaps"][0]["drop"]["value"] = 0.001

    changed_json(run_folder / "run.json", nicer)
    assert "gaps m/typos@1/accuracy, drop, value: 0.001 stored, 0.1 computed" in places(run_folder)


def test_a_changed_verdict_and_a_changed_gate_are_named(run_folder: Path) -> None:
    def nicer(data: dict[str, Any]) -> None:
        data["comparisons"][0]["verdict"] = "not comparable"
        data["gate"]["outcome"] = "pass"

    changed_json(run_folder / "run.json", nicer)
    said = places(run_folder)
    assert "comparisons m/b/typos/accuracy, verdict: not comparable stored" in said
    assert "gate, outcome: pass stored" in said


def test_changed_figures_beside_the_drops_are_named(run_folder: Path) -> None:
    stored = store.load(run_folder).analysis
    assert stored is not None
    for part in (
        "calibrations",
        "curves",
        "worst_cases",
        "noise_floors",
        "relative_drops",
        "extractions",
    ):
        assert getattr(stored, part), part

    def nicer(data: dict[str, Any]) -> None:
        data["analysis"]["calibrations"][0]["ece_10"] = 0.0
        data["analysis"]["noise_floors"][0]["largest"] = 0.0
        data["analysis"]["curves"][0]["breakdown"] = None

    changed_json(run_folder / "run.json", nicer)
    said = places(run_folder)
    assert "analysis, calibrations m/clean, ece_10: 0 stored" in said
    assert "analysis, noise_floors m, largest: 0 stored" in said
    assert "analysis, curves m/typos, breakdown: None stored" in said


def test_a_changed_way_of_reading_an_answer_is_named(run_folder: Path) -> None:
    path = run_folder / "predictions.parquet"
    rows = pq.read_table(path).to_pylist()
    at = next(i for i, r in enumerate(rows) if r["set_key"] == "typos@1" and r["strict"] is False)
    rows[at]["strict"] = True
    pq.write_table(pa.Table.from_pylist(rows, schema=pq.read_schema(path)), path)
    said = places(run_folder)
    assert "analysis, extractions m/typos@1, strict:" in said
    assert "analysis, extractions m/typos@1, score, value:" in said


def test_a_changed_answer_no_longer_gives_its_score(run_folder: Path) -> None:
    path = run_folder / "predictions.parquet"
    rows = pq.read_table(path).to_pylist()
    at = next(i for i, r in enumerate(rows) if r["set_key"] == "typos@3" and r["label"] == "wrong")
    rows[at]["label"] = "ab"[int(rows[at]["example_id"][1:]) % 2]
    pq.write_table(pa.Table.from_pylist(rows, schema=pq.read_schema(path)), path)
    assert "scores m/typos@3/accuracy" in places(run_folder)


def edited(path: Path, which: Callable[[dict[str, Any]], bool], **values: Any) -> None:
    """Changes the first row of a Parquet file that fits."""
    rows = pq.read_table(path).to_pylist()
    next(row for row in rows if which(row)).update(values)
    pq.write_table(pa.Table.from_pylist(rows, schema=pq.read_schema(path)), path)


def of(key: str, **more: Any) -> Callable[[dict[str, Any]], bool]:
    return lambda row: row["set_key"] == key and all(row[k] == v for k, v in more.items())


@pytest.mark.parametrize(
    ("file", "which", "values", "said"),
    [
        ("predictions", of("typos@1", status="unparsed"), {"status": "ok"}, "gaps m/typos@1/accuracy, statuses"),
        ("predictions", of("typos@1", model="b"), {"input_truncated": True}, "gaps b/typos@1/accuracy, truncated_inputs"),
        ("predictions", of("typos@3", model="b"), {"score_accuracy": 0.0}, "scores b/typos@3/accuracy [0]: 0 stored, 1 computed"),
        ("predictions", of(CLEAN, repeat=1), {"label": "wrong"}, "scores m/clean/accuracy/1"),
        ("predictions", of("typos@1", model="m"), {"scores": [-0.1, -3.0]}, "analysis, calibrations m/typos@1"),
        ("examples", of("typos@1"), {"source_id": "e1"}, "set typos@1: its texts or targets"),
        ("examples", of("typos@1"), {"changed": False}, "gaps m/typos@1/accuracy, drop_changed"),
        ("examples", of("typos@1"), {"edit_rate": 0.9}, "analysis, curves m/typos"),
        ("examples", of("imdb"), {"target": '"b"'}, "scores m/imdb/accuracy"),
        ("examples", of("typos@3"), {"inputs": '{"text": "another"}'}, "set typos@3: its texts or targets"),
        ("predictions", of("imdb"), {"raw": "said otherwise"}, "predictions.parquet: it is not the file"),
        ("examples", of("imdb"), {"meta": '{"page": 3}'}, "examples.parquet: it is not the file"),
    ],
)  # fmt: skip
def test_every_kind_of_change_to_the_stored_answers_is_named(
    run_folder: Path,
    file: str,
    which: Callable[[dict[str, Any]], bool],
    values: dict[str, Any],
    said: str,
) -> None:
    edited(run_folder / f"{file}.parquet", which, **values)
    assert said in places(run_folder)


def test_a_gate_asked_for_later_does_not_vouch_for_texts_changed_meanwhile(
    run_folder: Path,
) -> None:
    edited(run_folder / "examples.parquet", of("typos@3"), inputs='{"text": "another"}')
    record = store.load(run_folder)
    store.save_gate(run_folder, gated(record, Policy(everywhere=Limits(max_drop=0.9))))
    assert "set typos@3" in places(run_folder)


def test_runs_of_earlier_versions_have_no_digests_and_say_so(run_folder: Path) -> None:
    changed_json(run_folder / "run.json", lambda data: data.pop("digests"))
    found = verify(run_folder)
    assert found.holds
    assert any("kept no digests" in note for note in found.notes)
    changed_json(run_folder / "run.json", lambda data: data.update({"digests": {"sets": 3}}))
    assert "set typos@1" in places(run_folder)


def test_examples_without_a_field_of_their_task_are_damaged(run_folder: Path) -> None:
    edited(run_folder / "examples.parquet", of("typos@3"), inputs='{"words": "another"}')
    with pytest.raises(DataError, match="damaged"):
        verify(run_folder)


def test_answers_in_another_order_or_gone_are_refused_with_their_place(run_folder: Path) -> None:
    path = run_folder / "predictions.parquet"
    whole = pq.read_table(path)
    swapped = whole.take([1, 0, *range(2, whole.num_rows)])
    gone = whole.slice(1)
    lacking = whole.drop_columns(["status"])
    for table, said in (
        (swapped, "out of order"),
        (gone, "59 answers to the 60"),
        (lacking, "status"),
    ):
        pq.write_table(table, path)
        with pytest.raises(RobustEvalError, match=said):
            verify(run_folder)


@pytest.mark.parametrize("key", ["settings", "warnings", "near_ties"])
def test_what_stands_in_a_record_beside_figures_is_held_by_its_pages(
    run_folder: Path, key: str
) -> None:
    other: dict[str, Any] = {
        "settings": {"level": 0.95, "seed": 7},
        "warnings": ["all is well"],
        "near_ties": {"m": 5},
    }
    changed_json(run_folder / "run.json", lambda data: data.update({key: other[key]}))
    assert "report.html" in places(run_folder)


def test_changed_texts_are_not_those_of_the_fingerprint(run_folder: Path) -> None:
    path = run_folder / "examples.parquet"
    rows = pq.read_table(path).to_pylist()
    rows[0]["inputs"] = '{"text": "another"}'
    pq.write_table(pa.Table.from_pylist(rows, schema=pq.read_schema(path)), path)
    assert "data set: the texts or targets" in places(run_folder)


@pytest.mark.parametrize("name", ["report.html", "report.md", "junit.xml", "model-index.yml"])
def test_every_changed_report_file_is_named(run_folder: Path, name: str) -> None:
    path = run_folder / name
    path.write_bytes(path.read_bytes() + b" ")
    assert name in places(run_folder)


def test_a_changed_section_of_a_page_is_named_by_the_page_alone(run_folder: Path) -> None:
    page = (run_folder / "report.html").read_text(encoding="utf-8")
    at = page.index("<h2", page.index('<section id="verdict"'))
    other = run_folder / "copy.html"
    other.write_text(page[:at] + "<p>All is well.</p>" + page[at:], encoding="utf-8")
    assert places(other) == "copy.html: section 'verdict' was changed"
    other.write_text(page.replace("<title>", "<title>Fine. "), encoding="utf-8")
    assert "outside its sections" in places(other)


def test_a_page_whose_matrix_gives_other_figures_is_named(run_folder: Path) -> None:
    page = (run_folder / "report.html").read_text(encoding="utf-8")

    def nicer(found: dict[str, Any]) -> None:
        row = next(r for r in found["scores"] if (r["model"], r["set"]) == ("m", "typos@1"))
        row["values"] = row["values"].replace("0", "1")

    other = run_folder / "copy.html"
    other.write_text(repacked(page, nicer), encoding="utf-8")
    assert "gaps m/typos@1/accuracy, drop, value: 0.1 stored" in places(other)


def test_a_page_that_does_not_hang_together_is_refused(run_folder: Path) -> None:
    page = (run_folder / "report.html").read_text(encoding="utf-8")
    other = run_folder / "copy.html"
    for key in ("sets", "scores", "answers", "models", "task"):
        other.write_text(repacked(page, lambda found, key=key: found.pop(key)), encoding="utf-8")  # type: ignore[misc]
        with pytest.raises(DataError, match="hang together"):
            verify(other)
    other.write_text("<html>", encoding="utf-8")
    with pytest.raises(DataError, match="no score matrix"):
        verify(other)
    with pytest.raises(UsageError, match="no folder or report"):
        verify(run_folder / "none.html")


def test_reports_of_another_version_are_not_compared(run_folder: Path) -> None:
    changed_json(
        run_folder / "run.json", lambda data: data["versions"].update({"robust-eval": "0"})
    )
    found = verify(run_folder)
    assert found.holds
    assert any("made by version 0" in note for note in found.notes)


def test_a_clustered_run_holds_too(invented_run: Callable[..., Any], tmp_path: Path) -> None:
    answers = {k: v for k, v in ANSWERS.items() if k[1] != "imdb"}
    run = invented_run(answers, clusters=[f"s{i // 3}" for i in range(60)])
    record = replace(
        run.record(), gaps=run.gaps(), comparisons=run.comparisons(), settings={"level": 0.95}
    )
    about = record.dataset
    record = replace(
        record,
        dataset=replace(about, fingerprint=fingerprint(about.task, about.labels, about.examples)),
    )
    assert score.score_all(about, record.sets, record.predictions) == record.scores
    folder = tmp_path / "clustered"
    folder.mkdir()
    store.save(folder, record)
    render(folder, record)
    assert verify(folder).findings == ()
    assert verify(folder / "report.html").findings == ()
