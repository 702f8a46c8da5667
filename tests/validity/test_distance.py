"""The size of a shift: nothing for equal sets, more for a farther one, the same in any order."""

from __future__ import annotations

import numpy as np
import pytest

from robust_eval.perturb import make, perturb_example
from robust_eval.records import Example
from robust_eval.validity import shift_size
from robust_eval.validity.distance import _mmd

NOUNS = ["film", "plot", "actor", "scene", "story", "script", "music", "ending", "camera", "light"]
OTHER = [
    "router",
    "battery",
    "charger",
    "screen",
    "cable",
    "adapter",
    "keyboard",
    "warranty",
    "parcel",
    "refund",
]


def examples(nouns: list[str], prefix: str, count: int = 120) -> list[Example]:
    return [
        Example(f"{prefix}{i}", {"text": f"The {nouns[i % 10]} was {nouns[i * 7 % 10]} number {i}, they say."}, "x", f"{prefix}{i}")
        for i in range(count)
    ]  # fmt: skip


CLEAN = examples(NOUNS, "c")


def test_the_same_texts_are_no_shift() -> None:
    size = shift_size(CLEAN, CLEAN)
    assert size.classifier_error >= 0.5
    assert size.proxy_a_distance == 0
    assert (size.vocabulary_overlap, size.new_words, size.length_ratio) == (1, 0, 1)
    assert (size.embedding_distance, size.mmd, size.encoder) == (None, None, "")


def test_another_domain_is_far_and_noise_grows_with_severity() -> None:
    far = shift_size(CLEAN, examples(OTHER, "o"))
    assert far.classifier_error < 0.05
    assert far.proxy_a_distance > 1.8
    assert far.vocabulary_overlap < 0.5
    sizes = []
    for severity in (1, 3, 5):
        noisy = [
            perturb_example([make("keyboard-typos", severity)], e, seed=0, fields=["text"])[0]
            for e in CLEAN
        ]
        sizes.append(shift_size(CLEAN, noisy))
    assert [s.new_words for s in sizes] == sorted(s.new_words for s in sizes)
    assert sizes[0].classifier_error > sizes[2].classifier_error


def test_the_order_of_examples_does_not_matter() -> None:
    other = examples(OTHER, "o")
    assert shift_size(CLEAN, other) == shift_size(CLEAN[::-1], other[::-1])


@pytest.mark.parametrize("text", ["", "...", "\ud800", "a"])
def test_texts_without_words_have_a_size_too(text: str) -> None:
    size = shift_size(CLEAN, [Example(str(i), {"text": text}, "x", str(i)) for i in range(3)])
    assert 0 <= size.classifier_error <= 1
    assert shift_size([Example("1", {"text": text}, "x", "1")] * 2, CLEAN[:2]).length_ratio >= 0


def test_the_discrepancy_is_that_of_its_definition() -> None:
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=(n, 5)).astype(np.float32) for n in (4, 6))
    a, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (a, b))
    both = np.concatenate([a, b]).astype(float)
    squared = [[float(((x - y) ** 2).sum()) for y in both] for x in both]
    width = float(np.median([squared[i][j] for i in range(10) for j in range(i + 1, 10)]))
    kernel = np.exp(-np.array(squared) / width)
    expected = kernel[:4, :4].mean() + kernel[4:, 4:].mean() - 2 * kernel[:4, 4:].mean()
    assert _mmd(a, b) == pytest.approx(expected**0.5, abs=1e-5)
    assert _mmd(a, a) == pytest.approx(0, abs=1e-7)
