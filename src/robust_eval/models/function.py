"""`python:module:callable`: the user's own function, texts in, labels or scores out."""

from __future__ import annotations

import importlib
import logging
import math
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from robust_eval.errors import InfrastructureError, ModelError, did_you_mean
from robust_eval.models.context import ModelContext
from robust_eval.models.specs import Role, parse_spec
from robust_eval.records import Example, Job, ModelCard, Prediction, Status
from robust_eval.rng import hexdigest

BATCH: Final = 32  # texts in one call, unless --batch-size says otherwise
_TARGET = re.compile(
    r"(?P<module>[^\W\d]\w*(\.[^\W\d]\w*)*):(?P<callable>[^\W\d]\w*(\.[^\W\d]\w*)*)\Z"
)
_PROBABILITY_SLACK = 1e-3
_SMALLEST = 1e-300  # a probability of 0 becomes this, so that its logarithm is a number
log = logging.getLogger("robust_eval")


def load(spec: str, role: Role, context: ModelContext) -> FunctionModel:
    """The user's function as a model; its module is imported now, so that a misspelt name ends the
    run before anything is computed."""
    name = parse_spec(spec, role).name
    match = _TARGET.match(name)
    if match is None:
        raise ModelError(
            f"{spec!r} is not python:MODULE:CALLABLE, for instance python:mymodel:predict"
        )
    function = _resolve(spec, match["module"], match["callable"])
    return FunctionModel(spec, role, function, context)


class FunctionModel:
    """Calls the function with a list of texts (of dicts when a task has several fields).

    It gives one answer for each, in order: a label; one score for each label, in the order of the
    sorted labels or as a dict; or None for no answer. Scores that are probabilities are taken as
    such, others as logits. An exception fails only the inputs that raise it again when asked alone.
    """

    def __init__(
        self, spec: str, role: Role, function: Callable[[list[Any]], Any], context: ModelContext
    ) -> None:
        self._function = function
        self._task = context.task
        self._batch = context.batch_size or BATCH
        self._ever_answered = False
        self.labels = context.labels
        self.lasting = context.model_version is not None  # else cached within one run only
        self.name = spec
        self.card = ModelCard(
            name=spec,
            spec=spec,
            role=role,
            kind="function",
            fingerprint=hexdigest(
                "function",
                spec,
                context.model_version or "unnamed version",
                context.task.kind,
                self._batch,
                *context.labels,
            ),
            deterministic=False,  # not ours to claim: each input of each set is asked
            details={
                "callable": spec.removeprefix("python:"),
                "version": context.model_version,
                "batch_size": self._batch,
            },
        )

    def jobs(self, examples: Sequence[Example]) -> Iterator[Job]:
        """Batches in the order given."""
        for start in range(0, len(examples), self._batch):
            part = examples[start : start + self._batch]
            indices = tuple(range(start, start + len(part)))
            yield Job(indices, lambda part=part: self._answer(part))  # type: ignore[misc]

    def _answer(self, examples: Sequence[Example]) -> list[Prediction]:
        try:
            outputs = self._call(examples)
        except ModelError:
            raise
        except Exception as error:  # noqa: BLE001 - the user's code may raise anything
            return self._one_by_one(examples, error)
        self._ever_answered = True
        return [self._read(e, output) for e, output in zip(examples, outputs, strict=True)]

    def _one_by_one(self, examples: Sequence[Example], first: Exception) -> list[Prediction]:
        """Each example asked alone, once, so that one bad text costs one answer."""
        answers: list[Prediction] = []
        for example in examples:
            try:
                (output,) = self._call([example])
            except ModelError:
                raise
            except Exception as error:  # noqa: BLE001 - the user's code may raise anything
                answers.append(Prediction(example.id, status=Status.FAILED, raw=_line(error)))
            else:
                answers.append(self._read(example, output))
        failed = sum(answer.status is Status.FAILED for answer in answers)
        if failed < len(answers):
            self._ever_answered = True
        elif len(answers) > 1 and not self._ever_answered:
            raise InfrastructureError(
                f"{self.name} raised {_line(first)} for every one of {len(answers)} inputs; "
                "mend the function and run the same command again"
            ) from first
        log.warning("%s raised %s; %d inputs have no answer", self.name, _line(first), failed)
        return answers

    def _call(self, examples: Sequence[Example]) -> list[Any]:
        outputs = self._function([self._argument(example) for example in examples])
        if isinstance(outputs, (str, bytes, Mapping)) or not hasattr(outputs, "__iter__"):
            raise ModelError(
                f"{self.name} returned {type(outputs).__name__}, not a list with one answer a text"
            )
        listed = list(outputs)
        if len(listed) != len(examples):
            raise ModelError(
                f"{self.name} returned {len(listed)} answers for {len(examples)} texts; "
                "return one each, None where there is none"
            )
        return listed

    def _argument(self, example: Example) -> str | dict[str, str]:
        if len(self._task.fields) == 1:
            return example.inputs[self._task.fields[0]]
        return {field: example.inputs[field] for field in self._task.fields}

    def _read(self, example: Example, output: Any) -> Prediction:
        if output is None:
            return Prediction(example.id, status=Status.UNPARSED)
        if isinstance(output, str):
            if not self.labels:
                return Prediction(example.id, text=output, raw=output)
            if output not in self.labels:
                raise ModelError(
                    f"{self.name} returned the unknown label {output[:80]!r}"
                    f"{did_you_mean(output[:80], self.labels)}"
                )
            return Prediction(example.id, label=output, raw=output)
        if not self.labels:
            raise ModelError(f"{self.name} returned {type(output).__name__}, not an answer text")
        logprobs = self._log_probabilities(self._scores(output))
        return Prediction(
            example.id,
            label=self.labels[max(range(len(logprobs)), key=logprobs.__getitem__)],
            label_logprobs=logprobs,
            scores=logprobs,
        )

    def _scores(self, output: Any) -> list[float]:
        values: list[Any]
        if isinstance(output, Mapping):
            if set(output) != set(self.labels):
                raise ModelError(
                    f"{self.name} returned scores for {', '.join(sorted(map(str, output)))[:200]}, "
                    f"not for the labels {', '.join(self.labels)}"
                )
            values = [output[label] for label in self.labels]
        elif hasattr(output, "__iter__") and not isinstance(output, (bytes, bytearray)):
            values = list(output)
        else:
            raise ModelError(
                f"{self.name} returned {output!r:.80} ({type(output).__name__}); return a label, "
                f"{len(self.labels)} scores, a dict of label to score, or None"
            )
        if len(values) != len(self.labels):
            raise ModelError(
                f"{self.name} returned {len(values)} scores for {len(self.labels)} labels "
                f"({', '.join(self.labels)})"
            )
        try:
            scores = [float(value) for value in values]
        except (TypeError, ValueError) as error:
            raise ModelError(
                f"{self.name} returned scores that are not numbers: {error}"
            ) from error
        if not all(map(math.isfinite, scores)):
            raise ModelError(f"{self.name} returned the scores {scores}; each must be finite")
        return scores

    def _log_probabilities(self, scores: list[float]) -> tuple[float, ...]:
        total = math.fsum(scores)
        if min(scores) >= 0 and abs(total - 1) < _PROBABILITY_SLACK:
            scores = [math.log(max(score / total, _SMALLEST)) for score in scores]
        top = max(scores)
        norm = top + math.log(math.fsum(math.exp(score - top) for score in scores))
        return tuple(score - norm for score in scores)


def _resolve(spec: str, module_name: str, path: str) -> Callable[[list[Any]], Any]:
    with _importable_here():
        try:
            found: Any = importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            missing = error.name or module_name
            if module_name == missing or module_name.startswith(f"{missing}."):
                raise ModelError(
                    f"{spec!r}: no module {missing!r} here or installed; "
                    "run from the folder that holds it, or install it"
                ) from error
            raise ModelError(f"{spec!r}: importing {module_name!r} needs {missing!r}") from error
        except Exception as error:
            raise ModelError(
                f"{spec!r}: importing {module_name!r} raised {_line(error)}"
            ) from error
    for part in path.split("."):
        try:
            found = getattr(found, part)
        except AttributeError as error:
            names = [name for name in dir(found) if not name.startswith("_")]
            raise ModelError(
                f"{spec!r}: {module_name} has no {path!r}{did_you_mean(part, names[:200])}"
            ) from error
    if not callable(found):
        raise ModelError(f"{spec!r} is {type(found).__name__}, which cannot be called")
    return found  # type: ignore[no-any-return]


@contextmanager
def _importable_here() -> Iterator[None]:
    """The working folder can be imported from, as with `python -m`."""
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        yield
    finally:
        if here in sys.path:
            sys.path.remove(here)


def _line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}".rstrip(": ")
