"""The grammar of shifts and the recipes that it reads."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from robust_eval.errors import RecipeError
from robust_eval.models.prompt_edits import EDITS
from robust_eval.perturb import NATIVE, REGISTRY
from robust_eval.recipes import (
    NaturalPlan,
    NoisePlan,
    describe_perturbations,
    describe_recipes,
    parse_shifts,
    recipe_names,
)


def keys(*specs: str, seed: int = 0) -> list[str]:
    return [
        plan.key if isinstance(plan, NoisePlan) else f"ood:{plan.name}"
        for plan in parse_shifts(specs, seed=seed)
    ]


def recipe(folder: Path, content: str, name: str = "mine.toml") -> str:
    path = folder / name
    path.write_text(content, "utf-8")
    return str(path)


def test_a_bare_name_is_severity_3() -> None:
    (plan,) = parse_shifts(["keyboard-typos"], seed=5)
    assert isinstance(plan, NoisePlan)
    assert (plan.key, plan.severity, plan.seed, plan.family) == ("keyboard-typos@3", 3, 5, "noise")


def test_listed_severities_are_one_set_each() -> None:
    assert keys("char-drops@1,3,5") == ["char-drops@1", "char-drops@3", "char-drops@5"]


def test_what_is_asked_twice_is_made_once() -> None:
    assert keys("char-drops@3,3", "char-drops", "char-drops@1") == ["char-drops@3", "char-drops@1"]


def test_noisy_is_at_most_six_sets() -> None:
    assert keys("noisy") == [
        "mixed-noise@1",
        "mixed-noise@3",
        "mixed-noise@5",
        "keyboard-typos@3",
        "ocr-confusions@3",
        "word-drops@3",
    ]


def test_noisy_full_is_every_noise_at_every_severity() -> None:
    noises = [name for name, kind in REGISTRY.items() if kind.family == "noise"]
    assert len(keys("noisy-full")) == 5 * len(noises)


def test_a_family_is_all_its_members() -> None:
    noises = [name for name, kind in REGISTRY.items() if kind.family == "noise"]
    assert keys("family:noise@2") == [f"{name}@2" for name in noises]


def test_domain_and_all_ask_for_natural_shifts() -> None:
    assert parse_shifts(["domain"], seed=0) == (NaturalPlan("*"),)
    assert parse_shifts(["ood:imdb"], seed=0) == (NaturalPlan("imdb"),)
    assert NaturalPlan("*") in parse_shifts(["all"], seed=0)
    assert set(keys("noisy")) < set(keys("all"))


@pytest.mark.parametrize("name", recipe_names())
def test_every_shipped_recipe_parses(name: str) -> None:
    assert parse_shifts([name], seed=0)


def test_smoke_is_two_sets() -> None:
    assert len(parse_shifts(["smoke"], seed=0)) == 2


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("keybord-typos", "unknown shift 'keybord-typos'; did you mean 'keyboard-typos'?"),
        ("noisi", "did you mean 'noisy'?"),
        ("keyboard-typos@6", "severity '6' in 'keyboard-typos@6' is not one of 1, 2, 3, 4, 5"),
        ("keyboard-typos@0", "not one of"),
        ("keyboard-typos@", "not one of"),
        ("keyboard-typos@1,,2", "not one of"),
        ("keyboard-typos@1.0", "not one of"),
        ("keyboard-typos@³", "not one of"),
        ("noisy@3", "has its own severities"),
        ("family:nose", "unknown family 'nose'"),
        ("family:adversarial", "no perturbation is of family"),
        ("ood:", "write ood:NAME"),
        ("ood:imdb@3", "write ood:NAME"),
        ("nlpag:KeyboardAug", "did you mean 'nlpaug'?"),
        ("missing.toml", "no recipe file 'missing.toml'"),
        ("./noisy", "no recipe file"),
        ("", "empty shift"),
    ],
)
def test_a_wrong_shift_is_one_clear_line(spec: str, message: str) -> None:
    with pytest.raises(RecipeError, match=re.escape(message)) as raised:
        parse_shifts([spec], seed=0)
    assert "\n" not in str(raised.value)


def test_no_shift_at_all_is_an_error() -> None:
    with pytest.raises(RecipeError, match="no shift given"):
        parse_shifts([], seed=0)


def test_a_recipe_file_with_everything(tmp_path: Path) -> None:
    path = recipe(
        tmp_path,
        """
        summary = "mine"
        seeds = [0, 2]
        include = ["domain", "part.toml"]

        [[shift]]
        name = "word-drops"
        label = "all-words"
        severities = [2]
        parameters = { keep_negations = false }
        protect = ["Paris"]

        [[shift]]
        name = "my-mix"
        chain = ["misspellings", "word-drops"]
        severities = [4]
        seeds = [0]
        parameters = { word-drops = { keep_negations = false } }
        """,
    )
    recipe(tmp_path, '[[shift]]\nname = "stutters"\n', "part.toml")
    plans = parse_shifts([path], seed=10)
    assert [p.key for p in plans if isinstance(p, NoisePlan)] == [
        "stutters@3",
        "all-words@2",
        "all-words@2#2",
        "my-mix@4",
    ]
    noise = {p.key: p for p in plans if isinstance(p, NoisePlan)}
    assert noise["all-words@2"].seed == 10
    assert noise["all-words@2#2"].seed == 12
    assert noise["all-words@2"].shift == noise["all-words@2#2"].shift == "all-words"
    assert noise["all-words@2"].protect == ("Paris",)
    assert "keep_negations=False" in noise["all-words@2"].source
    assert len(noise["my-mix@4"].chain) == 2
    assert "keep_negations=False" in noise["my-mix@4"].source
    assert NaturalPlan("*") in plans


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("not toml at all", "is not TOML"),
        ("summary = 3\n[[shift]]\nname = 'stutters'", "summary must be text"),
        ("sumary = 'x'", "unknown key 'sumary'; did you mean 'summary'?"),
        ("summary = 'x'", "holds no [[shift]]"),
        ("[shift]\nname = 'stutters'", "write every shift as a [[shift]] table"),
        ("[[shift]]\nname = 'stuters'", "unknown perturbation 'stuters'; did you mean 'stutters'?"),
        (
            "[[shift]]\nname = 'stutters'\nseverity = 3",
            "unknown key 'severity'; did you mean 'severities'?",
        ),
        ("[[shift]]\nname = 'stutters'\nseverities = [0]", "severity 0 is not one of"),
        ("[[shift]]\nname = 'stutters'\nseverities = [true]", "severity True is not one of"),
        ("[[shift]]\nname = 'stutters'\nseverities = 3", "severities must be a list"),
        ("[[shift]]\nname = 'stutters'\nseeds = [-1]", "seeds must be a list"),
        ("[[shift]]\nname = 'stutters'\nparameters = { speed = 1 }", "no parameter 'speed'"),
        ("[[shift]]\nname = 'word-drops'\nparameters = { keep_negations = 'no' }", "must be bool"),
        ("[[shift]]\nname = 'word-drops'\nparameters = { severity = 5 }", "'severity' cannot be"),
        ("[[shift]]\nname = 'word-drops'\nparameters = { keep_negations = [1] }", "cannot be [1]"),
        ("[[shift]]\nname = 'mix'\nchain = []", "chain must be a list"),
        ("[[shift]]\nname = 'mix'\nchain = ['stuters']", "did you mean 'stutters'?"),
        ("[[shift]]\nname = 'stutters'\nchain = ['stutters']", "needs a name of its own"),
        (
            "[[shift]]\nname = 'mix'\nchain = [" + "'stutters'," * 13 + "]",
            "at most 12 links, not 13",
        ),
        ("[[shift]]\nname = 'a'\nfamily = 'noise'", "exactly one of name, family, natural"),
        ("[[shift]]\nseverities = [1]", "exactly one of name, family, natural"),
        ("[[shift]]\nnatural = '*'\nseverities = [1]", "does not go with 'natural'"),
        ("[[shift]]\nname = 'stutters'\nlabel = 'a@b'", "short text without @ and #"),
        ("[[shift]]\nname = 'stutters'\nprotect = ['']", "protect must be a list of words"),
        ("[[shift]]\nname = 'python:os:system'", "unknown provider 'python'"),
        ("include = ['nosy']", "unknown recipe 'nosy'; did you mean 'noisy'?"),
        ("include = ['../other.toml']", "leaves the recipe's folder"),
        ("include = ['/etc/other.toml']", "leaves the recipe's folder"),
        ("include = ['absent.toml']", "no file 'absent.toml' to include"),
        ("include = ['./mine.toml']", "more than 4 deep"),
        (
            "[[shift]]\nname = 'word-drops'\n[[shift]]\nname = 'word-drops'\nparameters = { keep_negations = false }",
            "two different sets would be called 'word-drops@3'; give one of them a label",
        ),
        (
            "[[shift]]\nfamily = 'noise'\nseeds = [" + ",".join(map(str, range(60))) + "]",
            "more than 1,000",
        ),
        (
            "[[shift]]\nname = 'stutters'\nseeds = [" + ",".join(map(str, range(101))) + "]",
            "at most 100 seeds",
        ),
    ],
)
def test_a_wrong_recipe_is_one_clear_line(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(RecipeError, match=re.escape(message)) as raised:
        parse_shifts([recipe(tmp_path, content)], seed=0)
    assert "mine.toml" in str(raised.value) or "sets" in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1


def test_a_link_does_not_lead_out_of_the_folder(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    outside = tmp_path / "outside.toml"
    outside.write_text("[[shift]]\nname = 'stutters'\n")
    (inner / "link.toml").symlink_to(outside)
    with pytest.raises(RecipeError, match="leaves the recipe's folder"):
        parse_shifts([recipe(inner, "include = ['link.toml']")], seed=0)


def test_a_huge_recipe_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="over 256 KiB"):
        parse_shifts([recipe(tmp_path, "#" * 300_000)], seed=0)


def test_a_recipe_that_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecipeError, match="is not TOML"):
        parse_shifts([str(path)], seed=0)


def test_lists_have_one_row_each() -> None:
    assert [row[0] for row in describe_perturbations()] == [*NATIVE, *EDITS]
    assert {len(row) for row in describe_perturbations()} == {5}
    said = {row[0]: row[-1] for row in describe_perturbations()}
    assert said["context-padding"].endswith("?needle=middle|start|end")
    assert said["word-drops"].endswith("?keep_negations=true|false")
    assert said["char-drops"].endswith("does.")
    assert [row[0] for row in describe_recipes()] == list(recipe_names())
    assert {name: sets for name, sets, _ in describe_recipes()}["noisy"] == "6"
    assert all(summary for _, _, summary in describe_recipes())
