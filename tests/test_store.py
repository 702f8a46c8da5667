"""The run folder: a record comes back as it was saved, and a folder that is not ours is refused."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from robust_eval import store
from robust_eval.errors import DataError, OutputError
from robust_eval.records import (
    CLEAN,
    SCHEMA_VERSION,
    TASKS,
    Comparison,
    Dataset,
    Dose,
    Estimate,
    Example,
    Gap,
    GateCheck,
    GateResult,
    ModelCard,
    NotApplicable,
    Prediction,
    RunRecord,
    ShiftedSet,
    Status,
    TaskKind,
)

ESTIMATE = Estimate(0.1, -0.05, 0.25, 2, 0.95, "made up")


def record_of(
    task: TaskKind = TaskKind.CLASSIFICATION, text: str = "fine \u202e </script> \x00"
) -> RunRecord:
    target = "positive" if TASKS[task].has_labels else ("42", "forty-two")
    fields = TASKS[task].fields
    examples = tuple(
        Example(f"e{i}", dict.fromkeys(fields, f"{text} {i}"), target, f"s{i}", {"row": i})
        for i in range(2)
    )
    shifted = ShiftedSet(
        "noise",
        "keyboard-typos",
        "keyboard-typos@3",
        3,
        0,
        True,
        examples,
        (Dose(0.1, 0, True), Dose(0.0, 0, False)),
    )
    predictions = (
        Prediction("e0", "positive", None, (-0.1, -2.3), (-0.1, -2.3), " positive"),
        Prediction("e1", None, "42", None, None, "=42", Status.UNPARSED, True, False, 0.6),
    )
    metrics = TASKS[task].metrics
    keys = (CLEAN, shifted.key)
    return RunRecord(
        schema_version=SCHEMA_VERSION,
        settings={"models": ["m"], "seed": 0},
        dataset=Dataset("d", TASKS[task], ("negative", "positive"), examples, "r1", "f1", "all", ("note",)),
        splits={"test": 2},
        sets=(shifted,),
        models=(ModelCard("m", "m", "model", "scripted", "fp", True, 12, {"prompt": "x"}),),
        predictions={("m", key): predictions for key in keys},
        scores={("m", key, metric.name): (1.0, None) for key in keys for metric in metrics},
        gaps=(
            Gap("m", shifted.key, "accuracy", True, ESTIMATE, ESTIMATE, ESTIMATE, None, 0.5, "t", 1, 0, 0,
                {"ok": 1}, 1, {"ok": 2}, 0),
        ),
        comparisons=(
            Comparison("m", "b", "keyboard-typos", None, "accuracy", True, *[ESTIMATE] * 7, 0.5, None, "t",
                       "not comparable", "why", 2, 0),
        ),
        near_ties={"m": 0},
        warnings=("w",),
        versions={"python": "3"},
        host={"seconds": 1.5},
        gate=GateResult("release", "fail", 0.95, 10, (
            GateCheck("m", None, "keyboard-typos", None, "max-drop", 0.05, ESTIMATE, 0.5, 0.01, 0.02, 2, None,
                      "fail", "why"),
            GateCheck("m", "b", "imdb", "imdb", "max-drop-vs-baseline", 0.0, None, None, None, None, 0, 40,
                      "inconclusive", "why"),
        )),
    )  # fmt: skip


@pytest.mark.parametrize("task", list(TaskKind))
def test_a_record_comes_back_as_it_was_saved(tmp_path: Path, task: TaskKind) -> None:
    record = record_of(task)
    store.save(tmp_path, record)
    assert store.load(tmp_path) == record


def test_a_record_of_an_older_version_has_no_gate(tmp_path: Path) -> None:
    store.save(tmp_path, record_of())
    data = json.loads((tmp_path / store.RUN).read_text(encoding="utf-8"))
    del data["gate"]
    (tmp_path / store.RUN).write_text(json.dumps(data), encoding="utf-8")
    assert store.load(tmp_path).gate is None


def test_records_are_compared_without_times_and_host(tmp_path: Path) -> None:
    import dataclasses

    record = record_of()
    for name, changed in (
        ("a", record),
        ("b", dataclasses.replace(record, host={"seconds": 99.0})),
        ("c", dataclasses.replace(record, warnings=("other",))),
    ):
        (tmp_path / name).mkdir()
        store.save(tmp_path / name, changed)
    a, b, c = (store.comparable(tmp_path / name) for name in "abc")
    assert a == b
    assert a != c


def test_a_folder_is_resumed_only_with_the_same_settings(tmp_path: Path) -> None:
    run = tmp_path / "run"
    fresh = store.open_run(run, {"seed": 0, "models": ("m",)})
    assert not fresh.complete
    assert not list(run.iterdir())
    fresh.begin()
    assert not store.open_run(run, {"seed": 0, "models": ["m"]}).complete
    with pytest.raises(OutputError, match="seed: 0 there, 1 here"):
        store.open_run(run, {"seed": 1, "models": ["m"]})
    store.save(run, record_of())
    assert store.open_run(run, {"seed": 0, "models": ["m"]}).complete
    (run / "mine.txt").write_text("kept")
    other = store.open_run(run, {"seed": 1, "models": ["m"]}, overwrite=True)
    assert not other.complete
    assert store.load(run) == record_of()  # still there: the other run has not begun
    other.begin()
    assert sorted(p.name for p in run.iterdir()) == ["mine.txt", "run.json"]


def test_report_files_without_a_run_are_not_overwritten_silently(tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("somebody's")
    with pytest.raises(OutputError, match=r"no run\.json"):
        store.open_run(tmp_path, {"seed": 0})
    assert (tmp_path / "report.html").read_text() == "somebody's"


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda d: (d / "run.json").write_text("{"), "not valid JSON"),
        (lambda d: (d / "run.json").write_text("[" * 100_000), "not valid JSON"),
        (lambda d: (d / "run.json").write_text("[]"), "does not hold a run"),
        (lambda d: (d / "run.json").unlink(), "no run.json"),
        (lambda d: (d / "examples.parquet").unlink(), "examples.parquet"),
        (lambda d: (d / "predictions.parquet").write_bytes(b"PAR1 no"), "damaged"),
    ],
)
def test_a_damaged_folder_gives_one_line(tmp_path: Path, damage, said: str) -> None:
    store.save(tmp_path, record_of())
    damage(tmp_path)
    with pytest.raises(DataError) as caught:
        store.load(tmp_path)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schema_version": 99}, "schema version 99"),
        ({"state": "started"}, "not finished"),
        ({"gaps": [{"model": 3}]}, "gaps"),
        ({"models": [{"name": "m", "exploit": 1}]}, "exploit"),
        ({"near_ties": {"m": "many"}}, "near_ties.m should be a whole number"),
        ({"dataset": {"name": "d"}}, "damaged"),
    ],
)
def test_an_edited_record_names_what_does_not_fit(tmp_path: Path, change: dict, said: str) -> None:
    store.save(tmp_path, record_of())
    path = tmp_path / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(DataError) as caught:
        store.load(tmp_path)
    assert said in str(caught.value)


def test_repeats_and_what_does_not_apply_come_back(tmp_path: Path) -> None:
    record = record_of()
    model = record.models[0].name
    again = tuple(dataclasses.replace(p, raw="again") for p in record.predictions[model, CLEAN])
    record = dataclasses.replace(
        record,
        not_applicable=(NotApplicable(model, "label-case", "it has no prompt"),),
        repeats={(model, CLEAN, 1): again},
        repeat_scores={(model, CLEAN, "accuracy", 1): (1.0, None)},
    )
    store.open_run(tmp_path / "run", record.settings).begin()
    store.save(tmp_path / "run", record)
    assert store.load(tmp_path / "run") == record


def test_a_run_of_a_version_without_repeats_still_loads(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    record = record_of()
    record = dataclasses.replace(
        record,
        predictions={
            where: tuple(dataclasses.replace(p, strict=None, agreement=None) for p in given)
            for where, given in record.predictions.items()
        },
    )
    path = tmp_path / "run"
    store.open_run(path, record.settings).begin()
    store.save(path, record)
    table = pq.read_table(path / store.PREDICTIONS).drop_columns(["repeat", "strict", "agreement"])
    pq.write_table(table, path / store.PREDICTIONS)
    data = json.loads((path / store.RUN).read_text())
    del data["not_applicable"]
    (path / store.RUN).write_text(json.dumps(data))
    assert store.load(path) == record
