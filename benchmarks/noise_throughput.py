"""Texts per second of native noise, one core, beside nlpaug in the same process.

    python benchmarks/noise_throughput.py

`texts/s` counts everything that a run pays: the keyed stream, the example record and the realised dose. `alone` is the
noise by itself, `perturb(text, rng)`, which is what nlpaug's `augment(text)` does; `ratio` is alone over nlpaug, and
`whole` the full path over nlpaug, which keys and measures nothing. Both sides get the same 20-word texts in one
process, and the best of the rounds counts, in processor time.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable, Sequence

from robust_eval.perturb import REGISTRY, make, perturb_example
from robust_eval.records import Example
from robust_eval.rng import stream

VOCABULARY = (
    "the film keeps moving even where its story does not hold together and every actor seems to enjoy "
    "a quiet joke that nobody explains until late evening when rain finally stops over an empty harbour"
)
TEXTS = 2_000
PEER_TEXTS = 200
ROUNDS = 5
SEVERITY = 3
TARGETS = {"characters": 20_000, "words": 10_000, "surface": 10_000}
LEAST = 2_000  # of any other group
PEERS = {
    "keyboard-typos": ("char", "KeyboardAug", {"aug_word_max": None}),
    "ocr-confusions": ("char", "OcrAug", {"aug_word_max": None}),
    "char-insertions": ("char", "RandomCharAug", {"action": "insert", "aug_word_max": None}),
    "char-swaps": ("char", "RandomCharAug", {"action": "swap", "aug_word_max": None}),
    "char-drops": ("char", "RandomCharAug", {"action": "delete", "aug_word_max": None}),
    "misspellings": ("word", "SpellingAug", {"aug_max": None}),
    "word-drops": ("word", "RandomWordAug", {"action": "delete", "aug_max": None}),
    "word-swaps": ("word", "RandomWordAug", {"action": "swap", "aug_max": None}),
    "word-splits": ("word", "SplitAug", {"aug_max": None}),
}


def texts(count: int) -> list[str]:
    """Texts of 20 words, each a different stretch of the word list."""
    words = VOCABULARY.split()
    return [" ".join(words[(i + k) % len(words)] for k in range(20)) + "." for i in range(count)]


def per_second(work: Callable[[], object], count: int) -> float:
    """Texts per second of processor time, the best round of several."""
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return count / best


def ours(name: str, examples: Sequence[Example]) -> Callable[[], object]:
    chain = (make(name, SEVERITY),)
    return lambda: [
        perturb_example(chain, example, seed=0, fields=("text",)) for example in examples
    ]


def alone(name: str, originals: Sequence[str]) -> Callable[[], object]:
    noise, rng = make(name, SEVERITY), stream(0, name)
    return lambda: [noise.perturb(text, rng) for text in originals]


def peer(name: str, originals: Sequence[str]) -> Callable[[], object] | None:
    if name not in PEERS:
        return None
    module, kind, options = PEERS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            augmenters = __import__(f"nlpaug.augmenter.{module}", fromlist=[kind])
        except ImportError:
            return None
    augmenter = getattr(augmenters, kind)(**options)
    return lambda: [augmenter.augment(text) for text in originals]


def main() -> int:
    examples = [Example(str(i), {"text": t}, "", str(i)) for i, t in enumerate(texts(TEXTS))]
    originals = texts(PEER_TEXTS)
    print(
        f"{'perturbation':<26}{'group':<12}{'texts/s':>10}{'alone':>10}{'nlpaug':>10}{'ratio':>8}{'whole':>8}"
    )
    missed = 0
    for name, kind in REGISTRY.items():
        if kind.needs:  # works on whole examples, not on texts
            continue
        mine = per_second(ours(name, examples), TEXTS)
        line = f"{name:<26}{kind.group:<12}{mine:>10,.0f}"
        noise = per_second(alone(name, texts(TEXTS)), TEXTS)
        line += f"{noise:>10,.0f}"
        if work := peer(name, originals):
            theirs = per_second(work, PEER_TEXTS)
            line += f"{theirs:>10,.0f}{noise / theirs:>8.1f}{mine / theirs:>8.1f}"
        target = TARGETS.get(kind.group, LEAST)
        if name != "mixed-noise" and mine < target:
            missed += 1
            line += f"  under {target:,}"
        print(line, flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
