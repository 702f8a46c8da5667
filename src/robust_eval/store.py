"""The run folder: run.json and two Parquet files hold a RunRecord; reports are rendered beside them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from robust_eval.decode import decode
from robust_eval.errors import DataError, OutputError
from robust_eval.files import atomic_write, explained, remove_partial, write_atomic
from robust_eval.records import (
    CLEAN,
    SCHEMA_VERSION,
    TASKS,
    Analysis,
    AttackFigures,
    Comparison,
    Dataset,
    Dose,
    Example,
    Gap,
    GateResult,
    HumanCheck,
    ModelCard,
    NotApplicable,
    Prediction,
    Preservation,
    RunRecord,
    ShiftedSet,
    Status,
    TaskKind,
)

if TYPE_CHECKING:
    import pyarrow as pa

RUN, EXAMPLES, PREDICTIONS = "run.json", "examples.parquet", "predictions.parquet"
HTML, MARKDOWN, JUNIT, MODEL_INDEX = "report.html", "report.md", "junit.xml", "model-index.yml"
DIFF = "diff.html"
OURS = (RUN, EXAMPLES, PREDICTIONS, HTML, MARKDOWN, JUNIT, MODEL_INDEX, DIFF)
LARGEST_RUN_JSON = 256 * 1024**2  # bytes
PLAIN = ("example_id", "label", "text", "raw", "input_truncated")  # stored as they are
NOT_IN_JSON = ("examples", "doses", "size", "preservation", "attacks", "demonstrations")  # of sets
HOST_KEYS = ("host",)  # what differs between two equal runs: times, machine, calls made


@dataclass(frozen=True, slots=True)
class RunFolder:
    path: Path
    complete: bool  # a finished run of the same settings is there


def open_run(path: Path, settings: Mapping[str, Any], *, overwrite: bool = False) -> RunFolder:
    """A folder ready for this run: new, or one of the same settings to resume or render again.

    Raises OutputError for a folder of other settings, of unknown files only, or not writable.
    Unknown files are never deleted; `overwrite` removes only files that this program wrote.
    """
    settings = json.loads(json.dumps(settings))
    if path.exists() and not path.is_dir():
        raise OutputError(f"{path} is a file, not a folder; choose another --out")
    with explained(path):
        path.mkdir(parents=True, exist_ok=True)
        names = {entry.name for entry in path.iterdir()}
    if overwrite:
        for name in OURS:
            with explained(path / name):
                (path / name).unlink(missing_ok=True)
        names -= set(OURS)
    if RUN in names:
        state = read_json(path / RUN)
        if state.get("settings") != settings:
            changed = _changed(state.get("settings"), settings)
            raise OutputError(
                f"{path} holds a run with other settings ({changed}); give --overwrite or another --out"
            )
        remove_partial(path)
        return RunFolder(path, complete=state.get("state") == "complete")
    if names & set(OURS):
        raise OutputError(
            f"{path} has report files but no {RUN}; give --overwrite or another --out"
        )
    _write_json(
        path / RUN, {"schema_version": SCHEMA_VERSION, "state": "started", "settings": settings}
    )
    return RunFolder(path, complete=False)


def save(path: Path, record: RunRecord) -> None:
    """Writes the record: examples and predictions first, run.json last, each whole or not at all."""
    import pyarrow.parquet as pq

    for name, table in (
        (EXAMPLES, _example_table(record)),
        (PREDICTIONS, _prediction_table(record)),
    ):
        with atomic_write(path / name) as file:
            pq.write_table(table, file, compression="zstd")
    _write_json(path / RUN, _run_json(record))


def load(path: Path) -> RunRecord:
    """The record of a finished run. Raises DataError when the folder does not hold one."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    data = read_json(path / RUN)
    if data.get("state") != "complete":
        raise DataError(f"the run in {path} is not finished; give its command again to resume it")
    if data.get("schema_version") != SCHEMA_VERSION:
        raise DataError(
            f"{path / RUN} has schema version {str(data.get('schema_version'))[:20]}; "
            f"this version of robust-eval reads {SCHEMA_VERSION}"
        )
    for name in (EXAMPLES, PREDICTIONS):
        if not (path / name).is_file():
            raise DataError(f"{path} lacks {name}; give the run's command again with --overwrite")
    try:
        examples = pq.read_table(path / EXAMPLES).to_pylist()
        predictions = pq.read_table(path / PREDICTIONS).to_pylist()
        return _record(data, examples, predictions)
    except (pa.ArrowInvalid, KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path} is damaged: {str(error)[:200]}") from error


def save_gate(path: Path, record: RunRecord) -> None:
    """Writes a finished run's gate result or human check beside its figures; examples and predictions stay."""
    _write_json(path / RUN, _run_json(record))


def comparable(path: Path) -> dict[str, Any]:
    """Everything in a run folder that two equal runs share to the byte: all but times and host."""
    import pyarrow.parquet as pq

    data = {k: v for k, v in read_json(path / RUN).items() if k not in HOST_KEYS}
    for name in (EXAMPLES, PREDICTIONS):
        data[name] = pq.read_table(path / name).to_pylist()
    return data


def read_json(path: Path) -> dict[str, Any]:
    """An object from a JSON file of bounded size. Raises DataError, naming the file."""
    try:
        if path.stat().st_size > LARGEST_RUN_JSON:
            raise DataError(
                f"{path} is larger than {LARGEST_RUN_JSON >> 20} MiB; not a run of ours"
            )
        data = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise DataError(f"no {path.name} in {path.parent}; give the folder of a run") from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not valid JSON: {str(error)[:120]}") from error
    if not isinstance(data, dict):
        raise DataError(f"{path} does not hold a run")
    return data


def _changed(old: Any, new: Mapping[str, Any]) -> str:
    if not isinstance(old, dict):
        return "unreadable settings"
    names = [name for name in new if old.get(name) != new[name]]
    shown = [
        f"{name}: {str(old.get(name))[:40]} there, {str(new[name])[:40]} here" for name in names[:2]
    ]
    return "; ".join(shown) + (f"; {len(names) - 2} more" if len(names) > 2 else "")


def _write_json(path: Path, data: Mapping[str, Any]) -> None:
    text = json.dumps(data, ensure_ascii=False, indent=1, allow_nan=False)
    write_atomic(path, text.encode("utf-8", "backslashreplace") + b"\n")


# --- record -> files -----------------------------------------------------------------------------


def _run_json(record: RunRecord) -> dict[str, Any]:
    clean = record.dataset
    return {
        "schema_version": record.schema_version,
        "state": "complete",
        "settings": dict(record.settings),
        "dataset": {
            "name": clean.name,
            "task": clean.task.kind.value,
            "labels": list(clean.labels),
            "revision": clean.revision,
            "fingerprint": clean.fingerprint,
            "population": clean.population,
            "notes": list(clean.notes),
        },
        "splits": dict(record.splits),
        "sets": [
            {
                f.name: getattr(shifted, f.name)
                for f in dataclasses.fields(shifted)
                if f.name not in NOT_IN_JSON
            }
            | {"size": None if shifted.size is None else dataclasses.asdict(shifted.size)}
            | {"attacks": [dataclasses.asdict(result) for result in shifted.attacks]}
            for shifted in record.sets
        ],
        "models": [dataclasses.asdict(card) for card in record.models],
        "members": [dataclasses.asdict(card) for card in record.members],
        "metrics": [metric.name for metric in clean.task.metrics],
        "gaps": [dataclasses.asdict(gap) for gap in record.gaps],
        "comparisons": [dataclasses.asdict(comparison) for comparison in record.comparisons],
        "near_ties": dict(record.near_ties),
        "warnings": list(record.warnings),
        "versions": dict(record.versions),
        "host": dict(record.host),
        "attacks": [dataclasses.asdict(figures) for figures in record.attacks],
        "not_applicable": [dataclasses.asdict(entry) for entry in record.not_applicable],
        "analysis": None if record.analysis is None else dataclasses.asdict(record.analysis),
        "gate": None if record.gate is None else dataclasses.asdict(record.gate),
        "validity": dict(record.validity),
        "human": None if record.human is None else dataclasses.asdict(record.human),
    }


def _example_table(record: RunRecord) -> pa.Table:
    import pyarrow as pa

    columns: dict[str, list[Any]] = {name: [] for name in _example_schema().names}
    sources: list[tuple[str, tuple[Example, ...], tuple[Dose, ...], tuple[Preservation, ...]]]
    sources = [(CLEAN, record.dataset.examples, (), ())]
    sources += [(s.key, s.examples, s.doses, s.preservation) for s in record.sets]
    for key, examples, doses, checks in sources:
        for i, example in enumerate(examples):
            dose = doses[i] if doses else None
            check = dataclasses.asdict(checks[i]) if checks else None
            columns["set_key"].append(key)
            columns["id"].append(example.id)
            columns["source_id"].append(example.source_id)
            columns["target"].append(json.dumps(example.target, ensure_ascii=False))
            columns["inputs"].append(json.dumps(dict(example.inputs), ensure_ascii=False))
            columns["meta"].append(json.dumps(dict(example.meta), ensure_ascii=False, default=str))
            columns["edit_rate"].append(dose.edit_rate if dose else None)
            columns["words_added"].append(dose.words_added if dose else None)
            columns["changed"].append(dose.changed if dose else None)
            columns["preservation"].append(json.dumps(check) if check else None)
    return pa.table(columns, schema=_example_schema())


def _example_schema() -> pa.Schema:
    import pyarrow as pa

    text = [
        (name, pa.string()) for name in ("set_key", "id", "source_id", "target", "inputs", "meta")
    ]
    return pa.schema(
        [
            *text,
            ("edit_rate", pa.float64()),
            ("words_added", pa.int64()),
            ("changed", pa.bool_()),
            ("preservation", pa.string()),
        ]
    )


def _prediction_table(record: RunRecord) -> pa.Table:
    import pyarrow as pa

    metrics = [metric.name for metric in record.dataset.task.metrics]
    schema = pa.schema(
        [
            *(
                (name, pa.string())
                for name in ("model", "set_key", "example_id", "label", "text", "raw")
            ),
            ("status", pa.string()),
            ("input_truncated", pa.bool_()),
            ("label_logprobs", pa.list_(pa.float64())),
            ("scores", pa.list_(pa.float64())),
            *((f"score_{metric}", pa.float64()) for metric in metrics),
            ("repeat", pa.int64()),
            ("strict", pa.bool_()),
            ("agreement", pa.float64()),
        ]
    )
    columns: dict[str, list[Any]] = {name: [] for name in schema.names}
    answered = {(*where, 0): given for where, given in record.predictions.items()}
    scores = {(*where, 0): values for where, values in record.scores.items()}
    scores |= record.repeat_scores
    for (model, key, repeat), predictions in (answered | dict(record.repeats)).items():
        columns["repeat"] += [repeat] * len(predictions)
        for p in predictions:
            columns["model"].append(model)
            columns["set_key"].append(key)
            for name in (*PLAIN, "strict", "agreement"):
                columns[name].append(getattr(p, name))
            columns["status"].append(p.status.value)
            columns["label_logprobs"].append(p.label_logprobs)
            columns["scores"].append(p.scores)
        for metric in metrics:
            columns[f"score_{metric}"] += scores[model, key, metric, repeat]
    return pa.table(columns, schema=schema)


# --- files -> record -----------------------------------------------------------------------------


def _record(
    data: dict[str, Any], example_rows: list[dict[str, Any]], prediction_rows: list[dict[str, Any]]
) -> RunRecord:
    examples: dict[str, list[Example]] = {}
    doses: dict[str, list[Dose]] = {}
    checks: dict[str, list[Preservation]] = {}
    for row in example_rows:
        target = json.loads(row["target"])
        examples.setdefault(row["set_key"], []).append(
            Example(
                row["id"],
                decode(dict[str, str], json.loads(row["inputs"]), "inputs"),
                target if isinstance(target, str) else tuple(str(answer) for answer in target),
                row["source_id"],
                decode(dict[str, Any], json.loads(row["meta"]), "meta"),
            )
        )
        if row["edit_rate"] is not None:
            dose = Dose(row["edit_rate"], row["words_added"], row["changed"])
            doses.setdefault(row["set_key"], []).append(dose)
        if check := row.get("preservation"):
            checks.setdefault(row["set_key"], []).append(
                decode(Preservation, json.loads(check), "preservation")
            )
    about = data["dataset"]
    task = TASKS[TaskKind(about["task"])]
    predictions: dict[tuple[str, str, int], list[Prediction]] = {}
    scores: dict[tuple[str, str, str, int], list[float | None]] = {}
    for row in prediction_rows:
        repeat = row.get("repeat", 0)  # runs of version 0.1 have no such column
        where = (row["model"], row["set_key"], repeat)
        predictions.setdefault(where, []).append(
            Prediction(
                row["example_id"],
                row["label"],
                row["text"],
                None if row["label_logprobs"] is None else tuple(row["label_logprobs"]),
                None if row["scores"] is None else tuple(row["scores"]),
                row["raw"],
                Status(row["status"]),
                row["input_truncated"],
                row.get("strict"),
                row.get("agreement"),
            )
        )
        for metric in task.metrics:
            key = (row["model"], row["set_key"], metric.name, repeat)
            scores.setdefault(key, []).append(row[f"score_{metric.name}"])
    return RunRecord(
        schema_version=data["schema_version"],
        settings=data["settings"],
        dataset=Dataset(
            name=about["name"],
            task=task,
            labels=decode(tuple[str, ...], about["labels"], "dataset.labels"),
            examples=tuple(examples.get(CLEAN, ())),
            revision=about["revision"],
            fingerprint=about["fingerprint"],
            population=about["population"],
            notes=decode(tuple[str, ...], about["notes"], "dataset.notes"),
        ),
        splits=data["splits"],
        sets=tuple(
            dataclasses.replace(
                decode(ShiftedSet, row | {"examples": []}, f"sets[{i}]"),
                examples=tuple(examples.get(row["key"], ())),
                doses=tuple(doses.get(row["key"], ())),
                preservation=tuple(checks.get(row["key"], ())),
            )
            for i, row in enumerate(data["sets"])
        ),
        models=decode(tuple[ModelCard, ...], data["models"], "models"),
        members=decode(tuple[ModelCard, ...], data.get("members", []), "members"),
        predictions={where[:2]: tuple(rows) for where, rows in predictions.items() if not where[2]},
        scores={where[:3]: tuple(values) for where, values in scores.items() if not where[3]},
        gaps=decode(tuple[Gap, ...], data["gaps"], "gaps"),
        comparisons=decode(tuple[Comparison, ...], data["comparisons"], "comparisons"),
        near_ties=decode(dict[str, int], data["near_ties"], "near_ties"),
        warnings=decode(tuple[str, ...], data["warnings"], "warnings"),
        versions=decode(dict[str, str], data["versions"], "versions"),
        host=decode(dict[str, Any], data["host"], "host"),
        not_applicable=decode(
            tuple[NotApplicable, ...], data.get("not_applicable", []), "not_applicable"
        ),
        repeats={where: tuple(rows) for where, rows in predictions.items() if where[2]},
        repeat_scores={where: tuple(values) for where, values in scores.items() if where[3]},
        attacks=decode(tuple[AttackFigures, ...], data.get("attacks", []), "attacks"),
        analysis=decode(Analysis | None, data.get("analysis"), "analysis"),  # type: ignore[arg-type]
        gate=decode(GateResult | None, data.get("gate"), "gate"),  # type: ignore[arg-type]
        validity=decode(dict[str, Any], data.get("validity", {}), "validity"),
        human=decode(HumanCheck | None, data.get("human"), "human"),  # type: ignore[arg-type]
    )
