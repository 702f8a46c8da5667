"""Prompts: a template, the words for the labels, and demonstrations drawn by seed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from robust_eval.errors import ModelError, did_you_mean
from robust_eval.models.context import ModelContext
from robust_eval.models.demonstrations import Demonstration, draw_demonstrations, nearest
from robust_eval.models.templates import (
    ANSWER,
    Template,
    choose_template,
    load_template,
    split_fields,
)
from robust_eval.rng import hexdigest

OPTIONS = "options"

# Every character that str.splitlines() breaks at, with the white space around it.
_LINE_BREAKS = re.compile(r"[ \t]*[\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029]\s*")


@dataclass(frozen=True, slots=True)
class Prompt:
    """What stands before and around every example. `words` maps label to its words, label order."""

    template: Template
    words: tuple[tuple[str, str], ...] = ()
    demonstrations: tuple[Demonstration, ...] = ()
    listed: tuple[str, ...] = ()  # order of the labels in the instruction, where it is another
    nearest: int = 0  # over 0: demonstrations are a pool, of which each example is shown so many
    option_order: tuple[
        str, ...
    ] = ()  # multiple choice: the label shown in each place, in label order
    optional: tuple[str, ...] = ()  # fields whose line goes where they are empty

    def render(self, inputs: Mapping[str, str]) -> str:
        """The whole prompt for one example, up to where the answer starts.

        It does not end in the white space that parts it from the answer: that belongs to the
        answer, because tokenizers join a space to the word after it.
        """
        parts = [self._instruction()] if self.template.instruction else []
        parts += [
            self._head(dict(shown.inputs)) + self._gap() + self.solution(shown)
            for shown in self.shown(inputs)
        ]
        parts.append(self._head(inputs))
        return self.template.separator.join(parts)

    def solution(self, shown: Demonstration) -> str:
        """What a demonstration gives as the answer: its words, or the steps and what they lead to."""
        answer = self._clean(shown.answer)
        if not self.template.reasoning:
            return answer
        said = f"{self.template.answer_mark} {answer}."
        return f"{shown.rationale}\n{said}" if shown.rationale else said

    def shown(self, inputs: Mapping[str, str]) -> tuple[Demonstration, ...]:
        """The demonstrations for one example: the same for all, or those nearest to it."""
        if not self.nearest:
            return self.demonstrations
        return nearest(self.demonstrations, inputs, self.nearest)

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
                for part in (
                    *(text for pair in shown.inputs for text in pair),
                    shown.answer,
                    *([shown.rationale] if shown.rationale else ()),
                )
            ),
            *self.listed,
            *(["nearest", self.nearest] if self.nearest else ()),
            *(["options", *self.option_order] if self.option_order else ()),
            *(["reasoning", template.answer_mark] if template.reasoning else ()),
            *(["stop", *template.stop] if template.stop else ()),
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
        pieces: list[str] = []
        for literal, field in self.template.segments:
            if field in self.optional and not inputs[field]:
                continue  # with what names it: a question without a passage has no "Passage:"
            pieces.append(literal if pieces else literal.lstrip("\n"))
            if field is None or field == ANSWER:
                continue
            text = self._clean(inputs[field])
            if field == OPTIONS and self.option_order:
                text = reordered_options(
                    text, [label for label, _ in self.words], self.option_order
                )
            pieces.append(text)
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
    if settings.samples > 1 and not settings.temperature:
        raise ModelError(
            f"--samples {settings.samples} needs a temperature above 0, for instance "
            "--temperature 0.7: greedy answers are all alike"
        )
    if settings.samples > 1 and context.task.has_labels and not settings.writes:
        raise ModelError(
            f"--samples {settings.samples} draws written answers: add --scoring generate or --prompting "
            "cot; label scores are the same each time"
        )
    template = (
        choose_template(context.task, context.labels, reasoning=settings.prompting == "cot")
        if settings.template is None
        else load_template(settings.template)
    )
    template.check(context.task)
    if template.reasoning != (settings.prompting == "cot"):
        wants = "reasons step by step" if template.reasoning else "asks for the answer alone"
        other = "cot" if template.reasoning else "direct"
        raise ModelError(
            f"template '{template.name}' {wants}; give --prompting {other}, or another"
        )
    words = _label_words(context, template)
    return Prompt(
        template,
        words,
        draw_demonstrations(context, dict(words), reasoning=template.reasoning),
        nearest=settings.shots if settings.select == "similar" else 0,
        optional=context.task.optional,
    )


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


def reordered_options(text: str, labels: Sequence[str], order: Sequence[str]) -> str:
    """`A) x B) y` with the contents moved: what `order[i]` names is shown at the i-th label's letter.

    A text that is not lettered in that way stays as it is.
    """
    found = list(re.finditer(r"(?:^|(?<= ))([A-J])\) ", text))
    if not found:
        return text
    contents: dict[str, str] = {}
    for i, mark in enumerate(found):
        end = found[i + 1].start() if i + 1 < len(found) else len(text)
        if mark[1] != (labels[i] if i < len(labels) else None):
            return text
        contents[mark[1]] = text[mark.end() : end].strip()
    return " ".join(
        f"{shown}) {contents[meant]}"
        for shown, meant in zip(labels, order, strict=True)
        if meant in contents
    )
