"""Texts per second of every native perturbation, one core, beside nlpaug and textattack in the same process.

    python benchmarks/noise_throughput.py [NAME...] [--markdown]

`texts/s` counts everything that a run pays: the keyed stream, the example record and the realised dose. `alone` is the
perturbation by itself, `perturb(text, rng)`, which is what nlpaug's and textattack's `augment(text)` do; each `ratio` is
alone over the peer, and `whole` the full path over the peer. `changed` is the share of the texts that came back
changed. All sides get the same texts of 20 words in one process, the best of five rounds counts, in processor time, and
the machine should have nothing else to do. textattack lives in an environment of its own (docs/development.md), where
nlpaug is too: run it there for both columns.
"""

from __future__ import annotations

import os
import platform
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

from robust_eval.perturb import REGISTRY, make, perturb_example
from robust_eval.perturb.registry import NATIVE, OPTIONAL
from robust_eval.records import Example
from robust_eval.rng import stream

# Ordinary words, and something for every table and rule to find: names, numbers, contractions, dates, marks.
VOCABULARY = (
    "the film keeps moving even where its story does not hold together and every actor seems to enjoy "
    "a quiet joke that nobody explains until late evening when rain finally stops over an empty harbour "
    "James didn't receive 20 letters, twelve books on May 5, 2020 because they are watching his favorite little theater "
    "tonight, and I think it's “about” $5 for 3 miles in London: she wants to go there again, isn't that good?"
)
WORDS = 20
TEXTS = 2_000
PEER_TEXTS = 100
ROUNDS = 5
SEVERITY = 3
TARGETS = {"characters": 20_000, "words": 10_000, "surface": 10_000}
LEAST = 2_000  # of any other group
CHAINS = ("mixed-noise",)  # several perturbations in one, held to the least

Work = Callable[[], object]

NLPAUG = {
    "keyboard-typos": ("char", "KeyboardAug", {"aug_word_max": None}),
    "ocr-confusions": ("char", "OcrAug", {"aug_word_max": None}),
    "char-insertions": ("char", "RandomCharAug", {"action": "insert", "aug_word_max": None}),
    "char-swaps": ("char", "RandomCharAug", {"action": "swap", "aug_word_max": None}),
    "char-drops": ("char", "RandomCharAug", {"action": "delete", "aug_word_max": None}),
    "misspellings": ("word", "SpellingAug", {"aug_max": None}),
    "word-drops": ("word", "RandomWordAug", {"action": "delete", "aug_max": None}),
    "word-swaps": ("word", "RandomWordAug", {"action": "swap", "aug_max": None}),
    "word-splits": ("word", "SplitAug", {"aug_max": None}),
    "wordnet-synonyms": ("word", "SynonymAug", {"aug_max": None, "aug_src": "wordnet"}),
}
TEXTATTACK = {
    "keyboard-typos": "WordSwapQWERTY",
    "char-swaps": "WordSwapNeighboringCharacterSwap",
    "char-drops": "WordSwapRandomCharacterDeletion",
    "char-insertions": "WordSwapRandomCharacterInsertion",
    "invisible-characters": "WordSwapInvisibleCharacters",
    "inner-shuffles": "WordInnerSwapRandom",
    "word-drops": "WordDeletion",
    "contractions": "WordSwapContract",
    "expansions": "WordSwapExtend",
}
SHARE = 0.2  # of words, for textattack, whose default is a tenth; nlpaug's is three tenths


def texts(count: int) -> list[str]:
    """Texts of 20 words, each a different stretch of the word list."""
    words = VOCABULARY.split()
    return [
        " ".join(words[(7 * i + k) % len(words)] for k in range(WORDS)) + "." for i in range(count)
    ]


def examples(name: str, count: int) -> list[Example]:
    """The texts as examples that this perturbation can work on."""
    made = []
    for i, text in enumerate(texts(count)):
        inputs = {"text": text}
        if NATIVE[name].needs:
            inputs = {"context": text, "question": "What did James receive in London in 2020?"}
        made.append(Example(str(i), inputs, "20 letters", str(i)))
    return made


def per_second(work: Work, count: int) -> float:
    """Texts per second of processor time, the best round of several."""
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return count / best


def ours(name: str, given: Sequence[Example]) -> Work:
    chain = (make(name, SEVERITY),)
    fields = tuple(given[0].inputs)
    return lambda: [perturb_example(chain, e, seed=0, fields=fields) for e in given]


def alone(name: str, given: Sequence[Example]) -> Work:
    noise, rng = make(name, SEVERITY), stream(0, name)
    fields = tuple(given[0].inputs)
    if hasattr(noise, "perturb_example"):
        return lambda: [noise.perturb_example(e, fields, rng) for e in given]
    originals = [e.inputs["text"] for e in given]
    return lambda: [noise.perturb(text, rng) for text in originals]


def changed(name: str, given: Sequence[Example]) -> float:
    chain = (make(name, SEVERITY),)
    fields = tuple(given[0].inputs)
    doses = [perturb_example(chain, e, seed=0, fields=fields)[1] for e in given]
    return sum(dose.changed for dose in doses) / len(doses)


def nlpaug(name: str, originals: Sequence[str]) -> Work | None:
    if name not in NLPAUG:
        return None
    module, kind, options = NLPAUG[name]
    augmenters = __import__(f"nlpaug.augmenter.{module}", fromlist=[kind])
    augmenter = getattr(augmenters, kind)(**options)
    return lambda: [augmenter.augment(text) for text in originals]


def textattack(name: str, originals: Sequence[str]) -> Work | None:
    if name not in TEXTATTACK:
        return None
    from textattack import augmentation, transformations

    augmenter = augmentation.Augmenter(
        getattr(transformations, TEXTATTACK[name])(), pct_words_to_swap=SHARE
    )
    return lambda: [augmenter.augment(text) for text in originals]


PEERS = {"nlpaug": nlpaug, "textattack": textattack}


def peer(name: str, package: str) -> float | None:
    """The peer's texts per second; None where it has nothing like it or is not installed here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            work = PEERS[package](name, texts(PEER_TEXTS))
        except (ImportError, LookupError):
            return None
        return per_second(work, PEER_TEXTS) if work else None


def row(name: str) -> tuple[list[str], bool]:
    """The row of the table, and whether the target was missed."""
    given = examples(name, TEXTS)
    whole = per_second(ours(name, given), TEXTS)
    noise = per_second(alone(name, given), TEXTS)
    kind = NATIVE[name]
    cells = [name, kind.group, f"{changed(name, given):.0%}", f"{whole:,.0f}", f"{noise:,.0f}"]
    for package in PEERS:
        theirs = peer(name, package)
        cells += (
            [f"{theirs:,.0f}", f"{noise / theirs:.1f}", f"{whole / theirs:.1f}"]
            if theirs
            else ["–", "", ""]
        )
    target = LEAST if name in CHAINS else TARGETS.get(kind.group, LEAST)
    cells.append(f"{target:,}" + (" missed" if whole < target else ""))
    return cells, whole < target


HEADINGS = [
    "perturbation", "group", "changed", "texts/s", "alone", "nlpaug", "ratio", "whole", "textattack", "ratio", "whole", "target",
]  # fmt: skip
WIDTHS = [26, 13, 9, 10, 10, 8, 7, 7, 11, 7, 7, 16]


def shown(cells: Sequence[str], markdown: bool) -> str:
    if markdown:
        return f"| {' | '.join(cells)} |"
    return "".join(cell.ljust(w) if k < 2 else cell.rjust(w) for k, (cell, w) in enumerate(zip(cells, WIDTHS, strict=True)))  # fmt: skip


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if "model name" in line), "")


def main(arguments: Sequence[str]) -> int:
    markdown = "--markdown" in arguments
    names = [name for name in arguments if name in NATIVE] or [
        *REGISTRY,
        *(name for name in OPTIONAL if os.environ.get("NLTK_DATA")),
    ]
    print(f"Python {platform.python_version()}, one core of {processor()}; {TEXTS:,} texts of {WORDS} words, severity {SEVERITY}")  # fmt: skip
    print(shown(HEADINGS, markdown))
    if markdown:
        print(shown(["---"] * len(HEADINGS), markdown))
    missed = 0
    for name in names:
        cells, under = row(name)
        missed += under
        print(shown(cells, markdown), flush=True)
    print(f"{len(names)} perturbations, {missed} under their target")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
