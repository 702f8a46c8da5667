"""Which solved examples a prompt shows: drawn by seed, balanced, the most complex, or the nearest."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from robust_eval.errors import ModelError, did_you_mean
from robust_eval.models.context import ModelContext
from robust_eval.models.reasoning import chain_steps, clean_chain
from robust_eval.records import Example
from robust_eval.rng import shuffled, stream

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Demonstration:
    """A solved example that the prompt shows: its texts and the answer as the prompt words it."""

    id: str
    inputs: tuple[tuple[str, str], ...]
    answer: str
    rationale: str = ""  # steps before the answer, one a line, where the template reasons


def draw_demonstrations(
    context: ModelContext, words: Mapping[str, str], *, reasoning: bool = False
) -> tuple[Demonstration, ...]:
    """The demonstrations that the settings ask for; the whole pool where each example gets its nearest.

    Depends on the seed and the pool's content, not on the pool's order.

    Raises:
        ModelError: an unknown selection, fewer examples in the pool than shots, or none that reasons.
    """
    shots, select = context.prompt.shots, context.prompt.select
    if shots < 0:
        raise ModelError(f"shots must be 0 or more, not {shots}")
    if select not in SELECTIONS:
        raise ModelError(f"unknown selection {select!r}{did_you_mean(select, SELECTIONS)}")
    if not shots:
        return ()
    pool = sorted(context.demonstrations, key=lambda example: example.id)
    if reasoning:
        pool = [example for example in pool if _rationale(example)]
    if shots > len(pool):
        what = "demonstrations with a rationale" if reasoning else "demonstrations"
        remedy = (
            "more training data, or a column for it (--column rationale=COLUMN)"
            if reasoning
            else "more training data"
        )
        raise ModelError(
            f"{shots} shots asked, and the pool has {len(pool)} {what}; use --shots "
            f"{len(pool)} or fewer, or {remedy}"
        )
    drawn = SELECTIONS[select](context, pool, shots)
    return tuple(_solved(example, context, words, reasoning=reasoning) for example in drawn)


def _balanced(context: ModelContext, pool: Sequence[Example], shots: int) -> list[Example]:
    """As many of each label as can be, in a shuffled order; a label that has run out leaves its turn."""
    turns: dict[str, list[Example]] = {}
    for example in pool:
        label = str(example.target) if context.task.has_labels else ""
        turns.setdefault(label, []).append(example)
    labels = shuffled(stream(context.seed, "demonstrations", "labels"), sorted(turns))
    queues = [
        shuffled(stream(context.seed, "demonstrations", "of", label), turns[label])
        for label in labels
    ]
    drawn: list[Example] = []
    round_ = 0
    while len(drawn) < shots:
        drawn += [queue[round_] for queue in queues if round_ < len(queue)][: shots - len(drawn)]
        round_ += 1
    return shuffled(stream(context.seed, "demonstrations", "order"), drawn)


def _random(context: ModelContext, pool: Sequence[Example], shots: int) -> list[Example]:
    """Any, whatever their labels."""
    return shuffled(stream(context.seed, "demonstrations", "random"), pool)[:shots]


def _complex(context: ModelContext, pool: Sequence[Example], shots: int) -> list[Example]:
    """Those whose rationale has most steps; whose texts are longest, where none has a rationale.

    Of equal ones the draw decides; they stand in a drawn order.

    Source: Fu et al. (2023), arXiv:2210.00720, question length as the substitute included.
    """
    steps = any(_rationale(example) for example in pool)

    def size(example: Example) -> int:
        if steps:
            return chain_steps(_rationale(example))
        return sum(len(text.split()) for text in example.inputs.values())

    order = shuffled(stream(context.seed, "demonstrations", "complex"), pool)
    return sorted(order, key=lambda example: -size(example))[:shots]


def _pool(context: ModelContext, pool: Sequence[Example], shots: int) -> list[Example]:
    """All of them: each example is shown its own nearest."""
    return list(pool)


SELECTIONS: Mapping[str, Callable[[ModelContext, Sequence[Example], int], list[Example]]] = {
    "balanced": _balanced,
    "random": _random,
    "similar": _pool,
    "complex": _complex,
}


def nearest(
    pool: Sequence[Demonstration], inputs: Mapping[str, str], count: int
) -> tuple[Demonstration, ...]:
    """The `count` demonstrations that share most of the example's words, the nearest one last.

    Cosine of word counts weighted by rarity in the pool; of equal ones the first in the pool.

    Source: nearest examples as demonstrations, Liu et al. (2022), arXiv:2101.06804, there by sentence
    embeddings; words need no second model.
    """
    counts = [Counter(_words(dict(shown.inputs))) for shown in pool]
    seen = Counter(word for found in counts for word in found)
    rarity = {word: math.log((1 + len(pool)) / (1 + n)) + 1 for word, n in seen.items()}
    asked = {w: n * rarity[w] for w, n in Counter(_words(inputs)).items() if w in rarity}

    def likeness(found: Counter[str]) -> float:
        size = math.sqrt(math.fsum((n * rarity[w]) ** 2 for w, n in found.items()))
        shared = math.fsum(asked[w] * n * rarity[w] for w, n in sorted(found.items()) if w in asked)
        return shared / size if size else 0.0

    scores = [likeness(found) for found in counts]
    order = sorted(range(len(pool)), key=lambda i: (-scores[i], i))[:count]
    return tuple(pool[i] for i in reversed(order))


def _words(inputs: Mapping[str, str]) -> list[str]:
    return [word.casefold() for text in inputs.values() for word in _WORD.findall(text)]


def _rationale(example: Example) -> str:
    return clean_chain(str(example.meta.get("rationale", "")))


def _solved(
    example: Example, context: ModelContext, words: Mapping[str, str], *, reasoning: bool
) -> Demonstration:
    target = example.target if isinstance(example.target, str) else example.target[0]
    if context.task.has_labels and target not in words:
        raise ModelError(
            f"demonstration '{example.id}' has the label '{target}'{did_you_mean(target, words)}"
        )
    return Demonstration(
        id=example.id,
        inputs=tuple((field, example.inputs[field]) for field in context.task.fields),
        answer=words[target] if context.task.has_labels else target,
        rationale=_rationale(example) if reasoning else "",
    )
