"""What a cached answer looks like: its key, its JSON, and whether it is sound when read back."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any

from robust_eval.records import Example, Prediction, Status
from robust_eval.rng import digest

MAX_ANSWER = 1_000_000  # characters of JSON; a longer value was not written by us
_SCORE_SLACK = 1e-6  # above 0, in log-probability: rounding

Key = bytes
_ENCODE = json.JSONEncoder(ensure_ascii=True, separators=(",", ":")).encode
_DECODE = json.JSONDecoder().raw_decode
_FIELDS = {"label", "text", "label_logprobs", "scores", "raw", "status", "input_truncated"}
_ALL = _FIELDS | {"strict", "agreement"}  # these of written answers only; earlier versions had none
_STATUSES = {status.value: status for status in Status}
_ANSWER = attrgetter(*(field.name for field in fields(Prediction) if field.name != "example_id"))


def canonical_input(example: Example) -> str:
    """The exact named texts of an example as one string: equal if and only if the inputs are."""
    return _ENCODE(sorted(example.inputs.items()))


def prediction_key(
    fingerprint: str,
    example: Example,
    *,
    repeat: int = 0,
    set_key: str | None = None,
    canonical: str | None = None,
) -> Key:
    """The cache key of one request.

    `set_key` None means that the model is deterministic: the same input has the same answer. Otherwise
    the example's id, its target and its set belong to the key, so that no answer is used twice.
    """
    text = canonical_input(example) if canonical is None else canonical
    if set_key is None:
        return digest("answer", fingerprint, text, repeat)
    return digest("sample", fingerprint, text, repeat, example.id, repr(example.target), set_key)


def encode(prediction: Prediction) -> str:
    """An answer as JSON; floats come back bit for bit, and its example's id is left out."""
    return json.dumps(
        {
            "label": prediction.label,
            "text": prediction.text,
            "label_logprobs": prediction.label_logprobs,
            "scores": prediction.scores,
            "raw": prediction.raw,
            "status": prediction.status.value,
            "input_truncated": prediction.input_truncated,
            **({} if prediction.strict is None else {"strict": prediction.strict}),
            **({} if prediction.agreement is None else {"agreement": prediction.agreement}),
        },
        ensure_ascii=True,
        separators=(",", ":"),
    )


def decode(value: object, labels: Sequence[str] | None) -> Prediction | None:
    """The answer that a cached value holds, without an example's id; None unless it is sound."""
    if not isinstance(value, str) or len(value) > MAX_ANSWER:
        return None
    try:
        held, end = _DECODE(value)
        if end != len(value) or not isinstance(held, dict) or not _FIELDS <= held.keys() <= _ALL:
            return None
        prediction = Prediction(
            "",
            _text(held["label"]),
            _text(held["text"]),
            _floats(held["label_logprobs"]),
            _floats(held["scores"]),
            _text(held["raw"]),
            _STATUSES[held["status"]],
            _flag(held["input_truncated"]),
            _flag(held["strict"]) if "strict" in held else None,
            _share(held["agreement"]) if "agreement" in held else None,
        )
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    if prediction.status is Status.FAILED or fault(prediction, labels):
        return None
    return prediction


def addressed(prediction: Prediction, example_id: str) -> Prediction:
    """The same answer under this example's id."""
    return Prediction(example_id, *_ANSWER(prediction))


def fault(prediction: Prediction, labels: Sequence[str] | None) -> str | None:
    """What is wrong with an answer, in words; None when it is sound.

    `labels` None means that they are not known here, or that the task has none.
    """
    known = tuple(labels) if labels else None
    if prediction.label is not None and known and prediction.label not in known:
        return f"label {prediction.label[:80]!r} is not among {', '.join(known)}"
    if prediction.status is Status.OK and prediction.label is None and prediction.text is None:
        return "an answer without label and text"
    for name in ("label_logprobs", "scores"):
        values = getattr(prediction, name)
        if values is None:
            continue
        if known and len(values) != len(known):
            return f"{len(values)} {name} for {len(known)} labels"
        if any(map(math.isnan, values)) or math.inf in values:
            return f"{name} that are not numbers"
    if prediction.scores is not None and max(prediction.scores, default=0.0) > _SCORE_SLACK:
        return "scores above 0, so not log-probabilities"
    return None


def _text(value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise TypeError("not text")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("not true or false")
    return value


def _share(value: Any) -> float:
    if type(value) not in (float, int) or not 0 <= value <= 1:
        raise TypeError("not a share")
    return float(value)


def _floats(value: Any) -> tuple[float, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not set(map(type, value)) <= {float, int}:
        raise TypeError("not a list of numbers")
    return tuple(map(float, value))
