"""How a list of examples is cut into batches for a prompted model, and how a batch is answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from robust_eval.models.causal import MAX_CHARS_PER_TOKEN
from robust_eval.models.generate import (
    Continuation,
    continue_greedily,
    is_refusal,
    parse_label,
    parse_number,
    status_without_answer,
)
from robust_eval.models.label_scores import Question, common_prefix, label_logprobs, question
from robust_eval.models.tokens import Ids
from robust_eval.records import Example, Prediction, Status, TaskKind

if TYPE_CHECKING:
    from robust_eval.models.causal import CausalModel

Batches = tuple[tuple[int, ...], ...]


class ScoringPlan:
    """Every example as a question in tokens; batches by length; one shared prefix."""

    def __init__(self, model: CausalModel, examples: Sequence[Example]) -> None:
        self._model = model
        self._ids = [example.id for example in examples]
        asked = [
            _asked(model, example, prompt, wholes)
            for example, prompt, wholes in _tokenised(model, examples)
        ]
        self._questions = [question for question, _ in asked]
        self._cut = [cut for _, cut in asked]
        self._prefix = common_prefix([question.given for question in self._questions])
        keys = [
            # Those that branch share a batch only with others of their length.
            (len(q.row), len(q.given) if q.branches else 0)
            for q in self._questions
        ]
        self.batches = plan_batches(model, keys, len(self._prefix))

    def answer(self, indices: Sequence[int]) -> list[Prediction]:
        """One prediction for each index, same order."""
        questions = [self._questions[i] for i in indices]
        sums = label_logprobs(self._model.network, self._prefix, questions)
        return [
            self._model.judged(
                self._ids[i], each, [len(a) for a in asked.answers], cut=self._cut[i]
            )
            for i, asked, each in zip(indices, questions, sums, strict=True)
        ]


class GeneratingPlan:
    """Every example as a row of tokens to continue; a batch holds rows of one length."""

    def __init__(self, model: CausalModel, examples: Sequence[Example]) -> None:
        self._model = model
        self._ids = [example.id for example in examples]
        room = model.limit - model.new_tokens
        fitted = [model.fitted(example, room) for example in examples]
        self._rows: list[Ids] = model.tokens.encode(
            [model.prompt.render(inputs) for inputs, _ in fitted]
        )
        self._cut = [cut for _, cut in fitted]
        self._prefix = common_prefix(self._rows)
        keys = [(len(row), len(row)) for row in self._rows]
        self.batches = plan_batches(model, keys, len(self._prefix))

    def answer(self, indices: Sequence[int]) -> list[Prediction]:
        """One prediction for each index, same order."""
        model = self._model
        written = continue_greedily(
            model.network,
            model.tokens,
            self._prefix,
            [self._rows[i] for i in indices],
            limit=model.new_tokens,
            stops=model.end_tokens,
        )
        kind = model.context.task.kind
        return [
            read_answer(self._ids[i], each, kind, model.prompt.words, cut=self._cut[i])
            for i, each in zip(indices, written, strict=True)
        ]


def _tokenised(
    model: CausalModel, examples: Sequence[Example]
) -> list[tuple[Example, Ids, list[Ids]]]:
    """Prompt and labelled prompts of every example, tokenised in one call; none cut yet."""
    answers = model.prompt.answers()
    # A text far over the limit is cut by `_asked`; here it only must not be tokenised whole.
    most = model.limit * MAX_CHARS_PER_TOKEN
    texts = []
    for example in examples:
        clipped = {field: example.inputs[field][:most] for field in model.context.task.fields}
        prompt = model.prompt.render(clipped)
        texts += [prompt, *(prompt + answer for answer in answers)]
    ids = model.tokens.encode(texts)
    step = 1 + len(answers)
    return [
        (example, ids[i * step], ids[i * step + 1 : (i + 1) * step])
        for i, example in enumerate(examples)
    ]


def _asked(
    model: CausalModel, example: Example, prompt: Ids, wholes: list[Ids]
) -> tuple[Question, bool]:
    most = model.limit * MAX_CHARS_PER_TOKEN
    longest = max(map(len, wholes))
    clipped = any(len(example.inputs[field]) > most for field in model.context.task.fields)
    if longest <= model.limit and not clipped:
        return question(prompt, wholes), False
    # The labels keep their room: what they add to the prompt, and one for a changed boundary.
    inputs: Mapping[str, str]
    inputs, _ = model.fitted(example, model.limit - (longest - len(prompt)) - 1)
    asked: Question = model.question(inputs)
    return asked, True


def plan_batches(model: CausalModel, keys: Sequence[tuple[int, int]], prefix: int) -> Batches:
    """Indices in batches: longest first, then by place in the list.

    A key is (length, group): only items of one group share a batch. Depends on the keys and the
    settings alone, so that a resumed list is cut in the same way.
    """
    order = sorted(range(len(keys)), key=lambda i: (-keys[i][1], -keys[i][0], i))
    batches: list[tuple[int, ...]] = []
    batch: list[int] = []
    rows = 0
    for i in order:
        if batch and (len(batch) >= rows or keys[i][1] != keys[batch[0]][1]):
            batches.append(tuple(batch))
            batch = []
        if not batch:
            rows = model.batch_rows(max(1, keys[i][0] - prefix), prefix)
        batch.append(i)
    if batch:
        batches.append(tuple(batch))
    return tuple(batches)


def read_answer(
    example_id: str,
    written: Continuation,
    kind: TaskKind,
    words: Sequence[tuple[str, str]],
    *,
    cut: bool,
) -> Prediction:
    """What a written answer says, as a label, a number or a text; its status when it says none."""
    label = text = None
    if words:
        label = parse_label(written.text, words)
    elif kind is TaskKind.MATH:
        text = parse_number(written.text)
    elif written.text and written.finished:
        text = written.text
    known = label is not None or text is not None
    if known and kind is TaskKind.MATH and not written.finished:
        known, text = False, None  # the last number seen need not be the last one
    if known and not words and kind is not TaskKind.MATH and is_refusal(written.text):
        known, text = False, None
    return Prediction(
        example_id=example_id,
        label=label,
        text=text,
        raw=written.text,
        status=Status.OK
        if known
        else status_without_answer(written.text, finished=written.finished),
        input_truncated=cut,
    )
