"""Prompt templates as data: the built-in ones, and the user's own from a TOML file."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from string import Formatter
from typing import Any

from robust_eval.errors import ModelError, did_you_mean
from robust_eval.records import Task, TaskKind

ANSWER = "answer"
MAX_TEMPLATE_BYTES = 64 * 1024  # a prompt template is a page of text, not a data file
MAX_NEW_TOKENS = 1024

_KEYS: Mapping[str, type | tuple[type, ...]] = {
    "summary": str,
    "tasks": list,
    "labels": list,
    "instruction": str,
    "example": str,
    "separator": str,
    "one_line": bool,
    "label_words": dict,
    "max_new_tokens": int,
    "paraphrase": list,
    "version": int,
    "automatic": bool,
    "reasoning": bool,
    "answer_mark": str,
    "stop": list,
    "label_synonyms": dict,
}
MAX_PARAPHRASES = 50
_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")

Segments = tuple[tuple[str, str | None], ...]
"""Literal text and the field that follows it; the last field may be None."""


@dataclass(frozen=True, slots=True)
class Template:
    """The fixed parts of a prompt. `example` ends in `{answer}`, which a query leaves open.

    `one_line` collapses line breaks inside texts to one space, so that a text cannot pose as
    another demonstration. `labels`, when given, says which labels the template is made for.
    """

    name: str
    example: str
    summary: str = ""
    instruction: str = ""
    separator: str = "\n\n"
    one_line: bool = True
    tasks: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    label_words: tuple[tuple[str, str], ...] = ()
    max_new_tokens: int = 0  # 0: what the settings say; else at least this many
    paraphrases: tuple[tuple[str, str], ...] = ()  # (instruction, example) that ask for the same
    label_synonyms: tuple[tuple[str, tuple[str, ...]], ...] = ()  # other words for a label
    version: int = 1  # raised when the wording changes
    automatic: bool = True  # whether it may be chosen when none is named
    reasoning: bool = False  # the answer is a chain of reasoning, then `answer_mark` and the answer
    answer_mark: str = "The answer is"
    stop: tuple[str, ...] = ()  # texts that end a written answer

    @property
    def segments(self) -> Segments:
        return split_fields(self.example, self.name)

    @property
    def stops(self) -> tuple[str, ...]:
        """Texts that end a written answer: those of the template, else what starts another example."""
        if self.stop:
            return self.stop
        if not self.reasoning:
            return ("\n",)
        opening = self.segments[0][0].strip().split("\n", 1)[0]
        blank = ("\n\n",) if "\n\n" in self.separator else (self.separator,)
        return (*blank, f"\n{opening}") if opening else blank

    def paraphrased(self, number: int) -> Template:
        """The template in the words of one of its paraphrases, counted from 0."""
        instruction, example = self.paraphrases[number]
        return replace(self, instruction=instruction, example=example)

    def check(self, task: Task) -> None:
        """Raises ModelError unless the template suits the task and names only its fields."""
        for number in range(len(self.paraphrases)):
            replace(self.paraphrased(number), paraphrases=()).check(task)
        if self.tasks and task.kind.value not in self.tasks:
            raise ModelError(
                f"template '{self.name}' is for {', '.join(self.tasks)}, not for {task.kind.value};"
                f" choose another --template"
            )
        known = {*task.fields, ANSWER}
        used = [field for _, field in self.segments if field is not None]
        for field in used:
            if field not in known:
                raise ModelError(
                    f"template '{self.name}' uses the unknown field '{{{field}}}'"
                    f"{did_you_mean(field, known)}"
                )
        if not set(used) - {ANSWER}:
            raise ModelError(
                f"template '{self.name}' shows no text of the example: use at least one of "
                + ", ".join(f"{{{field}}}" for field in task.fields)
            )
        for _, named in split_fields(self.instruction, self.name):
            if named not in (None, "labels"):
                raise ModelError(
                    f"instruction of template '{self.name}' uses '{{{named}}}'; only {{labels}} is"
                    " known there"
                )
        if not task.has_labels and "{labels}" in self.instruction:
            raise ModelError(f"template '{self.name}' lists labels, and {task.kind.value} has none")


def split_fields(text: str, name: str) -> Segments:
    """The text cut at its `{field}`s; `{{` and `}}` are braces.

    Only plain names are allowed: no attribute, index, conversion or format.
    """
    segments: list[tuple[str, str | None]] = []
    try:
        for literal, field, spec, conversion in Formatter().parse(text):
            if field is not None and (spec or conversion or not _FIELD.match(field)):
                raise ModelError(
                    f"template '{name}' has '{{{field}}}' where only a plain field name is allowed;"
                    " write '{{' and '}}' for braces"
                )
            segments.append((literal, field))
    except ValueError as error:
        raise ModelError(
            f"template '{name}' has unbalanced braces ({error}); write '{{{{' and '}}}}' for braces"
        ) from error
    return tuple(segments)


def built_in_names() -> tuple[str, ...]:
    """Names of the templates that come with the package, sorted."""
    folder = files("robust_eval.models") / "templates"
    return tuple(
        sorted(
            entry.name.removesuffix(".toml")
            for entry in folder.iterdir()
            if entry.name.endswith(".toml")
        )
    )


def load_template(name: str) -> Template:
    """A built-in template by name, or the user's own by path (contains `/` or ends in `.toml`).

    Raises:
        ModelError: unknown name, unreadable file, unknown key or wrong type.
    """
    if "/" in name or "\\" in name or name.endswith(".toml"):
        return _from_text(Path(name).stem, _read(Path(name)), name)
    if name not in built_in_names():
        raise ModelError(
            f"unknown template '{name}'{did_you_mean(name, built_in_names())}; "
            "a file of your own needs a '/' or the ending '.toml'"
        )
    text = (files("robust_eval.models") / "templates" / f"{name}.toml").read_text("utf-8")
    return _from_text(name, text, f"{name}.toml")


def choose_template(task: Task, labels: tuple[str, ...], *, reasoning: bool = False) -> Template:
    """The built-in template for a task: made for these very labels first, then the general one."""
    general: Template | None = None
    for name in built_in_names():
        template = load_template(name)
        if task.kind.value not in template.tasks or not template.automatic:
            continue
        if template.reasoning != reasoning:
            continue
        if template.labels:
            if labels and set(labels) <= set(template.labels):
                return template
        elif general is None:
            general = template
    if general is None:
        what = "chain-of-thought template" if reasoning else "template"
        raise ModelError(f"no built-in {what} for {task.kind.value}; give one with --template")
    return general


def describe_templates() -> list[tuple[str, ...]]:
    """Rows of name, version, tasks, prompting, paraphrases and summary."""
    return [
        (
            name,
            str(template.version),
            ", ".join(template.tasks) or "any",
            "cot" if template.reasoning else "direct",
            str(len(template.paraphrases)),
            template.summary,
        )
        for name in built_in_names()
        for template in (load_template(name),)
    ]


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_TEMPLATE_BYTES + 1)
    except OSError as error:
        raise ModelError(
            f"template '{path}' cannot be read ({error.strerror or error}); check the path"
        ) from error
    if len(raw) > MAX_TEMPLATE_BYTES:
        raise ModelError(
            f"template '{path}' is over {MAX_TEMPLATE_BYTES // 1024} KiB; is it the right file?"
        )
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ModelError(f"template '{path}' is not UTF-8; save it as UTF-8") from error


def _from_text(name: str, text: str, where: str) -> Template:
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ModelError(f"template '{where}' is not valid TOML: {error}") from error
    for key, value in table.items():
        if key not in _KEYS:
            raise ModelError(f"unknown key '{key}' in template '{where}'{did_you_mean(key, _KEYS)}")
        wanted = _KEYS[key]
        if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
            raise ModelError(f"'{key}' in template '{where}' has the wrong type: {value!r}")
    if "example" not in table:
        raise ModelError(f"template '{where}' has no 'example'; it is the one required key")
    if not 0 <= table.get("max_new_tokens", 0) <= MAX_NEW_TOKENS:
        raise ModelError(
            f"'max_new_tokens' in template '{where}' must lie in 0 to {MAX_NEW_TOKENS}, not "
            f"{table['max_new_tokens']}"
        )
    tasks = _texts(table, "tasks", where)
    kinds = [kind.value for kind in TaskKind]
    for task in tasks:
        if task not in kinds:
            raise ModelError(
                f"unknown task '{task}' in template '{where}'{did_you_mean(task, kinds)}"
            )
    words = table.get("label_words", {})
    if not all(isinstance(word, str) for word in words.values()):
        raise ModelError(f"'label_words' in template '{where}' must map labels to words")
    template = Template(
        name=name,
        example=table["example"],
        summary=table.get("summary", ""),
        instruction=table.get("instruction", ""),
        separator=table.get("separator", "\n\n"),
        one_line=table.get("one_line", True),
        tasks=tasks,
        labels=_texts(table, "labels", where),
        label_words=tuple(words.items()),
        max_new_tokens=table.get("max_new_tokens", 0),
        paraphrases=_paraphrases(table, where),
        label_synonyms=_synonyms(table, where),
        version=table.get("version", 1),
        automatic=table.get("automatic", True),
        reasoning=table.get("reasoning", False),
        answer_mark=table.get("answer_mark", "The answer is"),
        stop=_texts(table, "stop", where),
    )
    if not template.answer_mark.strip() or any(not text for text in template.stop):
        raise ModelError(f"template '{where}': answer_mark and the texts of stop must not be empty")
    for example in (template.example, *(example for _, example in template.paraphrases)):
        segments = split_fields(example, name)
        fields = [field for _, field in segments if field is not None]
        if fields.count(ANSWER) != 1 or segments[-1][1] != ANSWER:
            raise ModelError(
                f"'example' in template '{where}' must end in {{answer}}, once: the model continues "
                "from there"
            )
    return template


def _paraphrases(table: Mapping[str, Any], where: str) -> tuple[tuple[str, str], ...]:
    """(instruction, example) of every [[paraphrase]]; what one leaves out stays as it is."""
    found = []
    for entry in table.get("paraphrase", []):
        known = {"instruction", "example"}
        if not isinstance(entry, dict) or not entry or not set(entry) <= known:
            raise ModelError(
                f"a [[paraphrase]] in template '{where}' holds an instruction, an example or both, "
                f"not {entry!r:.80}"
            )
        if not all(isinstance(value, str) for value in entry.values()):
            raise ModelError(f"a [[paraphrase]] in template '{where}' must hold texts")
        original = (table.get("instruction", ""), table["example"])
        pair = (entry.get("instruction", original[0]), entry.get("example", original[1]))
        if pair == original or pair in found:
            raise ModelError(f"a [[paraphrase]] in template '{where}' says nothing new: {pair!r}")
        found.append(pair)
    if len(found) > MAX_PARAPHRASES:
        raise ModelError(f"template '{where}' has more than {MAX_PARAPHRASES} paraphrases")
    return tuple(found)


def _synonyms(table: Mapping[str, Any], where: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    found = table.get("label_synonyms", {})
    for words in found.values():
        if not isinstance(words, list) or not words or not all(isinstance(w, str) for w in words):
            raise ModelError(
                f"'label_synonyms' in template '{where}' must map labels to lists of words"
            )
    return tuple((label, tuple(words)) for label, words in found.items())


def _texts(table: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    values = table.get(key, [])
    if not all(isinstance(value, str) for value in values):
        raise ModelError(f"'{key}' in template '{where}' must be a list of texts")
    return tuple(values)
