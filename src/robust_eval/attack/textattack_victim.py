"""Our models as TextAttack's `ModelWrapper`. Importing this module imports textattack, which takes half a minute."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import TracebackType
from typing import Any, Self

import numpy as np
import torch
from textattack.datasets import Dataset as TextattackDataset
from textattack.models.wrappers import ModelWrapper

from robust_eval.errors import InfrastructureError
from robust_eval.models.cache import PredictionCache
from robust_eval.models.predict import Request, predict
from robust_eval.records import Dataset, Example, Model, Prediction, Status
from robust_eval.rng import hexdigest

BATCH = 2**20  # texts in one call: the model plans its own batches over all of them


class TextattackVictim(ModelWrapper):  # type: ignore[misc]
    """What TextAttack asks instead of a model: texts in, one row of probabilities a text out, in label order.

    Every answer goes through the prediction cache, so an attack that is repeated asks nothing again. An answer
    without scores (a server that only writes) is one-hot. An answer that names no label has equal
    probabilities; they are counted in `unlabelled`, failed requests in `unanswered`.

    Give it to a recipe's `build`, set `attack.goal_function.batch_size = BATCH`, and attack `dataset`.
    """

    def __init__(
        self,
        model: Model,
        labels: Sequence[str],
        fields: Sequence[str],
        cache: PredictionCache,
        *,
        set_key: str = "textattack",
        examples: Sequence[Example] = (),
    ) -> None:
        self.model = model
        self.labels, self.fields = tuple(labels), tuple(fields)
        self.unlabelled = self.unanswered = 0
        self._cache, self._set_key, self._examples = cache, set_key, tuple(examples)

    @property
    def dataset(self) -> Any:
        """The test examples as TextAttack's `Dataset`, with numbers for labels."""
        rows = [
            (tuple(e.inputs[field] for field in self.fields), self.labels.index(str(e.target)))
            for e in self._examples
        ]
        return TextattackDataset(rows, input_columns=self.fields, label_names=list(self.labels))

    def __call__(self, text_input_list: Sequence[Any], **kwargs: Any) -> torch.Tensor:
        given = [(t,) if isinstance(t, str) else tuple(t) for t in text_input_list]
        answers = self.ask([dict(zip(self.fields, texts, strict=True)) for texts in given])
        return torch.tensor([self.row(answer) for answer in answers], dtype=torch.float64)

    def ask(self, inputs: Sequence[Mapping[str, str]]) -> list[Prediction]:
        """The model's answers to these texts, same order. Raises InfrastructureError when all of several fail."""
        requests = [Request(self.as_example(texts), self._set_key) for texts in inputs]
        with self.asking():
            answers = predict(self.model, requests, self._cache)
        failed = sum(answer.status is Status.FAILED for answer in answers)
        if failed == len(answers) > 1:
            raise InfrastructureError(
                f"{self.model.card.name} answered none of {failed} requests of TextAttack; what it "
                "answered before is kept, the same command resumes"
            )
        self.unanswered += failed
        self.unlabelled += sum(answer.label is None for answer in answers) - failed
        return answers

    def row(self, answer: Prediction) -> list[float]:
        """Probabilities in label order."""
        if answer.label is None:
            return self.without_label()
        if answer.scores is None:
            return [float(name == answer.label) for name in self.labels]
        shares = [math.exp(score) for score in answer.scores]
        total = math.fsum(shares)
        return [share / total for share in shares]

    def without_label(self) -> list[float]:
        """What stands for an answer that names no label."""
        return [1 / len(self.labels)] * len(self.labels)

    def as_example(self, texts: Mapping[str, str]) -> Example:
        """The texts as an example of their own: nothing is known of where they came from."""
        name = hexdigest("textattack", *texts.values())
        return Example(name, dict(texts), self.labels[0], name)

    def asking(self) -> AbstractContextManager[None]:
        """Entered around every question to the model."""
        return nullcontext()

    def close(self) -> None:
        """Closes the cache."""
        self._cache.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Draws:
    """Python's and numpy's global generators: TextAttack's own while it runs, the caller's while a model is asked."""

    def __init__(self, rng: random.Random) -> None:
        """What TextAttack draws follows from this stream alone."""
        now = self._state()
        number = int(rng.random() * 2**32)
        random.seed(number)
        np.random.seed(number)
        self._other = self._state()
        self._put(now)

    @contextmanager
    def swapped(self) -> Iterator[None]:
        """The other side's generators inside the block; entered once more inside it, the first side's again."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def _swap(self) -> None:
        now = self._state()
        self._put(self._other)
        self._other = now

    @staticmethod
    def _state() -> tuple[Any, Any]:
        return random.getstate(), np.random.get_state()

    @staticmethod
    def _put(state: tuple[Any, Any]) -> None:
        random.setstate(state[0])
        np.random.set_state(state[1])


class VictimUnderAttack(TextattackVictim):
    """A victim that knows which example is attacked: it answers under its id, and counts its texts."""

    def begin(self, example: Example, rng: random.Random) -> None:
        """The next example: the texts told are its own again, and what is drawn follows from `rng`."""
        self.example = example
        self.draws = Draws(rng)
        self.told = {tuple(example.inputs[field] for field in self.fields)}
        self.unanswered = 0
        self.broken = False  # the model itself failed just now

    def ask(self, inputs: Sequence[Mapping[str, str]]) -> list[Prediction]:
        self.broken = True
        answers = super().ask(inputs)
        self.broken = False
        self.told |= {tuple(texts.values()) for texts in inputs}
        return answers

    def without_label(self) -> list[float]:
        # Only a wrong label is a success: no label counts as the right one, which gains a search nothing.
        return [float(name == self.example.target) for name in self.labels]

    def as_example(self, texts: Mapping[str, str]) -> Example:
        e = self.example
        return Example(e.id, {**e.inputs, **texts}, e.target, e.source_id, e.meta)

    def asking(self) -> AbstractContextManager[None]:
        return self.draws.swapped()


def victim_of(model: Model, test: Dataset, cache: PredictionCache) -> TextattackVictim:
    """A model of a run, with the run's test examples beside it."""
    return TextattackVictim(
        model, test.labels, test.task.perturbable, cache, examples=test.examples
    )
