"""A RunRecord read back from what its files hold. Records of earlier versions have defaults in it."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from robust_eval.decode import decode
from robust_eval.records import (
    CLEAN,
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
    Panel,
    Prediction,
    Preservation,
    ReferenceLine,
    RunRecord,
    ShiftedSet,
    Status,
    TaskKind,
)


def recorded(
    data: dict[str, Any], example_rows: list[dict[str, Any]], prediction_rows: list[dict[str, Any]]
) -> RunRecord:
    """The record; raises DataError, KeyError, TypeError or ValueError where the files do not fit."""
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
        panel=decode(Panel | None, data.get("panel"), "panel"),  # type: ignore[arg-type]
        lines=decode(tuple[ReferenceLine, ...], data.get("lines", []), "lines"),
    )
