"""A RunRecord as files hold it: run.json, and tables of examples and of predictions."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

from robust_eval.records import CLEAN, Dose, Example, Preservation, RunRecord, ShiftedSet

if TYPE_CHECKING:
    import pyarrow as pa

PLAIN = ("example_id", "label", "text", "raw", "input_truncated")  # stored as they are
NOT_IN_JSON = ("examples", "doses", "preservation", "demonstrations")  # of sets


def run_json(record: RunRecord) -> dict[str, Any]:
    """What run.json holds: all but the examples and the predictions."""
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
        "sets": [_set_json(shifted) for shifted in record.sets],
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
        "static": [dataclasses.asdict(figures) for figures in record.static],
        "not_applicable": [dataclasses.asdict(entry) for entry in record.not_applicable],
        "analysis": None if record.analysis is None else dataclasses.asdict(record.analysis),
        "gate": None if record.gate is None else dataclasses.asdict(record.gate),
        "validity": dict(record.validity),
        "human": None if record.human is None else dataclasses.asdict(record.human),
        "panel": None if record.panel is None else dataclasses.asdict(record.panel),
        "temperatures": [dataclasses.asdict(fitted) for fitted in record.temperatures],
        "lines": [dataclasses.asdict(line) for line in record.lines],
    }


def _set_json(shifted: ShiftedSet) -> dict[str, Any]:
    bare = dataclasses.asdict(
        dataclasses.replace(shifted, examples=(), doses=(), preservation=(), demonstrations=())
    )
    return {name: value for name, value in bare.items() if name not in NOT_IN_JSON}


def example_table(record: RunRecord) -> pa.Table:
    """One row for each example of the clean set and of every shifted one."""
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


def prediction_table(record: RunRecord) -> pa.Table:
    """One row for each answer, repeats included, with its score by every metric."""
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
