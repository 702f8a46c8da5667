"""How far a shifted set is from the clean one, by what tells the two apart."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from robust_eval.models.embedding import SentenceEncoder
from robust_eval.records import Example, ShiftSize
from robust_eval.rng import digest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SAMPLE: Final = 400  # texts of each side for words and classifier
EMBEDDED: Final = 128  # texts of each side for embeddings
FOLDS: Final = 5
LONGEST: Final = 20_000  # characters of a text that are looked at
STRENGTH: Final = (
    10.0  # inverse regularisation: the classifier is to find a difference if there is one
)
WORDS: Final = r"(?u)\w+|[^\w\s]"
WORD: Final = re.compile(r"[^\W\d_]+")
DIGITS: Final = 4


def shift_size(
    clean: Sequence[Example],
    shifted: Sequence[Example],
    encoder: SentenceEncoder | None = None,
) -> ShiftSize:
    """The size of a shift by five measures, on a keyed sample: the same for any order of examples.

    - `classifier_error`: cross-validated error of a bag-of-words classifier that tells shifted from clean texts, both
      classes weighing alike: 0.5 when it cannot. Copies of one source item lie in one fold.
    - `proxy_a_distance`: 2 (1 - 2 error), 0 to 2.
    - `vocabulary_overlap`: Jaccard index of the two sides' word types; `new_words`: the share of the shifted side's words
      that the clean side does not have.
    - `length_ratio`: mean characters of a shifted text over those of a clean one.
    - `embedding_distance`: 1 - cosine of the two mean embeddings; `mmd`: maximum mean discrepancy under a Gaussian kernel of
      median width; both None without an encoder.

    Source: Ben-David et al. (2006), NIPS 19 (proxy A-distance); Gretton et al. (2012), JMLR 13 (MMD).
    """
    first, second = _sample(clean, SAMPLE), _sample(shifted, SAMPLE)
    texts, other = [_text(e) for e in first], [_text(e) for e in second]
    error = _classifier_error(texts, other, first, second)
    words, new = _types(texts), _types(other)
    both = len(words.keys() & new.keys())
    total = sum(new.values())
    lengths = [sum(map(len, side)) / len(side) for side in (texts, other)]
    embedding = mmd = None
    if encoder is not None:
        left, right = (
            encoder.embed([_text(e) for e in _sample(side, EMBEDDED)]) for side in (clean, shifted)
        )
        embedding = round(_mean_distance(left, right), DIGITS)
        mmd = round(_mmd(left, right), DIGITS)
    return ShiftSize(
        classifier_error=round(error, DIGITS),
        proxy_a_distance=round(max(0.0, 2 * (1 - 2 * error)), DIGITS),
        vocabulary_overlap=round(both / max(1, len(words.keys() | new.keys())), DIGITS),
        new_words=round(
            sum(count for word, count in new.items() if word not in words) / max(1, total), DIGITS
        ),
        length_ratio=round(lengths[1] / max(1.0, lengths[0]), DIGITS),
        embedding_distance=embedding,
        mmd=mmd,
        encoder=encoder.name if encoder else "",
        texts=(len(texts), len(other)),
    )


def _sample(examples: Sequence[Example], size: int) -> list[Example]:
    """The first by a key of their source: paired sets are sampled alike."""
    return sorted(examples, key=lambda e: (digest("distance", e.source_id, e.id, size=8), e.id))[
        :size
    ]


def _text(example: Example) -> str:
    return "\n".join(example.inputs.values())[:LONGEST]


def _types(texts: Sequence[str]) -> Mapping[str, int]:
    return Counter(word.lower() for text in texts for word in WORD.findall(text))


def _classifier_error(
    clean: Sequence[str],
    shifted: Sequence[str],
    first: Sequence[Example],
    second: Sequence[Example],
) -> float:
    """Mean of the two sides' error rates, over folds; 0.5 where a fold cannot be trained."""
    import numpy as np
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    texts = [*clean, *shifted]
    sides = np.array([0] * len(clean) + [1] * len(shifted))
    folds = np.array([digest("fold", e.source_id, size=4)[0] % FOLDS for e in (*first, *second)])
    try:
        vectoriser: Any = TfidfVectorizer(token_pattern=WORDS, sublinear_tf=True)
        features = vectoriser.fit_transform(texts)
    except ValueError:  # no word at all on either side
        return 0.5
    wrong = np.full(len(texts), np.nan)
    for fold in range(FOLDS):
        test = folds == fold
        train = ~test
        if not test.any():
            continue
        if len(set(sides[train])) < 2:
            wrong[test] = 0.5
            continue
        model = LogisticRegression(C=STRENGTH, class_weight="balanced", max_iter=1_000)
        model.fit(features[train], sides[train])
        wrong[test] = model.predict(features[test]) != sides[test]
    return float(np.mean([wrong[sides == side].mean() for side in (0, 1)]))


def _mean_distance(left: NDArray[np.float32], right: NDArray[np.float32]) -> float:
    import numpy as np

    a, b = left.mean(axis=0, dtype=np.float64), right.mean(axis=0, dtype=np.float64)
    scale = float(np.linalg.norm(a) * np.linalg.norm(b))
    return max(0.0, 1.0 - float(a @ b) / scale) if scale else 0.0


def _mmd(left: NDArray[np.float32], right: NDArray[np.float32]) -> float:
    """The biased estimate, so that it is 0 for equal samples and never negative."""
    import numpy as np

    both = np.concatenate([left, right]).astype(np.float64)
    squared = np.maximum(0.0, 2.0 - 2.0 * (both @ both.T))  # the vectors have length 1
    width = float(np.median(squared[np.triu_indices(len(both), 1)]))
    kernel = np.exp(-squared / width) if width > 0 else np.ones_like(squared)
    n = len(left)
    value = kernel[:n, :n].mean() + kernel[n:, n:].mean() - 2 * kernel[:n, n:].mean()
    return float(np.sqrt(max(0.0, value)))
