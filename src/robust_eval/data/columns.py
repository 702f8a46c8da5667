"""Which column holds which field, and which task that makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from robust_eval.errors import DataError, did_you_mean
from robust_eval.records import TASKS, Task, TaskKind

# Column names taken without being told, first the field's own. GLUE's names are the second ones.
KNOWN_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "text": ("text", "sentence"),
    "premise": ("premise", "sentence1"),
    "hypothesis": ("hypothesis", "sentence2"),
    "context": ("context",),
    "question": ("question",),
    "options": ("options", "choices"),
    "label": ("label",),
    "rationale": ("rationale",),
    "answers": ("answers", "answer"),
    "id": ("id", "idx"),
    "source_id": ("source_id", "original_id"),
}
OPTIONAL = ("id", "source_id", "rationale")
# Their label may stand in the column of the answer: "A", or "yes".
ANSWERED_BY_LABEL = (TaskKind.MULTIPLE_CHOICE, TaskKind.BOOLEAN_QA)
# The order is the order of trying: whatever has a context is not also open-ended. Math, choices and
# yes or no look like open questions, so they are only ever asked for.
INFERRED = (TaskKind.EXTRACTIVE_QA, TaskKind.OPEN_QA, TaskKind.PAIR, TaskKind.CLASSIFICATION)


def required_fields(task: Task) -> tuple[str, ...]:
    """Every field a row must have for a task, the target last."""
    fields = (field for field in task.fields if field not in task.optional)
    return (*fields, "label" if task.has_labels else "answers")


def label_column(task: Task, resolved: Mapping[str, str]) -> str:
    """Where a row's label is: in the column of the answer too, for choices and yes or no."""
    if "label" not in resolved and task.kind in ANSWERED_BY_LABEL:
        return resolved["answers"]
    return resolved["label"]


def resolve_columns(where: str, found: Sequence[str], columns: Mapping[str, str]) -> dict[str, str]:
    """Field -> column, for every field that some column holds.

    `columns` overrules the known names. Raises: DataError for a field or a column that does not exist, and when
    two columns could be the same field.
    """
    resolved: dict[str, str] = {}
    for name, column in columns.items():
        field = "answers" if name == "answer" else name
        if field not in KNOWN_COLUMNS:
            raise DataError(
                f"unknown field '{name}' for column '{column}'{did_you_mean(name, KNOWN_COLUMNS)}"
            )
        if column not in found:
            raise DataError(
                f"{where}: no column '{column}' for '{name}'{did_you_mean(column, found)}"
                f" (columns: {listed(found)})"
            )
        resolved[field] = column
    for field, names in KNOWN_COLUMNS.items():
        present = [name for name in names if name in found and name not in resolved.values()]
        if field in resolved or not present:
            continue
        if len(present) > 1 and names[0] not in present:
            raise DataError(
                f"{where}: '{field}' could be column {' or '.join(present)};"
                f" say which with --column {field}={present[0]}"
            )
        resolved[field] = present[0]
    return resolved


def resolve_task(
    where: str,
    task: TaskKind | str | None,
    resolved: Mapping[str, str],
    found: Sequence[str],
    chosen: Mapping[str, str],
) -> Task:
    """The task asked for, or the one task that the columns fit.

    `chosen` are the columns the user named: a task that leaves one of them unused is not meant.
    """
    if task is not None:
        try:
            wanted = TASKS[TaskKind(task)]
        except ValueError:
            raise DataError(f"unknown task '{task}'{did_you_mean(str(task), TaskKind)}") from None
        _check_fields(where, wanted, resolved, found)
        return wanted
    named = {"answers" if name == "answer" else name for name in chosen} - set(OPTIONAL)
    fitting = [
        TASKS[kind]
        for kind in INFERRED
        if all(field in resolved for field in required_fields(TASKS[kind]))
        and named <= set(required_fields(TASKS[kind]))
    ]
    if fitting and fitting[0].kind is TaskKind.EXTRACTIVE_QA:
        fitting = [other for other in fitting if other.kind is not TaskKind.OPEN_QA]
    if len(fitting) > 1:
        kinds = " or ".join(fit.kind.value for fit in fitting)
        raise DataError(f"{where}: the columns fit {kinds}; say which with --task")
    if not fitting:
        raise DataError(_no_task(where, resolved, found))
    return fitting[0]


def listed(columns: Sequence[str]) -> str:
    """At most 20 column names, for a message."""
    names = [str(column)[:60] for column in columns]
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")


def _check_fields(
    where: str, task: Task, resolved: Mapping[str, str], found: Sequence[str]
) -> None:
    missing = [field for field in required_fields(task) if field not in resolved]
    if missing == ["label"] and task.kind in ANSWERED_BY_LABEL and "answers" in resolved:
        missing = []
    if missing:
        field = missing[0]
        raise DataError(
            f"{where}: no column for '{field}', which {task.kind} needs{_near(field, found)};"
            f" columns: {listed(found)}; name it with --column {field}=COLUMN"
        )


def _no_task(where: str, resolved: Mapping[str, str], found: Sequence[str]) -> str:
    """What is missing for the task that most fields are there for, or what any task would need."""

    def missing(kind: TaskKind) -> list[str]:
        return [field for field in required_fields(TASKS[kind]) if field not in resolved]

    partly = [
        kind for kind in INFERRED if 0 < len(missing(kind)) < len(required_fields(TASKS[kind]))
    ]
    if partly:
        kind = min(partly, key=lambda kind: len(missing(kind)))
        field = missing(kind)[0]
        return (
            f"{where}: no column for '{field}', which {kind} needs{_near(field, found)};"
            f" columns: {listed(found)}; name it with --column {field}=COLUMN"
        )
    wanted = "; ".join(f"{'+'.join(required_fields(TASKS[kind]))} ({kind})" for kind in INFERRED)
    return (
        f"{where}: no task fits the columns {listed(found)}; wanted {wanted};"
        " name them with --column text=COLUMN"
    )


def _near(field: str, found: Sequence[str]) -> str:
    known = KNOWN_COLUMNS[field]
    for name in known:
        suggestion = did_you_mean(name, found)
        if suggestion.startswith("; did you mean"):
            return suggestion
    return ""
