"""Per-example metrics: one prediction and one example in, one share in [0, 1] out."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Mapping
from fractions import Fraction

from robust_eval.errors import StatisticsError, did_you_mean
from robust_eval.records import Dataset, Example, Metric, Prediction, Status, TaskKind

Scorer = Callable[[Prediction, Example, "TaskKind | None"], float]

PUNCTUATION = str.maketrans("", "", string.punctuation)
ARTICLES = re.compile(r"\b(a|an|the)\b")
NUMBER = re.compile(
    r"(?<![\w.])[-+]?\$?(?:[0-9]+(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]+)?(?:/[0-9]+)?"
    r"|(?<![\w.])[-+]?\$?\.[0-9]+"
)
DIGITS = 400  # a longer run of digits is no answer, and reading it would take long


def accuracy(prediction: Prediction, example: Example, task: TaskKind | None = None) -> float:
    """1 when the label is the target, else 0."""
    return float(prediction.label is not None and prediction.label == example.target)


def exact_match(prediction: Prediction, example: Example, task: TaskKind | None = None) -> float:
    """1 when the answer equals any acceptable one, else 0.

    Text is compared after `normalised`. For math the last number of each is compared as a number,
    so "The answer is $1,200." matches "1200.0"; a target without a number is compared as text.
    """
    if prediction.text is None:
        return 0.0
    if task is TaskKind.MATH:
        found = last_number(prediction.text)
        numbers = [last_number(answer) for answer in answers(example)]
        if any(number is not None for number in numbers):
            return float(found is not None and found in numbers)
    text = normalised(prediction.text)
    return float(any(text == normalised(answer) for answer in answers(example)))


def f1(prediction: Prediction, example: Example, task: TaskKind | None = None) -> float:
    """Highest overlap of words with any acceptable answer: 2PR / (P + R), after `normalised`.

    When either side has no word left, 1 if both have none and 0 otherwise, as in SQuAD 2.0.
    """
    if prediction.text is None:
        return 0.0
    words = normalised(prediction.text).split()
    return max((_overlap(words, normalised(a).split()) for a in answers(example)), default=0.0)


METRICS: Mapping[str, Scorer] = {
    "accuracy": accuracy,
    "exact-match": exact_match,
    "f1": f1,
}


def score_prediction(
    metric: Metric, prediction: Prediction, example: Example, task: TaskKind | None = None
) -> float | None:
    """The example's score in [0, 1], or None for a failed request, which is never scored as wrong.

    Unparsed, refused and truncated answers are wrong: 0, or 1 for a metric that is better when
    lower. Raises StatisticsError for a metric that nobody registered.
    """
    scorer = METRICS.get(metric.name)
    if scorer is None:
        raise StatisticsError(f"unknown metric {metric.name!r}{did_you_mean(metric.name, METRICS)}")
    if prediction.status is Status.FAILED:
        return None
    if prediction.status is not Status.OK:
        return 0.0 if metric.higher_is_better else 1.0
    return scorer(prediction, example, task)


def answers(example: Example) -> tuple[str, ...]:
    """Every acceptable answer, whether the target is one string or several."""
    return (example.target,) if isinstance(example.target, str) else example.target


def normalised(text: str) -> str:
    """Lower case, without ASCII punctuation, English articles and repeated white space.

    Source: the evaluation script of SQuAD, Rajpurkar et al. (2016), arXiv:1606.05250.
    """
    return " ".join(ARTICLES.sub(" ", text.lower().translate(PUNCTUATION)).split())


def last_number(text: str) -> Fraction | None:
    """The last number in the text as an exact fraction, or None.

    Commas between thousands, a dollar sign, a sign, decimals and a/b are read; what follows
    "####" wins, which is how GSM8K (Cobbe et al. 2021, arXiv:2110.14168) marks its answers.
    """
    tail = text.rpartition("####")[2].replace("\N{MINUS SIGN}", "-")
    last: str | None = None
    for found in NUMBER.finditer(tail):
        last = found.group()
    if last is None or len(last) > DIGITS:
        return None
    whole, _, below = last.replace(",", "").replace("$", "").partition("/")
    if below and int(below) == 0:
        return None
    return Fraction(whole) / Fraction(below or 1)


def _overlap(words: list[str], answer: list[str]) -> float:
    if not words or not answer:
        return float(words == answer)
    common = (Counter(words) & Counter(answer)).total()
    return 2 * common / (len(words) + len(answer))


def quality_of(dataset: Dataset) -> Callable[[Prediction, Example], float]:
    """How right an answer in words is, by the task's finest metric; 0 where it has none."""
    metric, kind = dataset.task.metrics[-1], dataset.task.kind

    def quality(prediction: Prediction, example: Example) -> float:
        return score_prediction(metric, prediction, example, kind) or 0.0

    return quality
