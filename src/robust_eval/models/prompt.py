"""Prompts: a template, the words for the labels, and demonstrations drawn by seed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from robust_eval.errors import ModelError, did_you_mean
from robust_eval.models.context import ModelContext
from robust_eval.models.templates import (
    ANSWER,
    Template,
    choose_template,
    load_template,
    split_fields,
)
from robust_eval.records import Example
from robust_eval.rng import hexdigest, shuffled, stream

# Every character that str.splitlines() breaks at, with the white space around it.
_LINE_BREAKS = re.compile(r"[ \t]*[\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029]\s*")


@dataclass(frozen=True, slots=True)
class Demonstration:
    """A solved example that the prompt shows: its texts and the answer as the prompt words it."""

    id: str
    inputs: tuple[tuple[str, str], ...]
    answer: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """What stands before and around every example. `words` maps label to its words, label order."""

    template: Template
    words: tuple[tuple[str, str], ...] = ()
    demonstrations: tuple[Demonstration, ...] = ()
    listed: tuple[str, ...] = ()  # order of the labels in the instruction, where it is another

    def render(self, inputs: Mapping[str, str]) -> str:
        """The whole prompt for one example, up to where the answer starts.

        It does not end in the white space that parts it from the answer: that belongs to the
        answer, because tokenizers join a space to the word after it.
        """
        parts = [self._instruction()] if self.template.instruction else []
        parts += [
            self._head(dict(shown.inputs)) + self._gap() + self._clean(shown.answer)
            for shown in self.demonstrations
        ]
        parts.append(self._head(inputs))
        return self.template.separator.join(parts)

    def answers(self) -> tuple[str, ...]:
        """What the model may continue with, one a label, in label order: " positive"."""
        return tuple(self._gap() + words for _, words in self.words)

    def instruction(self) -> str:
        """What stands before everything else; empty when the template has none."""
        return self._instruction() if self.template.instruction else ""

    def question(self, inputs: Mapping[str, str]) -> str:
        """One example alone, up to where its answer starts: a chat turn."""
        return self._head(inputs)

    def fingerprint(self) -> str:
        """Hash of all that the model reads besides the example itself."""
        template = self.template
        return hexdigest(
            template.instruction,
            template.example,
            template.separator,
            int(template.one_line),
            *(part for pair in self.words for part in pair),
            "demonstrations",
            *(
                part
                for shown in self.demonstrations
                for part in (*(text for pair in shown.inputs for text in pair), shown.answer)
            ),
            *self.listed,
        )

    def preview(self, fields: Sequence[str]) -> str:
        """The prompt as a reader sees it, each field of the example in braces."""
        return self.render({field: f"{{{field}}}" for field in fields})

    def _instruction(self) -> str:
        words = dict(self.words)
        listed = ", ".join(words[label] for label in self.listed or words)
        segments = split_fields(self.template.instruction, self.template.name)
        return "".join(literal + (listed if field else "") for literal, field in segments)

    def _head(self, inputs: Mapping[str, str]) -> str:
        pieces = []
        for literal, field in self.template.segments:
            pieces.append(literal)
            if field is None or field == ANSWER:
                continue
            pieces.append(self._clean(inputs[field]))
        pieces[-1] = pieces[-1].rstrip()  # the last literal, which stands before {answer}
        return "".join(pieces)

    def _gap(self) -> str:
        literal = self.template.segments[-1][0]
        return literal[len(literal.rstrip()) :]

    def _clean(self, text: str) -> str:
        # Tokenizers refuse lone surrogates; loading has replaced and counted them already.
        text = text.encode("utf-8", "replace").decode("utf-8")
        if self.template.one_line:
            return _LINE_BREAKS.sub(" ", text)
        return text


def make_prompt(context: ModelContext) -> Prompt:
    """The prompt that the settings ask for, demonstrations included.

    Raises:
        ModelError: unknown template or label, labels that share their words, too few
            demonstrations.
    """
    settings = context.prompt
    template = (
        choose_template(context.task, context.labels)
        if settings.template is None
        else load_template(settings.template)
    )
    template.check(context.task)
    words = _label_words(context, template)
    return Prompt(template, words, draw_demonstrations(context, dict(words)))


def _label_words(context: ModelContext, template: Template) -> tuple[tuple[str, str], ...]:
    if not context.task.has_labels:
        return ()
    asked = dict(context.prompt.label_words)
    for label in asked:
        if label not in context.labels:
            raise ModelError(
                f"label words are given for '{label}', which is no label of the data"
                f"{did_you_mean(label, context.labels)}"
            )
    chosen = dict(template.label_words) | asked
    pairs = []
    owners: dict[str, str] = {}
    for label in context.labels:
        words = _LINE_BREAKS.sub(" ", chosen.get(label, label)).strip()
        words = words.encode("utf-8", "replace").decode("utf-8")
        if not words:
            raise ModelError(
                f"label '{label}' has no words to answer with; give some with --label-words"
            )
        if words in owners:
            raise ModelError(
                f"labels '{owners[words]}' and '{label}' are both worded '{words}'; the model "
                "cannot tell them apart: give other --label-words"
            )
        owners[words] = label
        pairs.append((label, words))
    return tuple(pairs)


def draw_demonstrations(
    context: ModelContext, words: Mapping[str, str]
) -> tuple[Demonstration, ...]:
    """`shots` demonstrations, as many of each label as can be, in a shuffled order.

    Depends on the seed and the pool's content, not on the pool's order. A label that has run out
    leaves its turn to the others.

    Raises:
        ModelError: fewer examples in the pool than shots.
    """
    shots, pool = context.prompt.shots, context.demonstrations
    if shots < 0:
        raise ModelError(f"shots must be 0 or more, not {shots}")
    if shots > len(pool):
        raise ModelError(
            f"{shots} shots asked, and the pool has {len(pool)} demonstrations; use --shots "
            f"{len(pool)} or fewer, or more training data"
        )
    if not shots:
        return ()
    turns: dict[str, list[Example]] = {}
    for example in sorted(pool, key=lambda example: example.id):
        label = str(example.target) if context.task.has_labels else ""
        turns.setdefault(label, []).append(example)
    labels = shuffled(stream(context.seed, "demonstrations", "labels"), sorted(turns))
    queues = [
        shuffled(stream(context.seed, "demonstrations", "of", label), turns[label])
        for label in labels
    ]
    drawn: list[Example] = []
    round_ = 0
    while len(drawn) < shots:
        drawn += [queue[round_] for queue in queues if round_ < len(queue)][: shots - len(drawn)]
        round_ += 1
    order = shuffled(stream(context.seed, "demonstrations", "order"), drawn)
    return tuple(_solved(example, context, words) for example in order)


def _solved(example: Example, context: ModelContext, words: Mapping[str, str]) -> Demonstration:
    target = example.target if isinstance(example.target, str) else example.target[0]
    if context.task.has_labels and target not in words:
        raise ModelError(
            f"demonstration '{example.id}' has the label '{target}'{did_you_mean(target, words)}"
        )
    return Demonstration(
        id=example.id,
        inputs=tuple((field, example.inputs[field]) for field in context.task.fields),
        answer=words[target] if context.task.has_labels else target,
    )
