"""Names for content: the same examples have the same names wherever and in whatever order they lie."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from robust_eval import rng
from robust_eval.records import Example, Target, Task


def content_id(task: Task, inputs: Mapping[str, str], target: Target) -> str:
    """16 hex digits that name what an example says, for rows that come without an id."""
    return rng.hexdigest("example", *_content(task, inputs, target), size=8)


def fingerprint(task: Task, labels: Sequence[str], examples: Iterable[Example]) -> str:
    """32 hex digits over task, labels and every example: id, inputs, target and source.

    Sorted by id, so neither the order of the rows nor the file's name, format or compression
    matters. What is only carried along (`meta`) is left out: no model sees it.
    """
    parts: list[str | int] = ["dataset", task.kind.value, len(labels), *labels]
    for example in sorted(examples, key=lambda example: example.id):
        parts += (example.id, example.source_id)
        parts += _content(task, example.inputs, example.target)
    return rng.hexdigest(*parts)


def _content(task: Task, inputs: Mapping[str, str], target: Target) -> list[str | int]:
    answers = (target,) if isinstance(target, str) else target
    return [*(inputs[field] for field in task.fields), len(answers), *answers]
