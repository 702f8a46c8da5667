"""From the log-likelihoods of the labels to an answer: normalised, calibrated, the best one named."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from robust_eval.records import Prediction
from robust_eval.stats.shares import log_softmax

CONTENT_FREE = ("N/A", "[MASK]", "")  # Source: Zhao et al. (2021), arXiv:2102.09690, section 5


@dataclass(frozen=True, slots=True)
class Verdict:
    """How one model's label log-likelihoods, in the order of `labels`, become its answers."""

    labels: tuple[str, ...]
    length_normalised: bool

    def shares(self, sums: Sequence[float], lengths: Sequence[int]) -> tuple[float, ...]:
        """Log of each label's share; `lengths` counts the tokens of each label."""
        if not self.length_normalised:
            return log_softmax(sums)
        return log_softmax([total / count for total, count in zip(sums, lengths, strict=True)])

    def answer(
        self,
        example_id: str,
        sums: Sequence[float],
        shares: Sequence[float],
        *,
        content_free: Sequence[float] | None = None,
        cut: bool,
        raw: str | None = None,
    ) -> Prediction:
        """The label with the best score, and the scores. Of equal ones the first wins.

        `content_free` calibrates: probabilities are divided by those after inputs that say nothing, then
        renormalised.

        Source: Zhao et al. (2021), arXiv:2102.09690.
        """
        scores = tuple(shares)
        if content_free is not None:
            scores = log_softmax(
                [share - free for share, free in zip(shares, content_free, strict=True)]
            )
        best = max(range(len(scores)), key=lambda i: (scores[i], -i))
        return Prediction(
            example_id=example_id,
            label=self.labels[best],
            label_logprobs=tuple(sums),
            scores=scores,
            raw=raw,
            input_truncated=cut,
        )


def mean_shares(rows: Sequence[Sequence[float]]) -> tuple[float, ...]:
    """Log of the mean probability of each label; the rows are logs of shares."""
    return tuple(
        math.log(math.fsum(map(math.exp, column)) / len(rows)) for column in zip(*rows, strict=True)
    )
