"""TextAttack's recipes against our models, and our models under TextAttack's own interface."""

from __future__ import annotations

import csv
import importlib.util
import math
import os
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import robust_eval
from robust_eval import store
from robust_eval.attack import Attacked, Situation, TextattackRecipe, textattack_recipes
from robust_eval.attack.bridge import textattack_all
from robust_eval.attack.textattack_recipes import KNOWN, NOT_OFFERED, describe_textattack
from robust_eval.errors import InfrastructureError, ModelError, RecipeError, UsageError
from robust_eval.models.cache import PredictionCache
from robust_eval.perturb.external import TEXTATTACK
from robust_eval.recipes import AttackPlan, parse_shifts
from robust_eval.records import Example, Job, ModelCard, Prediction, Status, TaskKind

LABELS = ("negative", "positive")
SITUATION = Situation(TaskKind.CLASSIFICATION, LABELS, lambda prediction, example: 0.0)
WEIGHTS = {"wonderful": 2.0, "fine": 0.5, "dull": -1.5, "not": -1.0, "awful": -2.0}
OFFLINE = ("deepwordbug", "pruthi", "pwws", "leap", "input-reduction")
FETCHING = [name for name in KNOWN if name not in OFFLINE]

needs_nltk = pytest.mark.skipif(
    not os.environ.get("NLTK_DATA"), reason="NLTK data: set NLTK_DATA to a folder that holds it"
)


def in_second(test: Any) -> Any:
    """Where textattack is, with the data that it reads at import; its own dependencies warn."""
    return pytest.mark.textattack(pytest.mark.filterwarnings("ignore")(needs_nltk(test)))


class Lexicon:
    """Adds the weights of known words: positive above zero. Hidden scores, failures and crashes on demand."""

    def __init__(
        self,
        *,
        scored: bool = True,
        fail: str = "",
        silent: str = "",
        crash_after: int | None = None,
    ) -> None:
        self.labels = LABELS
        self.asked: list[str] = []
        self.drawn: list[float] = []
        self._scored, self._fail, self._silent, self._crash_after = (
            scored,
            fail,
            silent,
            crash_after,
        )
        self.card = ModelCard("lexicon", "lexicon", "model", "scripted", f"lexicon {scored}", True)

    def jobs(self, examples: Sequence[Example]) -> Iterator[Job]:
        for start in range(0, len(examples), 16):
            part = examples[start : start + 16]
            yield Job(tuple(range(start, start + len(part))), lambda part=part: self._answers(part))  # type: ignore[misc]

    def _answers(self, examples: Sequence[Example]) -> list[Prediction]:
        if self._crash_after is not None and len(self.asked) >= self._crash_after:
            raise InfrastructureError("the server went away")
        self.drawn.append(random.random())  # a model may draw for itself
        self.asked += [" | ".join(e.inputs.values()) for e in examples]
        return [self._one(e) for e in examples]

    def _one(self, example: Example) -> Prediction:
        text = " ".join(example.inputs.values())
        if self._fail and self._fail in text:
            return Prediction(example.id, status=Status.FAILED)
        if self._silent and self._silent not in text:
            return Prediction(example.id, status=Status.UNPARSED, raw="well")
        total = sum(WEIGHTS.get(word, 0.0) for word in text.lower().split()) + 0.1
        p = 1 / (1 + math.exp(-total))
        scores = (math.log(1 - p), math.log(p)) if self._scored else None
        return Prediction(example.id, label=LABELS[int(p > 0.5)], scores=scores)


def texts(*given: str) -> list[Example]:
    return [Example(f"e{i}", {"text": t}, "positive", f"e{i}") for i, t in enumerate(given)]


def run(
    folder: Path,
    examples: Sequence[Example],
    model: Lexicon,
    kind: str = "deepwordbug",
    budget: int = 200,
    fields: Sequence[str] = ("text",),
    **parameters: Any,
) -> list[Attacked]:
    with PredictionCache.open(folder) as cache:
        return textattack_all(
            TextattackRecipe(kind, tuple(parameters.items())),
            model,
            examples,
            cache,
            situation=SITUATION,
            fields=fields,
            key=f"textattack:{kind}>lexicon",
            seed=0,
            budgets=[budget] * len(examples),
        )


# --- names, without the package --------------------------------------------------------------------


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the package and the NLTK data were here: recipes are named without importing it."""
    monkeypatch.setattr(textattack_recipes.importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(textattack_recipes, "require_nltk", lambda name, resources: None)


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("kind", OFFLINE)
def test_a_recipe_is_an_attack_under_its_full_name(kind: str) -> None:
    (plan,) = parse_shifts([f"textattack:{kind}"], seed=3)
    assert isinstance(plan, AttackPlan)
    assert (plan.key, plan.seed) == (f"textattack:{kind}", 3)
    assert KNOWN[kind].made_by in plan.attack.parts
    assert plan.attack.source


@pytest.mark.usefixtures("installed")
def test_parameters_of_a_recipe_are_part_of_its_name() -> None:
    (plan,) = parse_shifts(["textattack:pruthi?max_num_word_swaps=2"], seed=0)
    assert plan == AttackPlan(TextattackRecipe("pruthi", (("max_num_word_swaps", 2),)), 0)
    assert plan.key == "textattack:pruthi?max_num_word_swaps=2"


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("textattack:pwsw", "did you mean 'pwws'"),
        ("textattack:PWWSRen2019", "did you mean 'pwws'"),
        ("textattack:WordSwapQWERTYS", "did you mean 'WordSwapQWERTY'"),
        ("textattack:pwws@3", "an attack has no severity"),
        ("textattack:pruthi?max_num_word_swap=2", "did you mean 'max_num_word_swaps'"),
        ("textattack:pruthi?max_num_word_swaps=two", "must be int, not 'two'"),
        ("textattack:hotflip", "gradients"),
        ("textattack:seq2sick", "translations"),
        ("textattack:zzz", "known: DeepWordBug, WordDeletion"),
    ],
)
def test_a_wrong_name_is_refused_with_the_nearest_of_both_kinds(spec: str, said: str) -> None:
    with pytest.raises(RecipeError) as refused:
        parse_shifts([spec], seed=0)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_no_name_is_both_a_recipe_and_a_transformation() -> None:
    names = {*KNOWN, *NOT_OFFERED}
    assert not names & set(TEXTATTACK)
    assert all(name == name.lower() for name in names)
    assert all(name != name.lower() for name in TEXTATTACK)
    assert len(describe_textattack()) == len(KNOWN)


@pytest.mark.parametrize("kind", sorted(KNOWN))
def test_without_the_package_the_remedy_is_one_line(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(textattack_recipes.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(RecipeError, match=r"pip install 'robust-eval\[textattack\]'") as refused:
        parse_shifts([f"textattack:{kind}"], seed=0)
    ours = {"deepwordbug", "pruthi", "pwws", "textfooler", "textbugger", "bae", "checklist"}
    if kind in ours:
        assert f"the recipe {kind!r} of our own does without" in str(refused.value)


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("kind", FETCHING)
def test_what_a_recipe_would_fetch_is_named_before_anything_runs(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("TA_CACHE_DIR", "FLAIR_CACHE_ROOT", "TFHUB_CACHE_DIR"):
        monkeypatch.setenv(variable, str(tmp_path))
    with pytest.raises(ModelError, match="nothing is fetched during a run: ") as refused:
        parse_shifts([f"textattack:{kind}"], seed=0)
    missing = [need for need in KNOWN[kind].needs if need.kind != "nltk"]
    assert missing[0].where in str(refused.value)


@pytest.mark.usefixtures("installed")
def test_what_lies_in_the_cache_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TA_CACHE_DIR", str(tmp_path))
    (tmp_path / "word_embeddings" / "paragramcf").mkdir(parents=True)
    (plan,) = parse_shifts(["textattack:iga"], seed=0)
    assert isinstance(plan, AttackPlan)


@pytest.mark.usefixtures("installed")
def test_a_recipe_file_may_name_one(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(
        '[[attack]]\ntextattack = "pruthi"\nparameters = { max_num_word_swaps = 2 }\n'
    )
    (plan,) = parse_shifts([str(tmp_path / "mine.toml")], seed=0)
    assert plan.key == "textattack:pruthi?max_num_word_swaps=2"
    for table, said in (
        ('textattack = "pruthy"', "did you mean 'pruthi'"),
        ('textattack = "pwws"\nsearch = "greedy"', "'search' does not go with 'textattack'"),
        ('textattack = "WordDeletion"', "write it as a [[shift]]"),
        ('textattack = "pruthi"\nparameters = { max_num_word_swaps = "2" }', "must be int"),
        ("textattack = 3", "a recipe's name"),
    ):
        (tmp_path / "bad.toml").write_text(f"[[attack]]\n{table}\n")
        with pytest.raises(RecipeError, match=r"bad\.toml") as refused:
            parse_shifts([str(tmp_path / "bad.toml")], seed=0)
        assert said in str(refused.value)


# --- attacks ---------------------------------------------------------------------------------------


@in_second
@pytest.mark.parametrize("kind", OFFLINE)
def test_the_word_that_decides_is_changed(tmp_path: Path, kind: str) -> None:
    (result,) = run(tmp_path, texts("the film was wonderful although a dull plot hurt"), model := Lexicon(), kind)  # fmt: skip
    assert result.outcome == "succeeded"
    answer = model._one(result.example)
    assert answer.label == ("positive" if kind == "input-reduction" else "negative")
    assert result.queries == len(set(model.asked)) == len(model.asked)
    assert result.words_changed >= 1
    if kind in ("deepwordbug", "pruthi", "pwws"):
        assert "wonderful" not in result.example.inputs["text"].split()
        assert result.words_changed == 1
    assert not result.fault


@in_second
@pytest.mark.parametrize("kind", ["deepwordbug", "pwws", "leap"])
def test_an_attack_repeats_exactly_whatever_the_generators_hold(tmp_path: Path, kind: str) -> None:
    examples = texts(
        *(f"a wonderful film number {i} with fine people and dull scenes" for i in range(4))
    )
    results = []
    for number in range(2):
        random.seed(number)
        np.random.seed(number)
        before = random.getstate(), np.random.get_state()[1].tolist()
        model = Lexicon()
        order = examples if number else examples[::-1]
        found = run(tmp_path / str(number), order, model, kind)
        results.append(found if number else found[::-1])
        expected = random.Random()
        expected.setstate(before[0])
        assert model.drawn == [expected.random() for _ in model.drawn]  # the caller's own draws
        assert np.random.get_state()[1].tolist() == before[1]
    assert results[0] == results[1]


@in_second
def test_after_a_crash_no_query_is_asked_again(tmp_path: Path) -> None:
    examples = texts(*(f"a wonderful film number {i} with fine people" for i in range(6)))
    whole = Lexicon()
    expected = run(tmp_path / "whole", examples, whole)
    broken = Lexicon(crash_after=30)
    with pytest.raises(InfrastructureError, match="went away"):
        run(tmp_path / "cut", examples, broken)
    resumed = Lexicon()
    assert run(tmp_path / "cut", examples, resumed) == expected
    assert broken.asked + resumed.asked == whole.asked


@in_second
@pytest.mark.parametrize("kind", ["deepwordbug", "pruthi", "pwws", "leap"])
def test_a_budget_is_never_exceeded(tmp_path: Path, kind: str) -> None:
    examples = texts("one wonderful fine wonderful evening out", "a wonderful tale of people")
    for budget in (1, 2, 3, 7, 12):
        model = Lexicon()
        results = run(tmp_path / str(budget), examples, model, kind, budget)
        assert all(r.queries <= budget for r in results)
        assert len(model.asked) == sum(r.queries for r in results)
        assert not any(r.fault for r in results)


@in_second
def test_what_is_wrong_already_is_skipped(tmp_path: Path) -> None:
    (result,) = run(tmp_path, texts("an awful film"), Lexicon())
    assert (result.outcome, result.queries) == ("skipped", 1)


@in_second
@pytest.mark.parametrize(
    "text", ["", "   ", "the and of", "🎬🎬🎬", "x", "\ufffd nor", "fine <SPLIT> film", "東京で映画を見た。", "a\x00b \u202efilm"]
)  # fmt: skip
@pytest.mark.parametrize("kind", ["deepwordbug", "pwws"])
def test_hostile_texts_are_no_error(tmp_path: Path, text: str, kind: str) -> None:
    (result,) = run(tmp_path, texts(text), Lexicon(), kind)
    assert result.outcome == "failed"
    assert result.example.inputs["text"] == text


@in_second
def test_labels_without_scores_are_enough(tmp_path: Path) -> None:
    (result,) = run(tmp_path, texts("not a wonderful film"), Lexicon(scored=False))
    assert result.outcome == "succeeded"
    assert "wonderful" not in result.example.inputs["text"].split()


@in_second
def test_an_answer_that_names_no_label_is_no_success(tmp_path: Path) -> None:
    (result,) = run(tmp_path, texts("the film was wonderful"), Lexicon(silent="wonderful"))
    assert result.outcome == "failed"


@in_second
def test_failed_requests_are_counted_and_gain_nothing(tmp_path: Path) -> None:
    examples = texts("the film was wonderful although a dull plot hurt")
    (plain,) = run(tmp_path / "plain", examples, Lexicon())
    bad = plain.example.inputs["text"].split()[3]
    (result,) = run(tmp_path / "failing", examples, Lexicon(fail=bad))
    assert result.unanswered >= 1
    assert bad not in result.example.inputs["text"].split()
    with pytest.raises(InfrastructureError, match="answered none of"):
        run(tmp_path / "dead", texts("a wonderful film", "a fine film"), Lexicon(fail="film"))


@in_second
def test_both_fields_of_a_pair_may_change(tmp_path: Path) -> None:
    pair = Example("p", {"premise": "a dull day", "hypothesis": "a wonderful day"}, "positive", "p")  # fmt: skip
    (result,) = run(tmp_path, [pair], Lexicon(), fields=("premise", "hypothesis"))
    assert result.outcome == "succeeded"
    assert result.example.inputs["premise"] == "a dull day"
    assert "wonderful" not in result.example.inputs["hypothesis"]


@in_second
def test_a_task_without_labels_is_refused(tmp_path: Path) -> None:
    with PredictionCache.open(tmp_path) as cache, pytest.raises(RecipeError, match="with labels"):
        textattack_all(
            TextattackRecipe("pwws"), Lexicon(), [], cache,
            situation=Situation(TaskKind.OPEN_QA, (), lambda prediction, example: 0.0),
            fields=("question",), key="k", seed=0, budgets=[],
        )  # fmt: skip


# --- a run -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def reviews(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("reviews") / "data.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("text", "label"))
        for i in range(160):
            word = "delightful" if i % 2 else "dreadful"
            tale = f"{word} number {i} of the evening {'again ' * (i % 3)}in town"
            writer.writerow((tale, "positive" if i % 2 else "negative"))
    return path


@in_second
def test_their_recipes_make_ordinary_sets(reviews: Path, tmp_path: Path) -> None:
    shifts = tuple(f"textattack:{kind}" for kind in ("deepwordbug", "pruthi", "pwws"))
    models = ("scripted:length", "bow")
    result = robust_eval.evaluate(
        models[0], baseline=models[1], dataset=str(reviews), shift=shifts, limit=40, attack_limit=12,
        attack_budget=60, validity="off", out=tmp_path / "run", cache_dir=tmp_path / "cache",
    )  # fmt: skip
    record = result.record
    sets = {s.key: s for s in record.sets}
    assert set(sets) == {f"{shift}>{model}" for shift in shifts for model in models}
    for key, s in sets.items():
        assert s.family == "adversarial"
        assert s.built_against == key.partition(">")[2]
        assert "TextAttack 0.3.11" in s.source
        answers = record.predictions[s.built_against, key]
        for example, attack, answer in zip(s.examples, s.attacks, answers, strict=True):
            assert attack.queries <= 60
            assert (answer.label != example.target) == (attack.outcome != "failed")
        assert all((model, key) in record.predictions for model in models)  # transfer too
    assert {(f.set_key, f.model) for f in record.attacks} == {
        (k, k.partition(">")[2]) for k in sets
    }
    assert {c.shift for c in record.comparisons} == set(shifts)
    assert sum(f.succeeded for f in record.attacks) > 20
    assert [s.attacks for s in store.load(result.folder).sets] == [s.attacks for s in record.sets]
    assert "textattack:pwws" in result.report.read_text(encoding="utf-8")


@in_second
@pytest.mark.parametrize("model", ["bow", "scripted:length"])
def test_our_models_stand_behind_their_interface(reviews: Path, tmp_path: Path, model: str) -> None:
    import textattack

    with robust_eval.textattack_victim(
        model, dataset=str(reviews), limit=20, cache_dir=tmp_path
    ) as victim:
        attack = textattack.attack_recipes.DeepWordBugGao2018.build(victim)
        arguments = textattack.AttackArgs(num_examples=6, silent=True, disable_stdout=True)
        results = textattack.Attacker(attack, victim.dataset, arguments).attack_dataset()
    kinds = {type(result).__name__ for result in results}
    assert len(results) == 6
    assert "SuccessfulAttackResult" in kinds
    assert all(float(r.original_result.raw_output.sum()) == pytest.approx(1.0) for r in results)


@in_second
def test_a_misspelt_setting_of_the_interface_is_named(reviews: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="did you mean 'limit'"):
        robust_eval.textattack_victim("bow", dataset=str(reviews), limt=3, cache_dir=tmp_path)


@pytest.mark.skipif(bool(importlib.util.find_spec("textattack")), reason="textattack: is installed")
def test_the_interface_says_what_to_install(reviews: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"robust-eval\[textattack\]"):
        robust_eval.textattack_victim("bow", dataset=str(reviews), cache_dir=tmp_path)
