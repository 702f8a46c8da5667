"""How a list of examples is cut into batches for a prompted model, and how a batch is answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from robust_eval.errors import OutOfMemoryError
from robust_eval.models.decoding import Decoding, continue_rows
from robust_eval.models.fitting import MAX_CHARS_PER_TOKEN
from robust_eval.models.label_scores import Question, common_prefix, label_logprobs, question
from robust_eval.models.reading import read_answer
from robust_eval.models.reasoning import elect
from robust_eval.models.tokens import Ids
from robust_eval.records import Example, Prediction

if TYPE_CHECKING:
    from robust_eval.models.causal import CausalModel
    from robust_eval.models.prefix import Network

Batches = tuple[tuple[int, ...], ...]


class ScoringPlan:
    """Every example as a question in tokens; batches by length; one shared prefix."""

    def __init__(self, model: CausalModel, examples: Sequence[Example]) -> None:
        self._model = model
        self._ids = [example.id for example in examples]
        questions = asked(model, examples)
        self._questions = [question for question, _ in questions]
        self._cut = [cut for _, cut in questions]
        self._prefix = common_prefix([question.given for question in self._questions])
        keys = [
            # Those that branch share a batch only with others of their length.
            (len(q.row), len(q.given) if q.branches else 0)
            for q in self._questions
        ]
        done = len(self._prefix)
        self.batches = plan_batches(
            keys, lambda length: model.batch_rows(max(1, length - done), done)
        )

    def answer(self, indices: Sequence[int]) -> list[Prediction]:
        """One prediction for each index, same order."""
        return in_memory(self._model.network, indices, self._answer)

    def _answer(self, indices: Sequence[int]) -> list[Prediction]:
        questions = [self._questions[i] for i in indices]
        sums = label_logprobs(self._model.network, self._prefix, questions)
        return [
            self._model.judged(
                self._ids[i], each, [len(a) for a in question.answers], cut=self._cut[i]
            )
            for i, question, each in zip(indices, questions, sums, strict=True)
        ]


class GeneratingPlan:
    """Every example as a row of tokens to continue; a batch holds rows of similar length."""

    def __init__(self, model: CausalModel, examples: Sequence[Example]) -> None:
        self._model = model
        self._examples = examples
        room = model.limit - model.new_tokens
        fitted = [model.fitted(example, room) for example in examples]
        self._rows: list[Ids] = [
            ids for ids, _ in model.encoded([inputs for inputs, _ in fitted], ())
        ]
        self._cut = [cut for _, cut in fitted]
        self._prefix = common_prefix(self._rows)
        keys = [(len(row), 0) for row in self._rows]
        self.batches = plan_batches(
            keys, lambda length: model.writing_rows(length, len(self._prefix))
        )

    def answer(self, indices: Sequence[int]) -> list[Prediction]:
        """One prediction for each index, same order."""
        return in_memory(self._model.network, indices, self._answer)

    def _answer(self, indices: Sequence[int]) -> list[Prediction]:
        model = self._model
        template = model.prompt.template
        written = continue_rows(
            model.network,
            model.tokens,
            self._prefix,
            [self._rows[i] for i in indices],
            Decoding(
                model.new_tokens,
                model.end_tokens,
                model.ends,
                model.temperature,
                template.answer_mark if template.reasoning else "",
            ),
            [model.draws(self._examples[i]) for i in indices] if model.temperature else None,
        )
        kind, words = model.context.task.kind, model.prompt.words
        answers = []
        for i, chains in zip(indices, written, strict=True):
            samples = [
                read_answer(
                    self._examples[i].id, chain, kind, words, cut=self._cut[i], template=template
                )
                for chain in chains
            ]
            answers.append(
                samples[0]
                if len(samples) == 1
                else elect(samples, model.context.prompt.vote, template.answer_mark)
            )
        return answers


def in_memory(
    network: Network,
    indices: Sequence[int],
    answer: Callable[[Sequence[int]], list[Prediction]],
) -> list[Prediction]:
    """The batch's answers; where memory runs out, those of its halves, down to one by one.

    The plan stays as it is, so a resumed run still skips the same batches; answers of a halved batch
    may differ in the last digits, which the model card then says.
    """
    try:
        return answer(indices)
    except OutOfMemoryError:
        if len(indices) < 2:
            raise
    network.give_memory_back()
    half = len(indices) // 2
    return [
        *in_memory(network, indices[:half], answer),
        *in_memory(network, indices[half:], answer),
    ]


def _tokenised(
    model: CausalModel, examples: Sequence[Example]
) -> list[tuple[Example, Ids, list[Ids]]]:
    """Prompt and labelled prompts of every example, tokenised in one call; none cut yet."""
    # A text far over the limit is cut by `_asked`; here it only must not be tokenised whole.
    most = model.limit * MAX_CHARS_PER_TOKEN
    clipped = [
        {field: example.inputs[field][:most] for field in model.context.task.fields}
        for example in examples
    ]
    found = model.encoded(clipped, model.prompt.answers())
    return [(example, *ids) for example, ids in zip(examples, found, strict=True)]


def asked(model: CausalModel, examples: Sequence[Example]) -> list[tuple[Question, bool]]:
    """Every example as a question in tokens, and whether its texts were cut to fit."""
    return [
        _asked(model, example, prompt, wholes)
        for example, prompt, wholes in _tokenised(model, examples)
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
    shortened: Question = model.question(inputs)
    return shortened, True


def plan_batches(keys: Sequence[tuple[int, int]], rows_of: Callable[[int], int]) -> Batches:
    """Indices in batches: longest first, then by place in the list; `rows_of` a length fill one.

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
            rows = rows_of(keys[i][0])
        batch.append(i)
    if batch:
        batches.append(tuple(batch))
    return tuple(batches)
