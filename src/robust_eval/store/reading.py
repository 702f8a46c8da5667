"""A RunRecord read back from what its files hold. Records of earlier versions have defaults in it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, TypeVar

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
    StaticFigures,
    Status,
    Target,
    TaskKind,
    Temperature,
)
from robust_eval.store.columns import column

if TYPE_CHECKING:
    import pyarrow as pa

T = TypeVar("T")


def recorded(data: dict[str, Any], examples: pa.Table, predictions: pa.Table) -> RunRecord:
    """The record; raises DataError, KeyError, TypeError or ValueError where the files do not fit."""
    about = data["dataset"]
    task = TASKS[TaskKind(about["task"])]
    texts, doses, checks = _examples(examples)
    required = {*task.fields} - {*task.optional}
    for key, members in texts.items():
        if any(not required <= example.inputs.keys() for example in members):
            raise ValueError(f"an example of {key!r} lacks one of {sorted(required)}")
    answers, scores = _answers(predictions, [metric.name for metric in task.metrics])
    return RunRecord(
        schema_version=data["schema_version"],
        settings=data["settings"],
        dataset=Dataset(
            name=about["name"],
            task=task,
            labels=decode(tuple[str, ...], about["labels"], "dataset.labels"),
            examples=tuple(texts.get(CLEAN, ())),
            revision=about["revision"],
            fingerprint=about["fingerprint"],
            population=about["population"],
            notes=decode(tuple[str, ...], about["notes"], "dataset.notes"),
        ),
        splits=data["splits"],
        sets=tuple(
            dataclasses.replace(
                decode(ShiftedSet, row | {"examples": []}, f"sets[{i}]"),
                examples=tuple(texts.get(row["key"], ())),
                doses=tuple(doses.get(row["key"], ())),
                preservation=tuple(checks.get(row["key"], ())),
            )
            for i, row in enumerate(data["sets"])
        ),
        models=decode(tuple[ModelCard, ...], data["models"], "models"),
        members=decode(tuple[ModelCard, ...], data.get("members", []), "members"),
        predictions={where[:2]: tuple(rows) for where, rows in answers.items() if not where[2]},
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
        repeats={where: tuple(rows) for where, rows in answers.items() if where[2]},
        repeat_scores={where: tuple(values) for where, values in scores.items() if where[3]},
        attacks=decode(tuple[AttackFigures, ...], data.get("attacks", []), "attacks"),
        static=decode(tuple[StaticFigures, ...], data.get("static", []), "static"),
        analysis=decode(Analysis | None, data.get("analysis"), "analysis"),  # type: ignore[arg-type]
        gate=decode(GateResult | None, data.get("gate"), "gate"),  # type: ignore[arg-type]
        validity=decode(dict[str, Any], data.get("validity", {}), "validity"),
        human=decode(HumanCheck | None, data.get("human"), "human"),  # type: ignore[arg-type]
        panel=decode(Panel | None, data.get("panel"), "panel"),  # type: ignore[arg-type]
        lines=decode(tuple[ReferenceLine, ...], data.get("lines", []), "lines"),
        temperatures=decode(tuple[Temperature, ...], data.get("temperatures", []), "temperatures"),
    )


def _examples(
    table: pa.Table,
) -> tuple[dict[str, list[Example]], dict[str, list[Dose]], dict[str, list[Preservation]]]:
    """Examples, doses and label checks by set, in the file's order."""
    examples: dict[str, list[Example]] = {}
    doses: dict[str, list[Dose]] = {}
    checks: dict[str, list[Preservation]] = {}
    keys = column(table, "set_key")
    rows = map(
        Example,
        column(table, "id"),
        _parsed(column(table, "inputs"), lambda v: decode(dict[str, str], v, "inputs")),
        _parsed(column(table, "target"), _target),
        column(table, "source_id"),
        _parsed(column(table, "meta"), lambda v: decode(dict[str, Any], v, "meta")),
    )
    for key, example in zip(keys, rows, strict=True):
        examples.setdefault(key, []).append(example)
    edits = zip(
        *(column(table, name) for name in ("edit_rate", "words_added", "changed")), strict=True
    )
    for key, (edit_rate, words_added, changed) in zip(keys, edits, strict=True):
        if edit_rate is not None:
            doses.setdefault(key, []).append(Dose(edit_rate, words_added, changed))
    stored = column(table, "preservation", default=None)
    found = _parsed(stored, lambda v: decode(Preservation, v, "preservation"))
    for key, check in zip(keys, found, strict=True):
        if check is not None:
            checks.setdefault(key, []).append(check)
    return examples, doses, checks


def _target(value: Any) -> Target:
    return value if isinstance(value, str) else tuple(str(answer) for answer in value)


def _parsed(texts: Sequence[str | None], read: Callable[[Any], T]) -> list[T]:
    """JSON texts read, each different one once; None stays None."""
    known: dict[str | None, Any] = {text: read(json.loads(text)) for text in {*texts} if text}
    known[None] = None
    return [known[text] for text in texts]


Where = tuple[str, str, int]  # model, set key, repeat


def _answers(
    table: pa.Table, metrics: Sequence[str]
) -> tuple[dict[Where, list[Prediction]], dict[tuple[str, str, str, int], list[float | None]]]:
    """Answers, and their scores by metric too, in the file's order."""
    statuses = column(table, "status")
    known = {word: Status(word) for word in {*statuses}}
    rows = list(
        map(
            Prediction,
            *(column(table, name) for name in ("example_id", "label", "text")),
            *(column(table, name) for name in ("label_logprobs", "scores", "raw")),
            [known[word] for word in statuses],
            column(table, "input_truncated"),
            *(column(table, name, default=None) for name in ("strict", "agreement")),
        )
    )
    places = zip(
        column(table, "model"),
        column(table, "set_key"),
        column(table, "repeat", default=0),  # runs of version 0.1 have no such column
        strict=True,
    )
    values = {metric: column(table, f"score_{metric}") for metric in metrics}
    answers: dict[Where, list[Prediction]] = {}
    scores: dict[tuple[str, str, str, int], list[float | None]] = {}
    start = 0
    for where, run in groupby(places):
        end = start + sum(1 for _ in run)
        answers.setdefault(where, []).extend(rows[start:end])
        model, key, repeat = where
        for metric in metrics:
            scores.setdefault((model, key, metric, repeat), []).extend(values[metric][start:end])
        start = end
    return answers, scores
