"""The tasks: which texts an example has, which of them noise may touch, and how answers are scored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class TaskKind(StrEnum):
    CLASSIFICATION = "classification"
    PAIR = "pair"
    EXTRACTIVE_QA = "extractive-qa"
    OPEN_QA = "open-qa"
    MATH = "math"
    MULTIPLE_CHOICE = "multiple-choice"
    BOOLEAN_QA = "boolean-qa"


@dataclass(frozen=True, slots=True)
class Metric:
    """A per-example figure in [0, 1]; direction is data, not an assumption."""

    name: str
    higher_is_better: bool = True


@dataclass(frozen=True, slots=True)
class Task:
    kind: TaskKind
    fields: tuple[str, ...]  # every text field an example has, in prompt order
    perturbable: tuple[str, ...]  # those that noise may touch
    metrics: tuple[Metric, ...]  # the first is the one that verdicts rest on
    optional: tuple[str, ...] = ()  # fields that a data set may lack; they are empty then

    @property
    def has_labels(self) -> bool:
        return self.kind in LABELLED


LABELLED = frozenset(
    (TaskKind.CLASSIFICATION, TaskKind.PAIR, TaskKind.MULTIPLE_CHOICE, TaskKind.BOOLEAN_QA)
)
ACCURACY = Metric("accuracy")
EXACT_MATCH = Metric("exact-match")
F1 = Metric("f1")

TASKS: Mapping[TaskKind, Task] = {
    task.kind: task
    for task in (
        Task(TaskKind.CLASSIFICATION, ("text",), ("text",), (ACCURACY,)),
        Task(TaskKind.PAIR, ("premise", "hypothesis"), ("premise", "hypothesis"), (ACCURACY,)),
        Task(TaskKind.EXTRACTIVE_QA, ("context", "question"), ("question",), (EXACT_MATCH, F1)),
        Task(TaskKind.OPEN_QA, ("question",), ("question",), (EXACT_MATCH, F1)),
        Task(TaskKind.MATH, ("question",), ("question",), (EXACT_MATCH,)),
        Task(TaskKind.MULTIPLE_CHOICE, ("question", "options"), ("question",), (ACCURACY,)),
        Task(
            TaskKind.BOOLEAN_QA, ("context", "question"), ("question",), (ACCURACY,), ("context",)
        ),
    )
}
