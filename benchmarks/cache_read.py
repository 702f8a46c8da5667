"""Seconds to read 100,000 stored answers back, as a warm run does; under 5 s is wanted.

python benchmarks/cache_read.py [--answers 100000]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from robust_eval.models.cache import PredictionCache
from robust_eval.models.predict import Request, predict
from robust_eval.records import Example, Job, ModelCard, Prediction
from robust_eval.rng import hexdigest

WANTED = 5.0  # seconds
BATCH = 1_000


class Known:
    """Answers at once, with scores and a raw text, as a hosted model's answers are kept."""

    labels = ("negative", "positive")
    card = ModelCard("known", "known", "model", "scripted", hexdigest("known"), False)

    def jobs(self, examples: Sequence[Example]) -> Iterator[Job]:
        for start in range(0, len(examples), BATCH):
            indices = tuple(range(start, min(start + BATCH, len(examples))))
            yield Job(indices, lambda indices=indices: [self.answer(examples[i]) for i in indices])  # type: ignore[misc]

    def answer(self, example: Example) -> Prediction:
        scores = (-2.3025850929940455, -0.10536051565782628)
        return Prediction(example.id, "positive", None, scores, scores, "positive")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--answers", type=int, default=100_000)
    options = parser.parse_args()
    text = "a plain sentence of some twenty words that a reviewer might have written late at night"
    requests = [
        Request(Example(f"e{i}", {"text": f"{text} {i}"}, "positive", f"e{i}"), "clean")
        for i in range(options.answers)
    ]
    with tempfile.TemporaryDirectory() as folder:
        with PredictionCache.open(Path(folder)) as cache:
            started = time.perf_counter()
            predict(Known(), requests, cache)
            cold = time.perf_counter() - started
        with PredictionCache.open(Path(folder)) as cache:
            started, busy = time.perf_counter(), time.process_time()
            predict(Known(), requests, cache)
            warm, busy = time.perf_counter() - started, time.process_time() - busy
            assert cache.stored == 0
    print(f"{options.answers:,} answers stored in {cold:.1f} s")
    print(
        f"read back in {warm:.1f} s, {busy:.1f} s of them processor time (under {WANTED:g} wanted)"
    )
    return 0 if warm < WANTED else 1


if __name__ == "__main__":
    sys.exit(main())
