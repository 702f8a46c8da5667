"""Universal triggers: neutral words, halves, one trigger a label, and the way to the report."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

import robust_eval
from robust_eval import store
from robust_eval.attack import AttackPlan, attack_sets, check_attacks, parse_attack
from robust_eval.attack.shared import halves
from robust_eval.attack.vocabulary import Trigger, neutral_words
from robust_eval.audit import verify
from robust_eval.errors import RecipeError
from robust_eval.models.cache import PredictionCache
from robust_eval.recipes import parse_shifts
from robust_eval.records import (
    TASKS,
    Dataset,
    Example,
    Job,
    ModelCard,
    Prediction,
    ShiftedSet,
    TaskKind,
)
from robust_eval.report import render_html, render_markdown

LABELS = ("negative", "positive")
FILLERS = ("window", "river", "copper", "garden", "letter")


class Weak:
    """Right, unless "copper" stands first in a positive text, or anywhere in `anywhere` mode."""

    def __init__(self, *, scored: bool = True) -> None:
        self.labels = LABELS
        self.asked = 0
        self.scored = scored
        self.card = ModelCard("weak", "weak", "model", "scripted", f"weak {scored}", True)

    def jobs(self, examples: Sequence[Example]) -> Iterator[Job]:
        yield Job(tuple(range(len(examples))), lambda: [self._one(e) for e in examples])

    def _one(self, example: Example) -> Prediction:
        self.asked += 1
        words = example.inputs["text"].split()
        good = "lovely" in words and "copper" not in words[:3]
        p = 0.9 if good else 0.2
        scores = (math.log(1 - p), math.log(p)) if self.scored else None
        return Prediction(example.id, label=LABELS[int(good)], scores=scores)


def dataset(n: int = 60) -> Dataset:
    def text(i: int) -> str:
        word = "lovely" if i % 2 else "dreadful"
        return (
            f"one {word} tale, not of a {FILLERS[(i // 2) % 5]} by the {FILLERS[(i // 2 + 1) % 5]}"
        )

    examples = tuple(Example(f"e{i}", {"text": text(i)}, LABELS[i % 2], f"e{i}") for i in range(n))
    return Dataset("d", TASKS[TaskKind.CLASSIFICATION], LABELS, examples, "1", "f")


def plan(**changes: object) -> AttackPlan:
    table: dict[str, object] = {
        "name": "t",
        "trigger": {"place": "prefix", "words": 2},
        "search": {"name": "greedy", "ranking": "random"},
        "proposals": [{"name": "vocabulary-word", "most": 40}],
    }
    return AttackPlan(parse_attack(table | changes, "test"), 0)


def attacked(
    folder: Path, victim: Weak, of: AttackPlan, budget: int = 200, limit: int | None = 100
) -> ShiftedSet:
    with PredictionCache.open(folder) as cache:
        (made,) = attack_sets(
            dataset(), [of], [victim], cache, quality=lambda p, e: 0.0, budget=budget, limit=limit,
            seed=0,
        )  # fmt: skip
    return made


@pytest.mark.parametrize("scored", [True, False])
def test_the_word_that_a_model_stumbles_over_is_found_for_the_label_that_it_hurts(
    tmp_path: Path, scored: bool
) -> None:
    found = attacked(tmp_path, Weak(scored=scored), plan())
    changes = {change.label: change for change in found.shared}
    assert "copper" in changes["positive"].after.split()
    assert (changes["positive"].score_before, changes["positive"].score_after) == (1.0, 0.0)
    assert changes["negative"].after == ""  # nothing hurts it
    development, tested = halves(dataset(), None, 0)
    assert [e.id for e in found.examples] == [e.id for e in tested]
    assert not {e.id for e in development} & {e.id for e in tested}
    for old, new in zip(tested, found.examples, strict=True):
        trigger = changes[str(old.target)].after
        assert new.inputs["text"] == f"{trigger} {old.inputs['text']}".strip()
    assert (found.family, found.built_against) == ("adversarial", "weak")


def test_a_suffix_stands_behind(tmp_path: Path) -> None:
    found = attacked(tmp_path, Weak(), plan(trigger={"place": "suffix", "words": 1}))
    assert all(not change.after for change in found.shared)  # the model looks at the beginning
    example = dataset().examples[0]
    trigger = Trigger(place="suffix", words=1)
    assert trigger.on(example, "copper", "text").inputs["text"].endswith(" copper")


def test_the_budget_counts_versions_and_is_never_exceeded(tmp_path: Path) -> None:
    for budget in (1, 2, 5):
        victim = Weak()
        found = attacked(tmp_path / str(budget), victim, plan(), budget, limit=20)
        assert all(change.queries <= budget for change in found.shared)
        assert all(change.development == 10 for change in found.shared)
        assert victim.asked <= 2 * 10 * budget


def test_a_second_search_asks_nothing_again(tmp_path: Path) -> None:
    first = attacked(tmp_path, Weak(), plan())
    again = Weak()
    assert attacked(tmp_path, again, plan()) == first
    assert again.asked == 0


def test_words_that_speak_for_a_label_and_negations_are_no_candidates() -> None:
    words = neutral_words(dataset().examples, "text")
    assert set(FILLERS) <= set(words)
    assert not {"lovely", "dreadful", "not"} & set(words)
    assert list(words) == sorted(words)


def test_without_labels_no_answer_is_among_the_words() -> None:
    examples = [
        Example("q1", {"question": "Who saw Rome and Paris"}, ("Paris",), "q1"),
        Example("q2", {"question": "Which river is long"}, ("the Nile",), "q2"),
    ]
    words = neutral_words(examples, "question")
    assert "rome" in words
    assert "paris" not in words


def test_a_targeted_trigger_is_for_other_labels(tmp_path: Path) -> None:
    aimed = plan(goal={"name": "targeted", "label": "negative"})
    (change,) = attacked(tmp_path, Weak(), aimed).shared
    assert change.label == "positive"
    assert change.score_after == 0.0


@pytest.mark.parametrize(
    ("trigger", "message"),
    [
        ({"place": "infix"}, "unknown place 'infix'"),
        ({"place": "prefx"}, "did you mean 'prefix'"),
        ({"words": 0}, "words must be from 1 to 20"),
        ({"words": 21}, "words must be from 1 to 20"),
        ({"words": 2.5}, "words must be int"),
        ({"start": "the end"}, "start must be one word"),
        ({"wrods": 2}, "did you mean 'words'"),
        ({"name": "x"}, "no key 'name'"),
        ("prefix", "write trigger = "),
    ],
)
def test_a_trigger_that_is_none_is_refused(trigger: object, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        plan(trigger=trigger)


def test_its_words_need_a_trigger_and_its_field_the_task() -> None:
    with pytest.raises(RecipeError, match="vocabulary-word is for triggers"):
        parse_attack({"name": "x", "search": "greedy", "proposals": ["vocabulary-word"]}, "test")
    elsewhere = plan(trigger={"field": "txt"})
    with pytest.raises(RecipeError, match="did you mean 'text'"):
        check_attacks([elsewhere], [Weak()], dataset())
    with pytest.raises(RecipeError, match="puts words beside texts"):
        parse_shifts(["prompt-attack:trigger-prefix"], seed=0)


def test_packaged_triggers_differ_in_their_place_alone() -> None:
    plans = parse_shifts(["trigger-prefix", "trigger-suffix"], seed=0)
    places = [p.trigger.place for p in plans if isinstance(p, AttackPlan) and p.trigger]
    assert places == ["prefix", "suffix"]


def test_a_run_shows_triggers_with_their_halves_and_can_be_verified(tmp_path: Path) -> None:
    with (tmp_path / "data.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("text", "label"))
        for e in dataset(200).examples:
            writer.writerow((f"{e.inputs['text']} {e.id}", e.target))
    result = robust_eval.evaluate(
        "scripted:length",
        baseline="bow",
        dataset=str(tmp_path / "data.csv"),
        shift="trigger-prefix",
        limit=60,
        attack_budget=20,
        out=tmp_path / "run",
        validity="words",
    )
    record = result.record
    sets = {s.key: s for s in record.sets}
    for figures in record.attacks:
        s = sets[figures.set_key]
        clean = {p.example_id: p.label for p in record.predictions[figures.model, "clean"]}
        now = record.predictions[figures.model, s.key]
        right = [e.id for e in s.examples if clean[e.id] == e.target]
        wrong = {e.id for e, p in zip(s.examples, now, strict=True) if p.label != e.target}
        assert figures.attacked == len(right)
        assert figures.flipped is not None
        assert figures.flipped.value == pytest.approx(len(wrong & set(right)) / len(right))
        assert figures.queries_median is None
        assert figures.by_budget == ()
        assert figures.flipped_unsuspected is not None
        assert figures.flipped_unsuspected.value <= figures.flipped.value
    assert "Universal triggers" in render_html(record)
    assert "Trigger of" in render_markdown(record)
    again = store.load(result.folder)
    assert [s.shared for s in again.sets] == [s.shared for s in record.sets]
    assert verify(result.folder).findings == ()
    assert verify(result.folder / "report.html").findings == ()
