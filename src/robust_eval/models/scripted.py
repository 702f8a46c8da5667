"""`scripted:KIND`: fakes that answer at once and always alike, for tests and documentation."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qsl

from robust_eval.errors import ModelError, did_you_mean
from robust_eval.models.answers import canonical_input
from robust_eval.models.context import ModelContext
from robust_eval.models.prompt import Prompt
from robust_eval.models.specs import Role, parse_spec
from robust_eval.models.templates import Template
from robust_eval.models.wordings import PREFIX, reworded
from robust_eval.records import Example, Job, ModelCard, Prediction, Status
from robust_eval.rng import below, hexdigest, stream


@dataclass(frozen=True, slots=True)
class Options:
    """What may follow `?`, joined by `&`: `scripted:noisy?accuracy=0.8&seed=3`."""

    accuracy: float = 0.8  # share answered right
    loss: float = 0.0  # accuracy lost when every word is unknown from training
    share: float = 0.1  # share of requests that fail
    label: str = ""  # the constant answer; empty: the first label
    seed: int = 0
    batch: int = 16  # texts in one batch
    delay: float = 0.0  # seconds a batch takes, at most 10
    vocabulary: frozenset[str] = field(
        default=frozenset(), repr=False
    )  # words of the training texts
    edit: str = ""  # the prompt edit that it answers under
    instruction: str = ""  # its instruction, where an edit gave it another
    repeat: int = field(default=0, repr=False)  # which of its draws this is


def load(spec: str, role: Role, context: ModelContext) -> ScriptedModel:
    """The fake that a spec names. Raises ModelError for unknown kinds and options."""
    kind, _, query = parse_spec(spec, role).name.partition("?")
    if kind not in KINDS:
        raise ModelError(f"unknown scripted model {kind!r}{did_you_mean(kind, KINDS)}")
    options = _options(spec, query)
    if not context.labels:
        raise ModelError(f"{spec!r} needs a task with labels, not {context.task.kind.value}")
    if options.label and options.label not in context.labels:
        raise ModelError(
            f"{spec!r}: unknown label {options.label!r}{did_you_mean(options.label, context.labels)}"
        )
    if options.loss:
        seen = (*context.train, *context.dev, *context.demonstrations)
        options = replace(options, vocabulary=frozenset(w for e in seen for w in _words(e)))
    return ScriptedModel(spec, role, kind, options, context.labels)


class ScriptedModel:
    """Answers by a rule. Rules that know the right answer ask for each example of each set apart."""

    def __init__(
        self, spec: str, role: Role, kind: str, options: Options, labels: tuple[str, ...]
    ) -> None:
        self._options = options
        self._made_from = (spec, role, kind)
        self._rule = KINDS[kind]
        self.labels = labels
        self.card = ModelCard(
            name=spec,
            spec=spec,
            role=role,
            kind="scripted",
            fingerprint=hexdigest(
                "scripted", kind, repr(options), *labels, "words", *sorted(options.vocabulary)
            ),
            deterministic=kind not in _KNOW_THE_TARGET,
            parameters=0,
            details={"kind": kind, "note": "a scripted fake, not a model"},
        )

    def with_prompt(self, edit: str) -> ScriptedModel | str:
        """The same fake under an edited prompt, if it is of the kind that has one."""
        spec, role, kind = self._made_from
        if kind != "prompted":
            return "it has no prompt"
        changes = {"edit": edit}
        if edit.startswith(PREFIX):
            changed = reworded(self._prompt(), edit)
            if isinstance(changed, str):
                return changed
            changes = {"instruction": changed.template.instruction}
        return ScriptedModel(spec, role, kind, replace(self._options, **changes), self.labels)  # type: ignore[arg-type]

    @property
    def prompt(self) -> Prompt | None:
        """A prompt that is nowhere shown, for attacks on the instruction; None of the other kinds."""
        return self._prompt() if self._made_from[2] == "prompted" else None

    def _prompt(self) -> Prompt:
        template = Template("scripted", _EXAMPLE, instruction=self._options.instruction or _ASKED)
        return Prompt(template, tuple((label, label) for label in self.labels))

    def with_repeat(self, repeat: int) -> ScriptedModel:
        """The same fake with its further draws."""
        spec, role, kind = self._made_from
        return ScriptedModel(spec, role, kind, replace(self._options, repeat=repeat), self.labels)

    def jobs(self, examples: Sequence[Example]) -> Iterator[Job]:
        """Batches by length, then by content: the plan is of the list, whatever its order."""
        texts = [canonical_input(example) for example in examples]
        order = sorted(
            range(len(examples)), key=lambda i: (len(texts[i]), texts[i], examples[i].id)
        )
        for start in range(0, len(order), self._options.batch):
            indices = tuple(order[start : start + self._options.batch])
            batch = [examples[i] for i in indices]
            yield Job(indices, lambda batch=batch: self._answer(batch))  # type: ignore[misc]

    def _answer(self, batch: Sequence[Example]) -> list[Prediction]:
        if self._options.delay:
            time.sleep(self._options.delay)
        return [self._rule(example, self.labels, self._options) for example in batch]


Rule = Callable[[Example, tuple[str, ...], Options], Prediction]


def oracle(example: Example, labels: tuple[str, ...], options: Options) -> Prediction:
    """Always right."""
    return _scored(example, labels, str(example.target))


def constant(example: Example, labels: tuple[str, ...], options: Options) -> Prediction:
    """Always the same label."""
    return _scored(example, labels, options.label or labels[0])


def length(example: Example, labels: tuple[str, ...], options: Options) -> Prediction:
    """The label whose number is the text's length in characters, modulo the number of labels."""
    total = sum(len(text) for text in example.inputs.values())
    return _scored(example, labels, labels[total % len(labels)])


def noisy(example: Example, labels: tuple[str, ...], options: Options) -> Prediction:
    """Right with probability `accuracy`, less `loss` times the share of words unknown from training.

    The draw is keyed by the example's id, so whoever is wrong at a higher accuracy is wrong at a
    lower one, and drops are paired as those of real models are.
    """
    rng = stream(options.seed, "noisy", example.id)
    draw = rng.random()
    if draw < options.accuracy - options.loss * _unknown_share(example, options.vocabulary):
        return _scored(example, labels, str(example.target))
    wrong = [label for label in labels if label != example.target] or list(labels)
    return _scored(example, labels, wrong[below(rng, len(wrong))])


def prompted(example: Example, labels: tuple[str, ...], options: Options) -> Prediction:
    """As `noisy`, but it has a prompt: `loss` is the accuracy lost when that is edited.

    Of an instruction with other words, `loss` times the share of its words that are gone.
    """
    asked = _ASKED.split()
    gone = sum(word not in (options.instruction or _ASKED).split() for word in asked) / len(asked)
    lost = options.loss if options.edit else options.loss * gone
    chance = replace(options, accuracy=options.accuracy - lost, loss=0.0)
    return noisy(example, labels, chance)


def drawn(example: Example, labels: tuple[str, ...], options: Options) -> Prediction:
    """Right with probability `accuracy`, drawn anew for every text and repeat."""
    key = (canonical_input(example), options.repeat)
    right = stream(options.seed, "drawn", *key).random() < options.accuracy
    wrong = [label for label in labels if label != example.target] or list(labels)
    return _scored(example, labels, str(example.target) if right else wrong[0])


def flaky(example: Example, labels: tuple[str, ...], options: Options) -> Prediction:
    """Right, but a `share` of the requests fails, always the same ones."""
    draw = stream(options.seed, "flaky", canonical_input(example)).random()
    if draw < options.share:
        return Prediction(example.id, status=Status.FAILED, raw="scripted failure")
    return _scored(example, labels, str(example.target))


def mute(example: Example, labels: tuple[str, ...], options: Options) -> Prediction:
    """Never an answer that can be read as a label."""
    return Prediction(example.id, status=Status.UNPARSED, raw="...")


KINDS: dict[str, Rule] = {
    "oracle": oracle,
    "constant": constant,
    "length": length,
    "noisy": noisy,
    "prompted": prompted,
    "drawn": drawn,
    "flaky": flaky,
    "mute": mute,
}
_KNOW_THE_TARGET = {"oracle", "noisy", "prompted", "drawn", "flaky"}
_ASKED = "Classify each text as one of: {labels}."
_EXAMPLE = "Text: {text}\nLabel: {answer}"
_ODDS = 9.0  # how much likelier the answer is than each other label


def _scored(example: Example, labels: tuple[str, ...], answer: str) -> Prediction:
    if answer not in labels:
        raise ModelError(f"example {example.id!r} has the target {answer!r}, which is not a label")
    norm = math.log(_ODDS + len(labels) - 1)
    scores = tuple((math.log(_ODDS) if label == answer else 0.0) - norm for label in labels)
    return Prediction(example.id, label=answer, label_logprobs=scores, scores=scores)


def _words(example: Example) -> list[str]:
    return [word for text in example.inputs.values() for word in text.split()]


def _unknown_share(example: Example, vocabulary: frozenset[str]) -> float:
    words = _words(example)
    return sum(word not in vocabulary for word in words) / len(words) if words else 0.0


def _options(spec: str, query: str) -> Options:
    try:
        pairs = parse_qsl(query, strict_parsing=bool(query), max_num_fields=20)
    except ValueError as error:
        raise ModelError(f"{spec!r}: options are name=value, joined by &") from error
    values: dict[str, float | int | str] = {}
    for name, value in pairs:
        if name not in _OPTION_TYPES:
            raise ModelError(
                f"{spec!r}: unknown option {name!r}{did_you_mean(name, _OPTION_TYPES)}"
            )
        kind, low, high = _OPTION_TYPES[name]
        try:
            values[name] = kind(value)
        except ValueError as error:
            raise ModelError(f"{spec!r}: {name} is not a number: {value!r}") from error
        if kind is not str and not low <= float(values[name]) <= high:
            raise ModelError(f"{spec!r}: {name} must be from {low:g} to {high:g}, not {value}")
    return Options(**values)  # type: ignore[arg-type]


_OPTION_TYPES: dict[str, tuple[type[float] | type[int] | type[str], float, float]] = {
    "accuracy": (float, 0, 1),
    "loss": (float, 0, 1),
    "share": (float, 0, 1),
    "label": (str, 0, 0),
    "seed": (int, 0, 2**63),
    "batch": (int, 1, 10_000),
    "delay": (float, 0, 10),
}
