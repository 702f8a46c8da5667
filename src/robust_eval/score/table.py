"""Scores of every model on every set, and the look-ups that gaps and comparisons share."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from robust_eval.errors import StatisticsError
from robust_eval.records import (
    CLEAN,
    Dataset,
    Example,
    Metric,
    ModelCard,
    Prediction,
    ShiftedSet,
    Status,
)
from robust_eval.score.metrics import score_prediction

Predictions = Mapping[tuple[str, str], tuple[Prediction, ...]]
Scores = Mapping[tuple[str, str, str], tuple[float | None, ...]]


def score_all(
    dataset: Dataset, sets: Sequence[ShiftedSet], predictions: Predictions
) -> dict[tuple[str, str, str], tuple[float | None, ...]]:
    """(model, set key, metric) -> one score an example, same order as the set; None where failed.

    The clean set stands under `records.CLEAN`. Raises StatisticsError when predictions are of a set
    nobody knows, or are not those of the set's examples in their order.
    """
    examples = _examples(dataset, sets)
    scores: dict[tuple[str, str, str], tuple[float | None, ...]] = {}
    for (model, key), answers in predictions.items():
        if key not in examples:
            raise StatisticsError(
                f"predictions of {model!r} are for a set {key!r} that is not in this run"
            )
        _check_order(model, key, examples[key], answers)
        for metric in dataset.task.metrics:
            scores[model, key, metric.name] = tuple(
                score_prediction(metric, answer, example, dataset.task.kind)
                for answer, example in zip(answers, examples[key], strict=True)
            )
    return scores


def score_repeats(
    dataset: Dataset, repeats: Mapping[tuple[str, str, int], tuple[Prediction, ...]]
) -> dict[tuple[str, str, str, int], tuple[float | None, ...]]:
    """(model, set key, metric, repeat) -> one score an example, for repeated answers to the clean set."""
    scores: dict[tuple[str, str, str, int], tuple[float | None, ...]] = {}
    for (model, key, repeat), answers in repeats.items():
        _check_order(model, key, dataset.examples, answers)
        for metric in dataset.task.metrics:
            scores[model, key, metric.name, repeat] = tuple(
                score_prediction(metric, answer, example, dataset.task.kind)
                for answer, example in zip(answers, dataset.examples, strict=True)
            )
    return scores


@dataclass(frozen=True, slots=True)
class Arm:
    """One model's scores on one set by example id, failed ones left out."""

    model: str
    set_key: str
    by_id: Mapping[str, float]  # by rising id
    examples: Mapping[str, Example]  # every example of the set, failed ones too

    @property
    def failed(self) -> int:
        return len(self.examples) - len(self.by_id)

    def cluster(self, example_id: str) -> str:
        return self.examples[example_id].source_id

    def values(self, ids: Sequence[str]) -> list[float]:
        return [self.by_id[i] for i in ids]

    def clusters(self, ids: Sequence[str]) -> list[str]:
        return [self.cluster(i) for i in ids]


@dataclass(frozen=True, slots=True)
class Cases:
    """One model's scores on the items that it answered clean and in each of some paired sets."""

    ids: Sequence[str]
    clusters: Sequence[str]
    clean: Sequence[float]
    shifted: Sequence[Sequence[float]]  # a row for each set


@dataclass(frozen=True, slots=True)
class Table:
    """Everything a figure is computed from."""

    dataset: Dataset
    sets: Mapping[str, ShiftedSet]
    predictions: Predictions
    scores: Scores
    # Every figure asks for the same arms again: each is made once.
    _arms: dict[tuple[str, str, str], Arm] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(
        cls,
        dataset: Dataset,
        sets: Sequence[ShiftedSet],
        models: Sequence[ModelCard],
        predictions: Predictions,
        scores: Scores,
    ) -> Table:
        """The table, after a check that every model has answered every set exactly once.

        Only sets that edit the prompt may lack a model: one without a prompt, or without that part.
        """
        _examples(dataset, sets)  # refuses two sets of one key
        names = [card.name for card in models]
        if len(set(names)) < len(names):
            raise StatisticsError("two models have one name; results could not be told apart")
        for name in names:
            for key in (CLEAN, *(s.key for s in sets if s.prompt_edit is None)):
                if (name, key) not in predictions:
                    raise StatisticsError(
                        f"{name!r} has no predictions on {key!r}; every model answers every set"
                    )
        return cls(dataset, {shifted.key: shifted for shifted in sets}, predictions, scores)

    def arm(self, model: str, key: str, metric: Metric) -> Arm:
        where = (model, key, metric.name)
        if where not in self._arms:
            self._arms[where] = self._arm(*where)
        return self._arms[where]

    def _arm(self, model: str, key: str, metric: str) -> Arm:
        examples = self.dataset.examples if key == CLEAN else self.sets[key].examples
        scores = self.scores.get((model, key, metric))
        if scores is None:
            raise StatisticsError(f"{model!r} has no {metric} scores on {key!r}")
        if len(scores) != len(examples):
            raise StatisticsError(
                f"{model!r} has {len(scores)} {metric} scores on the {len(examples)} examples of {key!r}"
            )
        rows = sorted(zip(examples, scores, strict=True), key=lambda row: row[0].id)
        known = {example.id: example for example, _ in rows}
        if len(known) < len(rows):
            twice = next(a for (a, _), (b, _) in itertools.pairwise(rows) if a.id == b.id)
            raise StatisticsError(f"two examples of {key!r} have the id {twice.id!r}")
        by_id = {example.id: score for example, score in rows if score is not None}
        return Arm(model, key, by_id, known)

    def cases(self, model: str, sets: Sequence[ShiftedSet], metric: Metric) -> Cases | None:
        """The model's complete cases over paired sets; None when it answered no item everywhere."""
        clean = self.arm(model, CLEAN, metric)
        arms = [self.arm(model, s.key, metric) for s in sets]
        ids = shared_ids([clean, *arms])
        if not ids:
            return None
        return Cases(ids, clean.clusters(ids), clean.values(ids), [arm.values(ids) for arm in arms])

    def answered(self, model: str, key: str) -> bool:
        """False where a set does not apply to the model."""
        return (model, key) in self.predictions

    def statuses(self, model: str, key: str) -> dict[str, int]:
        """How many answers have each status; every status has its row."""
        counts = Counter(answer.status for answer in self.predictions[model, key])
        return {status.value: counts[status] for status in Status}

    def truncated(self, model: str, key: str) -> int:
        return sum(answer.input_truncated for answer in self.predictions[model, key])


def shared_ids(arms: Sequence[Arm]) -> list[str]:
    """Ids that every arm has a score for, sorted."""
    first, *rest = (arm.by_id.keys() for arm in arms)
    others = [ids for ids in rest if ids != first]
    return [i for i in first if all(i in ids for ids in others)] if others else list(first)


def check_pairing(clean: Arm, shifted: Arm) -> None:
    """Raises StatisticsError when a paired set holds an id that the clean set does not."""
    strangers = shifted.examples.keys() - clean.examples.keys()
    if strangers:
        raise StatisticsError(
            f"{shifted.set_key!r} says it is paired, yet {len(strangers)} of its ids are not in the "
            f"clean set, {min(strangers)!r} first"
        )


def _examples(dataset: Dataset, sets: Sequence[ShiftedSet]) -> dict[str, tuple[Example, ...]]:
    examples = {CLEAN: dataset.examples}
    for shifted in sets:
        if shifted.key in examples:
            raise StatisticsError(f"two sets have the key {shifted.key!r}; keys tell results apart")
        examples[shifted.key] = shifted.examples
    return examples


def _check_order(
    model: str, key: str, examples: Sequence[Example], answers: Sequence[Prediction]
) -> None:
    if len(answers) != len(examples):
        raise StatisticsError(
            f"{model!r} gave {len(answers)} answers to the {len(examples)} examples of {key!r}"
        )
    for answer, example in zip(answers, examples, strict=True):
        if answer.example_id != example.id:
            raise StatisticsError(
                f"answers of {model!r} on {key!r} are out of order: {answer.example_id!r} stands "
                f"where {example.id!r} was asked"
            )
