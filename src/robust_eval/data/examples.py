"""Rows as examples: columns become fields, cells become strings, and every surprise is told or counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from robust_eval.data.columns import label_column, resolve_columns, resolve_task
from robust_eval.data.fingerprint import content_id
from robust_eval.data.options import letter_of, options_of
from robust_eval.data.source import MAX_ROWS, Row, Source
from robust_eval.data.values import (
    MAX_NAME,
    Cleaning,
    answers_of,
    final_answer,
    label_of,
    plain,
    replace_unsafe,
    text_of,
)
from robust_eval.errors import DataError, did_you_mean
from robust_eval.records import Example, Target, Task, TaskKind

NO_LABEL = "-"  # in a label map: rows without a label, and the name that leaves rows out
MAX_LABELS = 500  # distinct labels: more is an id or a text in the label column


@dataclass(frozen=True, slots=True)
class Loaded:
    """The examples of a source, their task, and what was changed or left out."""

    task: Task
    examples: tuple[Example, ...]
    notes: tuple[str, ...]
    rows: int  # rows of the source before `keep`


def read_examples(
    source: Source,
    *,
    task: TaskKind | str | None = None,
    columns: Mapping[str, str] | None = None,
    label_map: Mapping[str, str] | None = None,
    keep: Callable[[Mapping[str, str]], bool] | None = None,
) -> Loaded:
    """Every row of a source as an `Example`; with `keep`, those whose inputs pass it."""
    chosen = {**source.columns, **(columns or {})}
    mapping = _label_map({**source.label_map, **(label_map or {})})
    reader: _Reader | None = None
    for number, row in enumerate(source.rows(), 1):
        if number > MAX_ROWS:
            raise DataError(f"{source.spec}: more than {MAX_ROWS:,} rows; give a part of it")
        if reader is None:
            found = [str(column) for column in row.values]
            resolved = resolve_columns(source.spec, found, chosen)
            kind = resolve_task(source.spec, task, resolved, found, columns or {})
            reader = _Reader(source, kind, resolved, mapping, keep)
        reader.read(row)
    if reader is None:
        raise DataError(f"{source.spec}: empty; at least one row below the column names is needed")
    return reader.finish()


def _label_map(mapping: Mapping[str, str]) -> dict[str, str]:
    """Raw label -> name, raw labels spelt as they are read, so that `1.0=positive` meets the label 1.

    Inside, the raw label "" is that of rows without one, and the name "" leaves rows out; a user writes `-` for both.
    """
    return {
        "" if key.strip() == NO_LABEL else plain(key) or "": (
            "" if name.strip() == NO_LABEL else name.strip()
        )
        for key, name in mapping.items()
    }


class _Reader:
    def __init__(
        self,
        source: Source,
        task: Task,
        columns: Mapping[str, str],
        label_map: Mapping[str, str],
        keep: Callable[[Mapping[str, str]], bool] | None,
    ) -> None:
        self.source = source
        self.task = task
        self.columns = columns
        self.label_column = label_column(task, columns) if task.has_labels else ""
        self.label_map = label_map
        self.only_leaves_out = not any(label_map.values())  # then other labels stay as they are
        self.keep = keep
        self.cleaning = Cleaning()
        self.examples: list[Example] = []
        self.seen: dict[str, int] = {}  # id -> where its example lies
        self.copies: dict[str, int] = {}  # content -> rows that said it, for rows without ids
        self.places: list[str] = []
        self.labels: set[str] = set()
        self.unlabelled: list[str] = []
        self.rows = 0

    def read(self, row: Row) -> None:
        where = f"{self.source.spec}, {row.place}"
        names: tuple[str, ...] = ()
        inputs = {}
        for name in self.task.fields:
            if name == "options":
                names, inputs[name] = options_of(
                    where, self._value(where, row, name), self.cleaning
                )
            elif name in self.columns or name not in self.task.optional:
                value = self._value(where, row, name)
                inputs[name] = text_of(where, name, value, self.cleaning)
            else:
                inputs[name] = ""
        meta: dict[str, str] = {}
        target: Target
        if self.task.has_labels:
            label = self._label(where, row)
            if label is None:
                return
            target = letter_of(where, label, names) if names else label
        else:
            target = answers_of(where, self._value(where, row, "answers"), self.cleaning)
            if self.task.kind is TaskKind.MATH:
                target, meta = _math_target(target)
        if "rationale" in self.columns and (told := row.values.get(self.columns["rationale"])):
            meta["rationale"] = text_of(where, "rationale", told, self.cleaning)
        self.rows += 1
        if self.keep is None or self.keep(inputs):
            self._add(where, row, inputs, target, meta)

    def _value(self, where: str, row: Row, name: str) -> object:
        return self._at(where, row, self.columns[name])

    def _at(self, where: str, row: Row, column: str) -> object:
        if column not in row.values:
            raise DataError(f"{where}: no '{column}'; every row needs the columns of the first")
        return row.values[column]

    def _label(self, where: str, row: Row) -> str | None:
        """The row's label by name, or None when the row is left out."""
        names = self.source.label_names.get(self.label_column)
        raw = label_of(where, self._at(where, row, self.label_column), names, self.cleaning)
        if raw is None and self.label_map.get("") != "":
            self.unlabelled.append(row.place)  # told at the end, with their number
            return None
        name = raw
        if self.label_map:
            name = self.label_map.get(raw or "", raw if self.only_leaves_out else None)
            if name is None:
                known = [key for key in self.label_map if key]
                raise DataError(
                    f"{where}: label '{raw}' is not in the label map{did_you_mean(str(raw), known)};"
                    f" add --label-map {raw}=NAME, or {raw}=- to leave such rows out"
                )
        if not name:
            self.cleaning.counts[f"rows left out: {f'label {raw!r}' if raw else 'no label'}"] += 1
            return None
        self.labels.add(name)
        if len(self.labels) > MAX_LABELS:
            raise DataError(
                f"{self.source.spec}: more than {MAX_LABELS} different labels in column"
                f" '{self.columns['label']}'; is that the label column? (--column label=COLUMN)"
            )
        return name

    def _add(
        self, where: str, row: Row, inputs: dict[str, str], target: Target, meta: dict[str, str]
    ) -> None:
        given = self._name(where, row, "id")
        if given is None and "id" in self.columns:
            raise DataError(f"{where}: empty id; fill it in, or leave the column out")
        if given is None:
            name = content_id(self.task, inputs, target)
            self.copies[name] = copy = self.copies.get(name, 0) + 1
            name += f"-{copy}" if copy > 1 else ""
        else:
            name = given
            if name in self.seen:
                self._same_id(where, name, inputs, target)
                return
            self.seen[name] = len(self.examples)
            self.places.append(row.place)
        source_id = self._name(where, row, "source_id") or name
        self.examples.append(Example(name, inputs, target, source_id, meta))

    def _same_id(self, where: str, name: str, inputs: Mapping[str, str], target: Target) -> None:
        index = self.seen[name]
        first = self.examples[index]
        if first.inputs != inputs or first.target != target:
            raise DataError(
                f"{where}: id '{name}' already stands for another example ({self.places[index]});"
                " make ids unique, or leave the column out"
            )
        self.cleaning.counts["rows repeated with the same id left out"] += 1

    def _name(self, where: str, row: Row, name: str) -> str | None:
        value = row.values.get(self.columns[name]) if name in self.columns else None
        try:
            text = value.strip() if isinstance(value, str) else plain(value)
        except TypeError as error:
            raise DataError(f"{where}: '{name}' is a {error}, not a word or a number") from None
        if text and len(text) > MAX_NAME:
            raise DataError(f"{where}: '{name}' has {len(text):,} characters; at most {MAX_NAME}")
        return replace_unsafe(text, self.cleaning) if text else None

    def finish(self) -> Loaded:
        where = self.source.spec
        if self.unlabelled:
            self._refuse_unlabelled()
        if not self.rows:
            raise DataError(f"{where}: no row is left after the label map")
        for name in self.task.fields if self.keep is None else ():
            blank = sum(not example.inputs[name].strip() for example in self.examples)
            if blank and name in self.task.optional:
                continue
            if blank == len(self.examples):
                remedy = "give --task open-qa" if name == "context" else "is that the right column?"
                raise DataError(f"{where}: '{name}' is empty or white space in every row; {remedy}")
            if blank:
                self.cleaning.counts[f"examples whose {name} is empty or white space"] = blank
        if self.task.kind is TaskKind.EXTRACTIVE_QA:
            self._count_absent_answers()
        notes = (*self.source.notes, *self.cleaning.notes())
        return Loaded(self.task, tuple(self.examples), notes, self.rows)

    def _refuse_unlabelled(self) -> None:
        missing, rows = len(self.unlabelled), len(self.unlabelled) + self.rows
        remedy = (
            "fill them in, or leave such rows out with --label-map=-=-"
            if self.rows
            else "choose the split or the column that has the labels"
        )
        raise DataError(
            f"{self.source.spec}: {missing:,} of {rows:,} rows have no label, first"
            f" {self.unlabelled[0]}; {remedy}"
        )

    def _count_absent_answers(self) -> None:
        absent = sum(
            not any(answer in example.inputs["context"] for answer in example.target)
            for example in self.examples
        )
        if absent:
            self.cleaning.counts["examples with no answer in the context as written"] = absent


def _math_target(answers: Sequence[str]) -> tuple[Target, dict[str, str]]:
    finals = [final_answer(answer) for answer in answers]
    rationale = next((reason for _, reason in finals if reason), "")
    return tuple(dict.fromkeys(final for final, _ in finals)), (
        {"rationale": rationale} if rationale else {}
    )
