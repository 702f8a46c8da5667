"""The lockstep engine: success, budgets, full batches, resuming, and what it refuses."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from robust_eval.attack import Attack, Attacked, Situation, attack_all, parse_attack
from robust_eval.attack.draft import Draft
from robust_eval.errors import InfrastructureError, RecipeError
from robust_eval.models.cache import PredictionCache
from robust_eval.records import Example, Job, ModelCard, Prediction, Status, TaskKind

LABELS = ("negative", "positive")
SITUATION = Situation(TaskKind.CLASSIFICATION, LABELS, lambda prediction, example: 0.0)
WEIGHTS = {"wonderful": 2.0, "fine": 0.5, "dull": -1.5, "not": -1.0, "awful": -2.0}


class Lexicon:
    """Adds the weights of known words: positive above zero. Hidden scores, failures and crashes on demand."""

    def __init__(
        self, *, scored: bool = True, fail: str = "", crash_after: int | None = None
    ) -> None:
        self.labels = LABELS
        self.batches: list[int] = []
        self.asked = 0
        self._scored, self._fail, self._crash_after = scored, fail, crash_after
        self.card = ModelCard("lexicon", "lexicon", "model", "scripted", f"lexicon {scored}", True)

    def jobs(self, examples: Sequence[Example]) -> Iterator[Job]:
        for start in range(0, len(examples), 16):
            part = examples[start : start + 16]
            yield Job(tuple(range(start, start + len(part))), lambda part=part: self._answers(part))  # type: ignore[misc]

    def _answers(self, examples: Sequence[Example]) -> list[Prediction]:
        if self._crash_after is not None and self.asked >= self._crash_after:
            raise InfrastructureError("the server went away")
        self.batches.append(len(examples))
        self.asked += len(examples)
        return [self._one(e) for e in examples]

    def _one(self, example: Example) -> Prediction:
        text = example.inputs["text"]
        if self._fail and self._fail in text:
            return Prediction(example.id, status=Status.FAILED)
        total = sum(WEIGHTS.get(word, 0.0) for word in text.lower().split()) + 0.1
        p = 1 / (1 + math.exp(-total))
        label = LABELS[int(p > 0.5)]
        scores = (math.log(1 - p), math.log(p)) if self._scored else None
        return Prediction(example.id, label=label, scores=scores)


def attack(search: dict[str, object] | None = None, **changes: object) -> Attack:
    table: dict[str, object] = {
        "name": "bug",
        "search": search or {"name": "greedy", "ranking": "unknown"},
        "proposals": [{"name": "swap-characters", "first": False}, "delete-character"],
        "constraints": ["no-repeat", "no-stopwords"],
    }
    return parse_attack(table | changes, "test")


def texts(*given: str) -> list[Example]:
    return [Example(f"e{i}", {"text": t}, "positive", f"e{i}") for i, t in enumerate(given)]


def run(
    folder: Path,
    examples: Sequence[Example],
    model: Lexicon,
    of: Attack | None = None,
    budget: int = 100,
) -> list[Attacked]:
    with PredictionCache.open(folder) as cache:
        return attack_all(
            of or attack(),
            model,
            examples,
            cache,
            situation=SITUATION,
            fields=("text",),
            key="bug>lexicon",
            seed=0,
            budgets=[budget] * len(examples),
        )


def test_the_word_that_decides_is_misspelt_and_nothing_else(tmp_path: Path) -> None:
    (result,) = run(tmp_path, texts("the film was wonderful although a dull plot hurt"), Lexicon())
    assert result.outcome == "succeeded"
    words = result.example.inputs["text"].split()
    assert [
        w
        for w in words
        if w not in ["the", "film", "was", "wonderful", "although", "a", "dull", "plot", "hurt"]
    ] == [words[3]]
    assert result.words_changed == 1
    # clean, one masked text for each of the five content words, and two replacements
    assert result.queries == 1 + 5 + 2


def test_what_is_wrong_already_is_skipped_and_costs_one_query(tmp_path: Path) -> None:
    (result,) = run(tmp_path, texts("an awful film"), Lexicon())
    assert (result.outcome, result.queries, result.example.inputs["text"]) == (
        "skipped",
        1,
        "an awful film",
    )


def test_a_text_that_cannot_be_turned_is_returned_unchanged(tmp_path: Path) -> None:
    (result,) = run(tmp_path, texts("seen on tuesday evening"), Lexicon())
    assert result.outcome == "failed"
    assert result.example.inputs["text"] == "seen on tuesday evening"
    assert result.words_changed == 0


@pytest.mark.parametrize("text", ["", "   ", "the and of", "🎬🎬🎬", "x", "\ud800 nor"])
def test_texts_without_a_word_to_change_are_no_success_and_no_error(
    tmp_path: Path, text: str
) -> None:
    (result,) = run(tmp_path, texts(text), Lexicon())
    assert result.outcome == "failed"
    assert result.example.inputs["text"] == text


def test_a_budget_is_never_exceeded(tmp_path: Path) -> None:
    examples = texts(
        "a wonderful tale of wonderful people", "one wonderful fine wonderful evening out"
    )
    for budget in range(1, 12):
        model = Lexicon()
        results = run(tmp_path / str(budget), examples, model, budget=budget)
        assert all(r.queries <= budget for r in results)
        assert model.asked == sum(r.queries for r in results)


def test_many_attacks_share_batches_and_each_ends_as_it_would_alone(tmp_path: Path) -> None:
    examples = texts(
        *(
            f"a wonderful film number {i} with fine people and {'dull ' * (i % 3)}scenes"
            for i in range(40)
        )
    )
    model = Lexicon()
    together = run(tmp_path / "all", examples, model)
    alone = [run(tmp_path / e.id, [e], Lexicon())[0] for e in examples]
    assert together == alone
    assert together == run(tmp_path / "back", examples[::-1], Lexicon())[::-1]
    assert sum(model.batches) / len(model.batches) > 12  # of 16


def test_after_a_crash_no_query_is_asked_again(tmp_path: Path) -> None:
    examples = texts(*(f"a wonderful film number {i} with fine people" for i in range(20)))
    whole = Lexicon()
    expected = run(tmp_path / "whole", examples, whole)
    broken = Lexicon(crash_after=64)
    with pytest.raises(InfrastructureError, match="went away"):
        run(tmp_path / "cut", examples, broken)
    resumed = Lexicon()
    assert run(tmp_path / "cut", examples, resumed) == expected
    assert broken.asked + resumed.asked == whole.asked


def test_labels_without_scores_are_enough(tmp_path: Path) -> None:
    examples = texts("one wonderful and fine evening but not quite", "not a wonderful film")
    results = run(tmp_path, examples, Lexicon(scored=False))
    assert [r.outcome for r in results] == ["succeeded", "succeeded"]
    assert "wonderful" not in results[0].example.inputs["text"].split()
    assert results[0].words_changed == 1  # the way back took all other changes away


def test_a_failed_request_is_counted_and_no_candidate(tmp_path: Path) -> None:
    example = texts("the film was wonderful although a dull plot hurt")
    (plain,) = run(tmp_path / "plain", example, Lexicon())
    bad = plain.example.inputs["text"].split()[3]
    (result,) = run(tmp_path / "failing", example, Lexicon(fail=bad))
    assert result.unanswered == 1
    assert bad not in result.example.inputs["text"]


def test_a_victim_that_answers_nothing_stops_the_attack(tmp_path: Path) -> None:
    with pytest.raises(InfrastructureError, match="answered none of the 1 requests"):
        run(tmp_path, texts("a wonderful film"), Lexicon(fail="wonderful"))


def test_the_targeted_goal_needs_a_label_of_the_data(tmp_path: Path) -> None:
    aimed = attack(goal={"name": "targeted", "label": "negativ"})
    with pytest.raises(RecipeError, match="did you mean 'negative'"):
        run(tmp_path, texts("a wonderful film"), Lexicon(), aimed)
    right = attack(goal={"name": "targeted", "label": "positive"})
    assert run(tmp_path, texts("a wonderful film"), Lexicon(), right)[0].outcome == "skipped"


def test_input_reduction_keeps_the_word_that_carries_the_answer(tmp_path: Path) -> None:
    shorter = attack(
        search={"name": "greedy", "ranking": "delete"}, proposals=["delete-word"], constraints=[],
        goal="input-reduction",
    )  # fmt: skip
    model = Lexicon()
    (result,) = run(
        tmp_path, texts("awful dull wonderful wonderful wonderful film"), model, shorter
    )
    assert result.outcome == "succeeded"
    assert len(result.example.inputs["text"].split()) < 6
    assert model._one(result.example).label == "positive"


def test_the_random_baseline_draws_alike_every_time(tmp_path: Path) -> None:
    walk = attack(search={"name": "random", "rounds": 3})
    examples = texts("a wonderful film with many people in many rooms", "nothing of note")
    first = run(tmp_path / "a", examples, Lexicon(), walk)
    assert first == run(tmp_path / "b", examples, Lexicon(), walk)


@pytest.mark.parametrize(
    "text", ["It's a well-made film.", "  two  spaces ", "", "a\nb\tc", "¿qué?", "no.", "日本 語"]
)
def test_a_draft_gives_its_text_back(text: str) -> None:
    draft = Draft.of(texts(text)[0], ("text",))
    assert draft.inputs["text"] == text
    for i in range(len(draft.words)):
        changed = draft.with_word(i, "X")
        assert changed.changed == (i,)
        assert changed.restored(i).inputs["text"] == text


def test_a_deleted_word_takes_its_space_along() -> None:
    draft = Draft.of(texts("one two, three")[0], ("text",))
    assert draft.without(0).inputs["text"] == "two, three"
    assert draft.without(1).inputs["text"] == "one, three"
    assert draft.without(2).inputs["text"] == "one two, "
    assert draft.without(0).without(1).inputs["text"] == ", three"


@pytest.mark.parametrize(
    "search",
    [
        {"name": "greedy", "ranking": "delete"},
        {"name": "greedy", "ranking": "saliency"},
        {"name": "greedy", "ranking": "random"},
        {"name": "beam", "width": 2},
        {"name": "population", "size": 8},
    ],
    ids=str,
)
def test_every_search_turns_an_easy_text_and_repeats_exactly(
    tmp_path: Path, search: dict[str, object]
) -> None:
    examples = texts("a wonderful film but not for people in a hurry", "not a wonderful evening")
    first = run(tmp_path / "a", examples, Lexicon(), attack(search))
    assert [r.outcome for r in first] == ["succeeded", "succeeded"]
    assert first == run(tmp_path / "b", examples[::-1], Lexicon(), attack(search))[::-1]
