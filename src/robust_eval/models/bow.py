"""`bow`: TF-IDF and logistic regression, the floor that every neural baseline must beat."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from typing import Any, Final

from robust_eval.errors import ModelError
from robust_eval.files import write_atomic
from robust_eval.models.context import ModelContext
from robust_eval.models.finetune import check_data, class_counts, data_fingerprint
from robust_eval.models.specs import Role
from robust_eval.models.weights import read_json
from robust_eval.records import Example, Job, ModelCard, Prediction, Progress
from robust_eval.rng import hexdigest

PROCEDURE: Final = 1  # raise when what is computed here changes
BATCH: Final = 2048
STRENGTHS: Final = (0.5, 2.0, 8.0, 32.0)  # inverse regularisation, chosen on the held-out part
WITHOUT_DEV: Final = 8.0
WORDS: Final = r"(?u)\w+|[^\w\s]"  # single marks count: a text of emoji still has words


def load(spec: str, role: Role, context: ModelContext) -> BagOfWords:
    """The floor, not yet trained. Raises ModelError where the training data do not fit."""
    check_data(spec, context)
    return BagOfWords(role, context)


class BagOfWords:
    """Word unigrams and bigrams of each field, TF-IDF, logistic regression.

    Trained anew in each process that needs it, within seconds: nothing is kept that would have to
    be trusted when read back. Only its result is, as JSON, for the report of a warm run.
    """

    def __init__(self, role: Role, context: ModelContext) -> None:
        self._context = context
        self._role: Role = role
        self._fields = context.task.fields
        self._trained: tuple[list[Any], Any] | None = None
        self.labels = context.labels
        self._fingerprint = hexdigest(
            "bow",
            PROCEDURE,
            version("scikit-learn"),
            context.task.kind.value,
            *context.labels,
            data_fingerprint(context.train),
            data_fingerprint(context.dev),
        )
        self._record = context.cache_dir / "floors" / f"{self._fingerprint}.json"

    @property
    def card(self) -> ModelCard:
        """What the report says; the training's result once it has run."""
        result = self._result()
        features = result.get("features")
        return ModelCard(
            name="bow",
            spec="bow",
            role=self._role,
            kind="floor",
            fingerprint=self._fingerprint,
            deterministic=True,
            parameters=features * self._rows() if isinstance(features, int) else None,
            details={
                "architecture": "TF-IDF of word 1-2-grams, logistic regression",
                "training": result or None,
            },
        )

    def prepare(self, progress: Progress) -> None:
        """Trains, once in this process."""
        if self._trained is None:
            with progress("training bow", len(STRENGTHS)) as advance:
                self._trained = self._train(advance)

    def jobs(self, examples: Sequence[Example]) -> Iterator[Job]:
        """Large batches in the order given."""
        for start in range(0, len(examples), BATCH):
            part = examples[start : start + BATCH]
            yield Job(tuple(range(start, start + len(part))), lambda part=part: self._answer(part))  # type: ignore[misc]

    def _answer(self, examples: Sequence[Example]) -> list[Prediction]:
        self.prepare(self._context.progress)
        assert self._trained is not None
        vectorisers, regression = self._trained
        rows = _log_probabilities(regression, _features(vectorisers, self._texts(examples)))
        return [
            Prediction(
                example.id,
                label=self.labels[max(range(len(row)), key=row.__getitem__)],
                label_logprobs=row,
                scores=row,
            )
            for example, row in zip(examples, rows, strict=True)
        ]

    def _train(self, advance: Any) -> tuple[list[Any], Any]:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression

        context = self._context
        vectorisers = [
            TfidfVectorizer(token_pattern=WORDS, ngram_range=(1, 2), sublinear_tf=True)
            for _ in self._fields
        ]
        try:
            for vectoriser, texts in zip(vectorisers, self._texts(context.train), strict=True):
                vectoriser.fit(texts)
        except ValueError as error:
            raise ModelError(
                "bow: the training texts hold no word; give --train with texts that do"
            ) from error
        features = _features(vectorisers, self._texts(context.train))
        targets = [self.labels.index(str(e.target)) for e in context.train]
        held_out = _features(vectorisers, self._texts(context.dev)) if context.dev else None
        best: tuple[tuple[float, float], float, Any] | None = None
        for strength in STRENGTHS if held_out is not None else (WITHOUT_DEV,):
            regression = LogisticRegression(C=strength, max_iter=2000, tol=1e-6)
            regression.fit(features, targets)
            score = (0.0, 0.0)
            if held_out is not None:
                rows = _log_probabilities(regression, held_out)
                score = _score(rows, [self.labels.index(str(e.target)) for e in context.dev])
            if best is None or score > best[0]:
                best = (score, strength, regression)
            advance(1)
        assert best is not None
        (accuracy, loss), strength, regression = best
        self._keep(
            {
                "regularisation": strength,
                "dev_accuracy": accuracy if context.dev else None,
                "dev_loss": -loss if context.dev else None,
                "train_examples": len(context.train),
                "dev_examples": len(context.dev),
                "features": int(features.shape[1]),
                "classes": class_counts(context.train, self.labels),
            }
        )
        return vectorisers, regression

    def _texts(self, examples: Sequence[Example]) -> list[list[str]]:
        return [[example.inputs[field] for example in examples] for field in self._fields]

    def _rows(self) -> int:
        return 1 if len(self.labels) == 2 else len(self.labels)

    def _result(self) -> dict[str, Any]:
        try:
            return read_json(self._record)
        except ModelError:
            return {}

    def _keep(self, result: dict[str, Any]) -> None:
        self._record.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomic(self._record, json.dumps(result, sort_keys=True).encode())


def _features(vectorisers: Sequence[Any], columns: Sequence[Sequence[str]]) -> Any:
    from scipy.sparse import hstack

    parts = [v.transform(texts) for v, texts in zip(vectorisers, columns, strict=True)]
    return hstack(parts, format="csr") if len(parts) > 1 else parts[0]


def _log_probabilities(regression: Any, features: Any) -> list[tuple[float, ...]]:
    """Rows of log-softmax. Of two classes the decision value is the log-odds of the second."""
    values = regression.decision_function(features)
    rows = [[0.0, float(v)] for v in values] if values.ndim == 1 else values.tolist()
    normalised = []
    for row in rows:
        top = max(row)
        norm = top + math.log(math.fsum(math.exp(value - top) for value in row))
        normalised.append(tuple(value - norm for value in row))
    return normalised


def _score(rows: Sequence[Sequence[float]], targets: Sequence[int]) -> tuple[float, float]:
    """Accuracy and mean log-likelihood: the first decides, the second breaks ties."""
    pairs = list(zip(rows, targets, strict=True))
    right = sum(max(range(len(row)), key=row.__getitem__) == target for row, target in pairs)
    return right / len(pairs), math.fsum(row[target] for row, target in pairs) / len(pairs)
