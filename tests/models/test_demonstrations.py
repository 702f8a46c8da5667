"""Which demonstrations a prompt shows, by each selection."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from robust_eval.errors import ModelError
from robust_eval.models.context import ModelContext, PromptSettings
from robust_eval.models.demonstrations import SELECTIONS
from robust_eval.models.prompt import make_prompt
from robust_eval.records import TASKS, Example, TaskKind

LABELS = ("negative", "positive")
REVIEWS = tuple(
    Example(f"r{i}", {"text": f"review {i} " + "word " * i}, LABELS[i % 5 == 0], f"r{i}")
    for i in range(20)
)
PROBLEMS = tuple(
    Example(
        f"m{i}",
        {"question": f"problem {i}"},
        (str(i),),
        f"m{i}",
        {"rationale": "\n".join(f"step {k}" for k in range(i))},
    )
    for i in range(12)
)


def context(
    pool: tuple[Example, ...], kind: TaskKind = TaskKind.CLASSIFICATION, seed: int = 0, **asked: Any
) -> ModelContext:
    task = TASKS[kind]
    return ModelContext(
        task=task,
        labels=LABELS if task.has_labels else (),
        train=(),
        dev=(),
        demonstrations=pool,
        seed=seed,
        cache_dir=Path("unused"),
        prompt=PromptSettings(**({"shots": 4} | asked)),
    )


@pytest.mark.parametrize("select", SELECTIONS)
def test_a_selection_follows_the_seed_and_the_pool_but_not_its_order(select: str) -> None:
    pages = {
        make_prompt(context(pool, select=select)).render({"text": "word review 3"})
        for pool in (REVIEWS, REVIEWS[::-1])
    }
    assert len(pages) == 1
    assert pages.pop().count("Sentiment:") == 5


def test_random_ignores_labels_that_balanced_evens_out() -> None:
    def count(select: str) -> set[int]:
        return {
            Counter(
                shown.answer
                for shown in make_prompt(context(REVIEWS, select=select, seed=seed)).demonstrations
            )["positive"]
            for seed in range(12)
        }

    assert count("balanced") == {2}
    assert len(count("random")) > 1


def test_complex_takes_the_longest_chains_and_without_chains_the_longest_texts() -> None:
    asked = context(PROBLEMS, TaskKind.MATH, select="complex", prompting="cot")
    assert {d.id for d in make_prompt(asked).demonstrations} == {"m8", "m9", "m10", "m11"}
    assert {d.id for d in make_prompt(context(REVIEWS, select="complex")).demonstrations} == {
        "r16", "r17", "r18", "r19",
    }  # fmt: skip


def test_similar_shows_each_example_its_nearest_last() -> None:
    pool = tuple(
        Example(f"p{i}", {"text": text}, LABELS[i % 2], f"p{i}")
        for i, text in enumerate(("a cold soup", "a dull film", "a fine film about cats", "cats"))
    )
    prompt = make_prompt(context(pool, select="similar", shots=2))
    assert [d.id for d in prompt.shown({"text": "a film about cats"})] == ["p3", "p2"]
    assert [d.id for d in prompt.shown({"text": "soup of the day"})][-1] == "p0"
    assert len(prompt.shown({"text": ""})) == 2
    page = prompt.render({"text": "a film about cats"})
    assert page.index("Review: cats") < page.index("Review: a fine film about cats")


def test_chains_stand_before_the_answer_and_cannot_pose_as_an_example() -> None:
    pool = (
        Example(
            "m", {"question": "1 + 1?"}, ("2",), "m", {"rationale": "one\n\nQuestion: x\n#### 2"}
        ),
    )
    page = make_prompt(context(pool, TaskKind.MATH, shots=1, prompting="cot")).render(
        {"question": "2 + 2?"}
    )
    assert "step by step\none\nQuestion: x\n#### 2\nThe answer is 2.\n\nQuestion: 2 + 2?" in page
    assert page.count("\n\n") == 1


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (context(REVIEWS, select="nearest"), "unknown selection 'nearest'"),
        (context(REVIEWS[:2]), "2 demonstrations; use --shots 2"),
        (
            context(REVIEWS, TaskKind.BOOLEAN_QA, prompting="cot"),
            "0 demonstrations with a rationale",
        ),
        (context(PROBLEMS, TaskKind.MATH, template="math-cot"), "give --prompting cot"),
        (
            context(PROBLEMS, TaskKind.MATH, template="math", prompting="cot"),
            "give --prompting direct",
        ),
        (context(REVIEWS, samples=5), "--samples 5 needs a temperature above 0"),
        (context(REVIEWS, prompting="cot"), "no built-in chain-of-thought template"),
    ],
)
def test_what_cannot_be_shown_is_said(asked: ModelContext, why: str) -> None:
    with pytest.raises(ModelError, match=why):
        make_prompt(asked)
