"""A run record again from the score matrix inside a report: everything but texts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from robust_eval.decode import decode
from robust_eval.errors import DataError
from robust_eval.records import (
    CLEAN,
    TASKS,
    Comparison,
    Dataset,
    Dose,
    Example,
    Gap,
    GateResult,
    ModelCard,
    Prediction,
    RunRecord,
    ShiftedSet,
    TaskKind,
)
from robust_eval.report import matrix

STATUSES = {code: status for status, code in matrix.CODES.items()}


def page_record(page: str) -> RunRecord:
    """The record that the figures of a page can be computed from; texts, raw answers and doses are empty.

    Raises DataError when the page holds no matrix, or one that does not hang together.
    """
    found = matrix.unpack(page)
    try:
        return _record(found)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise DataError(
            f"the page's score matrix does not hang together ({type(error).__name__}: "
            f"{str(error)[:80]}); copy the report again"
        ) from error


def _record(found: Mapping[str, Any]) -> RunRecord:
    labels = tuple(str(label) for label in found["labels"])
    task = TASKS[TaskKind(found["task"])]
    sets: Mapping[str, Mapping[str, Any]] = found["sets"]
    clean = _examples(sets[CLEAN], sets, labels, found["targets"])
    examples = {
        key: clean if key == CLEAN else _examples(about, sets, labels, None)
        for key, about in sets.items()
    }
    predictions = {}
    for row in found["answers"]:
        ids = [e.id for e in examples[row["set"]]]
        predictions[row["model"], row["set"]] = tuple(
            Prediction(i, status=STATUSES[code], input_truncated=cut == "1")
            for i, code, cut in zip(ids, row["status"], row["cut"], strict=True)
        )
    return RunRecord(
        schema_version=matrix.FORMAT,
        settings={"level": found["level"]},
        dataset=Dataset("", task, labels, clean, "", found["fingerprint"]),
        splits={},
        sets=tuple(_set(key, sets[key], examples[key]) for key in found["order"]),
        models=tuple(
            ModelCard(m["name"], "", m["role"], m["kind"], "", True) for m in found["models"]
        ),
        predictions=predictions,
        scores={
            (row["model"], row["set"], row["metric"]): tuple(matrix.outcomes(row["values"]))
            for row in found["scores"]
        },
        gaps=decode(tuple[Gap, ...], found["gaps"], "gaps"),
        comparisons=decode(tuple[Comparison, ...], found["comparisons"], "comparisons"),
        near_ties={},
        warnings=(),
        versions={},
        host={},
        gate=decode(GateResult | None, found["gate"], "gate"),  # type: ignore[arg-type]
    )


def _examples(
    about: Mapping[str, Any],
    sets: Mapping[str, Mapping[str, Any]],
    labels: tuple[str, ...],
    targets: Any,
) -> tuple[Example, ...]:
    ids = sets[CLEAN]["ids"] if about["ids"] == CLEAN else about["ids"]
    clusters = about["clusters"] or ids
    known = [""] * len(ids) if not targets else ["" if t is None else labels[t] for t in targets]
    return tuple(
        Example(str(i), {}, target, str(cluster))
        for i, cluster, target in zip(ids, clusters, known, strict=True)
    )


def _set(key: str, about: Mapping[str, Any], examples: tuple[Example, ...]) -> ShiftedSet:
    return ShiftedSet(
        about["family"],
        about["shift"],
        key,
        about["severity"],
        about["seed"],
        about["paired"],
        examples,
        tuple(Dose(0.0, 0, bit == "1") for bit in about["changed"]),
        prompt_edit=about["prompt_edit"],
    )
