"""A run record again from the score matrix inside a report: everything but texts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from robust_eval.decode import decode
from robust_eval.errors import DataError
from robust_eval.records import (
    CLEAN,
    TASKS,
    Analysis,
    Comparison,
    Dataset,
    Dose,
    Example,
    Gap,
    GateResult,
    ModelCard,
    Panel,
    Prediction,
    Preservation,
    ReferenceLine,
    RunRecord,
    ShiftedSet,
    TaskKind,
    Temperature,
)
from robust_eval.report import matrix

# Whether an example is a suspect is all that figures need of its checks.
SOUND = Preservation(0.0, None, 0.0, False, True, 1.0, 0.0)
SUSPECT = Preservation(0.0, None, 0.0, False, True, 1.0, 1.0, ("suspect",))
READINGS = {code: strict for strict, code in matrix.READ.items()}
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
        predictions[row["model"], row["set"]] = _answers(row, ids, labels)
    ids = [e.id for e in clean]
    repeats = {
        (row["model"], row["set"], row["repeat"]): _answers(row, ids, labels)
        for row in found["repeats"]
    }
    return RunRecord(
        schema_version=matrix.FORMAT,
        settings={"level": found["level"], "equal_budgets": found["equal_budgets"]},
        dataset=Dataset("", task, labels, clean, "", found["fingerprint"]),
        splits={"fingerprints": {"dataset": found.get("origin") or ""}},
        sets=tuple(
            _set(key, sets[key], examples[key], str(found.get("sources", {}).get(key, "")))
            for key in found["order"]
        ),
        models=tuple(
            ModelCard(
                m["name"],
                m["spec"],
                m["role"],
                m["kind"],
                m.get("prints", [""])[0],
                True,
                details=m["budget"],
                members=tuple(m["members"]),
            )
            for m in found["models"]
        ),
        members=tuple(
            ModelCard(name, m["spec"], m["role"], m["kind"], fingerprint, True)
            for m in found["models"]
            for name, fingerprint in zip(m["members"], m.get("prints", [""])[1:], strict=False)
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
        repeats=repeats,
        repeat_scores={
            (row["model"], row["set"], row["metric"], row["repeat"]): tuple(
                matrix.outcomes(row["values"])
            )
            for row in found["repeat_scores"]
        },
        analysis=decode(Analysis | None, found["analysis"], "analysis"),  # type: ignore[arg-type]
        gate=decode(GateResult | None, found["gate"], "gate"),  # type: ignore[arg-type]
        panel=decode(Panel | None, found.get("panel"), "panel"),  # type: ignore[arg-type]
        lines=decode(tuple[ReferenceLine, ...], found.get("lines", []), "lines"),
        temperatures=decode(tuple[Temperature, ...], found.get("temperatures", []), "temperatures"),
        scaled={
            (row["model"], row["set"]): tuple(
                None if value is None else value / matrix.SURE for value in row["scaled"]
            )
            for row in found["answers"]
            if "scaled" in row
        },
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


def _answers(
    row: Mapping[str, Any], ids: list[str], labels: tuple[str, ...]
) -> tuple[Prediction, ...]:
    """Answers as far as figures need them: status, confidence, and which repeats agree."""
    n = len(ids)
    rows = zip(
        ids,
        row["status"],
        row["cut"],
        row.get("sure", [None] * n),
        row.get("says", [None] * n),
        row.get("strict", matrix.READ[None] * n),
        strict=True,
    )
    found = []
    for i, code, cut, sure, says, read in rows:
        label = labels[says or 0] if labels and (says is not None or sure is not None) else None
        text = None if says is None or labels else str(says)
        scores = None
        if sure is not None and label is not None:
            log = math.log(sure / matrix.SURE) if sure else -math.inf
            scores = tuple(log if name == label else -math.inf for name in labels)
        found.append(
            Prediction(
                i,
                label=label,
                text=text,
                scores=scores,
                status=STATUSES[code],
                input_truncated=cut == "1",
                strict=READINGS[read],
            )
        )
    return tuple(found)


def _set(
    key: str, about: Mapping[str, Any], examples: tuple[Example, ...], source: str
) -> ShiftedSet:
    return ShiftedSet(
        about["family"],
        about["shift"],
        key,
        about["severity"],
        about["seed"],
        about["paired"],
        examples,
        tuple(Dose(about["dose"] or 0.0, 0, bit == "1") for bit in about["changed"]),
        built_against=about.get("built_against"),
        prompt_edit=about["prompt_edit"],
        source=source,
        preservation=tuple(SUSPECT if bit == "1" else SOUND for bit in about["suspect"]),
    )
