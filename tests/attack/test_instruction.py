"""Attacks on the instruction: halves, what the search may change, who is attacked, and the way to the report."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

import robust_eval
from robust_eval import store
from robust_eval.attack import PROMPT, AttackPlan, attack_sets, check_attacks, parse_attack
from robust_eval.attack.instruction import instruction_set
from robust_eval.attack.shared import halves
from robust_eval.errors import DataError, InfrastructureError, RecipeError, UsageError
from robust_eval.models.cache import PredictionCache
from robust_eval.models.prompt import Prompt
from robust_eval.models.templates import Template
from robust_eval.models.wordings import reworded
from robust_eval.recipes import parse_shifts
from robust_eval.records import (
    TASKS,
    Dataset,
    Example,
    Job,
    Model,
    ModelCard,
    Prediction,
    Status,
    TaskKind,
)
from robust_eval.report import render_html, render_markdown
from robust_eval.rng import hexdigest

LABELS = ("negative", "positive")
ASKED = "Decide whether each review is {labels}."


class Literal:
    """Answers rightly as long as its instruction says "review"; counts what it is asked. Hidden faults on demand."""

    def __init__(
        self, instruction: str = ASKED, *, scored: bool = True, fails: str = "", asked: list[str] | None = None
    ) -> None:  # fmt: skip
        self.labels = LABELS
        self.asked = [] if asked is None else asked
        self._made = {"scored": scored, "fails": fails, "asked": self.asked}
        self.prompt = Prompt(
            Template("t", "Review: {text}\n{answer}", instruction=instruction),
            tuple((label, label) for label in LABELS),
        )
        self.card = ModelCard(
            "literal", "literal", "model", "prompted", hexdigest(instruction, int(scored)), True
        )

    def with_prompt(self, edit: str) -> Model | str:
        changed = reworded(self.prompt, edit)
        if isinstance(changed, str):
            return changed
        return Literal(changed.template.instruction, **self._made)  # type: ignore[arg-type]

    def jobs(self, examples: Sequence[Example]) -> Iterator[Job]:
        yield Job(tuple(range(len(examples))), lambda: [self._one(e) for e in examples])

    def _one(self, example: Example) -> Prediction:
        told = self.prompt.template.instruction
        self.asked.append(told)
        if self._made["fails"] and str(self._made["fails"]) in told:
            return Prediction(example.id, status=Status.FAILED)
        right = str(example.target)
        label = right if "review" in told.split() else "positive"
        scores = (-0.1, -2.4) if label == "negative" else (-2.4, -0.1)
        return Prediction(example.id, label=label, scores=scores if self._made["scored"] else None)


def dataset(n: int = 40) -> Dataset:
    examples = tuple(
        Example(f"e{i}", {"text": f"text {i}"}, LABELS[i % 2], f"s{i // 2}") for i in range(n)
    )
    return Dataset("d", TASKS[TaskKind.CLASSIFICATION], LABELS, examples, "1", "f")


def plan(**changes: object) -> AttackPlan:
    table: dict[str, object] = {
        "name": "bug",
        "search": {"name": "greedy", "ranking": "delete"},
        "proposals": [{"name": "swap-characters", "first": False}, "delete-character"],
        "constraints": ["no-repeat"],
    }
    return AttackPlan(parse_attack(table | changes, "test"), 0, on_instruction=True)


def attacked(folder: Path, victim: Literal, of: AttackPlan, budget: int = 60):  # type: ignore[no-untyped-def]
    with PredictionCache.open(folder) as cache:
        (made,) = attack_sets(
            dataset(), [of], [victim], cache, quality=lambda p, e: 0.0, budget=budget, limit=100,
            seed=0,
        )  # fmt: skip
    return made


@pytest.mark.parametrize("scored", [True, False])
def test_the_word_that_carries_the_instruction_is_found_and_tested_on_the_other_half(
    tmp_path: Path, scored: bool
) -> None:
    found = attacked(tmp_path, Literal(scored=scored), plan())
    (change,) = found.shared
    assert change.before == ASKED
    assert "review" not in change.after.split()
    assert change.after.endswith("{labels}.")
    assert change.words_changed == 1
    assert (change.score_before, change.score_after) == (1.0, 0.5)
    development, tested = halves(dataset(), 100, 0)
    assert found.examples == tested
    assert change.development == len(development) == 20
    assert not {e.source_id for e in development} & {e.source_id for e in tested}
    assert (found.family, found.built_against) == ("prompt", "literal")


def test_halves_are_balanced_and_the_same_for_every_order() -> None:
    data = dataset(80)
    development, tested = halves(data, None, 3)
    for half in (development, tested):
        assert sum(e.target == "positive" for e in half) == len(half) // 2
    turned = Dataset(data.name, data.task, LABELS, data.examples[::-1], "1", "f")
    assert {e.id for e in halves(turned, None, 3)[1]} == {e.id for e in tested}
    assert {e.id for e in halves(data, None, 4)[1]} != {e.id for e in tested}
    assert len(halves(data, 7, 3)[0]) == 7
    with pytest.raises(DataError, match="raise --limit"):
        halves(dataset(2), None, 0)


def test_a_budget_counts_wordings_and_is_never_exceeded(tmp_path: Path) -> None:
    for budget in (1, 2, 7):
        victim = Literal()
        (change,) = attacked(tmp_path / str(budget), victim, plan(), budget).shared
        assert change.queries == budget
        assert len(set(victim.asked)) == budget
        assert len(victim.asked) == budget * 20


def test_where_nothing_is_worse_the_wording_stays_and_the_set_says_so(tmp_path: Path) -> None:
    safe = plan(constraints=["no-repeat", {"name": "protected-words", "words": "review"}])
    found = attacked(tmp_path, Literal(), safe)
    (change,) = found.shared
    assert change.after == change.before == ASKED
    assert change.words_changed == 0
    assert found.prompt_edit is not None
    asked = Literal().with_prompt(found.prompt_edit)
    assert not isinstance(asked, str)
    assert asked.card.fingerprint == Literal().card.fingerprint


def test_a_second_search_asks_nothing_again(tmp_path: Path) -> None:
    first = attacked(tmp_path, Literal(), plan())
    again = Literal()
    assert attacked(tmp_path, again, plan()) == first
    assert again.asked == []


def test_wordings_that_fail_are_counted_or_end_the_attack_resumably(tmp_path: Path) -> None:
    with pytest.raises(InfrastructureError, match="the same command resumes"):
        attacked(tmp_path / "a", Literal(fails="Decide"), plan())
    broken = Literal()
    with pytest.raises(InfrastructureError, match="prompt-attack:bug>literal"):
        attacked(tmp_path / "b", Literal(fails="whether review"), plan())
    attacked(tmp_path / "b", broken, plan())
    assert ASKED not in broken.asked  # the start was answered before the fault


def test_a_targeted_goal_looks_at_other_labels_alone(tmp_path: Path) -> None:
    aimed = plan(goal={"name": "targeted", "label": "positive"})
    (change,) = attacked(tmp_path, Literal(), aimed).shared
    assert change.development == 10
    assert (change.score_before, change.score_after) == (1.0, 0.0)


def test_goals_of_single_texts_are_refused() -> None:
    with pytest.raises(RecipeError, match="shortens single texts"):
        check_attacks([plan(goal="input-reduction")], [Literal()], dataset())


def test_a_model_without_instruction_is_no_victim_and_alone_an_error(tmp_path: Path) -> None:
    class Bare:
        card = ModelCard("bare", "bow", "baseline", "floor", "x", True)

    with pytest.raises(UsageError, match=r"none of the models to attack is told anything \(bare\)"):
        check_attacks([plan()], [Bare()], dataset())  # type: ignore[list-item]
    check_attacks([plan()], [Bare(), Literal()], dataset())  # type: ignore[list-item]


def test_the_set_of_one_victim_is_that_of_the_whole_call(tmp_path: Path) -> None:
    from robust_eval.attack import Situation

    with PredictionCache.open(tmp_path / "one") as cache:
        alone = instruction_set(
            dataset(), plan(), Literal(), cache, budget=60, limit=100, seed=0,
            situation=Situation(TaskKind.CLASSIFICATION, LABELS, lambda p, e: 0.0),
        )  # fmt: skip
    assert alone == attacked(tmp_path / "all", Literal(), plan())


# --- the grammar ---------------------------------------------------------------------------------


def test_any_attack_recipe_can_be_turned_on_the_instruction(tmp_path: Path) -> None:
    (one,) = parse_shifts([f"{PROMPT}deepwordbug"], seed=4)
    assert isinstance(one, AttackPlan)
    assert (one.key, one.family, one.on_instruction) == ("prompt-attack:deepwordbug", "prompt", True)  # fmt: skip
    assert len(parse_shifts([f"{PROMPT}pwws", "pwws"], seed=0)) == 2
    mine = tmp_path / "mine.toml"
    mine.write_text('[[shift]]\nname = "prompt-attack:pruthi"\nseeds = [0, 2]\n', "utf-8")
    keys = [p.key for p in parse_shifts([str(mine)], seed=0) if isinstance(p, AttackPlan)]
    assert keys == ["prompt-attack:pruthi", "prompt-attack:pruthi#2"]
    own = tmp_path / "own.toml"
    own.write_text(
        '[[attack]]\nname = "own"\nsearch = "greedy"\nproposals = ["delete-word"]\n', "utf-8"
    )
    assert [p.key for p in parse_shifts([f"{PROMPT}{own}"], seed=0) if isinstance(p, AttackPlan)] == ["prompt-attack:own"]  # fmt: skip


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("prompt-attack:deepwordbg", "did you mean 'deepwordbug'"),
        ("prompt-attack:", "unknown attack ''"),
        ("prompt-attack", "unknown attack '' in 'prompt-attack'; known: bae"),
        ("prompt-attack:noisy", "unknown attack 'noisy'"),
        ("prompt-attack:deepwordbug@3", "unknown attack 'deepwordbug@3'"),
        ("prompt-attack:nowhere.toml", "no recipe file 'nowhere.toml'"),
        ("promt-attack:pwws", "did you mean 'prompt-attack'"),
    ],
)
def test_misspelt_attacks_name_the_nearest_one(spec: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message.replace("?", r"\?")):
        parse_shifts([spec], seed=0)


def test_a_recipe_of_noise_cannot_be_turned_on_the_instruction(tmp_path: Path) -> None:
    mixed = tmp_path / "mixed.toml"
    mixed.write_text('[[shift]]\nname = "char-drops"\n', "utf-8")
    with pytest.raises(RecipeError, match="holds sets that no attack makes"):
        parse_shifts([f"{PROMPT}{mixed}"], seed=0)


# --- a run ---------------------------------------------------------------------------------------

PROMPTED = "scripted:prompted?accuracy=0.95&loss=0.9"


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> robust_eval.Evaluation:
    folder = tmp_path_factory.mktemp("told")
    with (folder / "data.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("text", "label"))
        for i in range(200):
            word = "delightful" if i % 2 else "dreadful"
            writer.writerow((f"{word} number {i} of the evening", LABELS[i % 2]))
    return robust_eval.evaluate(
        PROMPTED,
        baseline="bow",
        dataset=str(folder / "data.csv"),
        shift=("prompt-attack:deepwordbug", "deepwordbug"),
        limit=80,
        attack_limit=30,
        attack_budget=40,
        validity="off",
        out=folder / "run",
        cache_dir=folder / "cache",
    )


def test_a_run_reports_the_drop_rate_apart_from_input_shift(result) -> None:
    record = result.record
    (rate,) = [r for r in record.analysis.relative_drops if r.shift == "prompt-attack:deepwordbug"]
    assert rate.model == PROMPTED
    key = f"prompt-attack:deepwordbug>{PROMPTED}"
    (gap,) = [g for g in record.gaps if g.set_key == key]
    assert rate.rate.value == pytest.approx(gap.drop.value / gap.clean.value)
    assert gap.drop.value > 0.1
    assert [(e.model, e.set_key, e.reason) for e in record.not_applicable] == [
        ("bow", key, "it has no prompt")
    ]
    assert not [c for c in record.comparisons if c.shift.startswith(PROMPT)]
    page = render_html(record)
    (shared,) = [s.shared[0] for s in record.sets if s.shared]
    assert "Attacked instructions" in page
    assert shared.after in render_markdown(record).replace("\\", "")
    attacks = page.partition('<section id="attacks"')[2].partition("</section>")[0]
    assert attacks
    assert PROMPT not in attacks


def test_relative_drops_and_worst_cases_leave_transfer_out(result) -> None:
    record = result.record
    own = {g.model: g for g in record.gaps if g.set_key == f"deepwordbug>{g.model}"}
    rates = {r.model: r.rate for r in record.analysis.relative_drops if r.shift == "deepwordbug"}
    for model, gap in own.items():
        assert rates[model].value == pytest.approx(gap.drop.value / gap.clean.value)
    worst = [w for w in record.analysis.worst_cases if w.family == "adversarial"]
    assert [w.sets for w in worst] == [1, 1]


def test_the_record_survives_its_folder(result) -> None:
    again = store.load(result.folder)
    assert [s.shared for s in again.sets] == [s.shared for s in result.record.sets]
    assert render_html(again) == render_html(result.record)


@pytest.mark.parametrize("what", ["folder", "page"])
def test_every_figure_of_it_can_be_verified(result, what: str) -> None:
    from robust_eval.audit import verify

    path = result.folder if what == "folder" else result.folder / "report.html"
    assert verify(path).findings == ()
