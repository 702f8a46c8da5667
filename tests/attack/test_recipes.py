"""Attack recipes: what is packaged, what is refused, and the proposals that need data or a model."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

import pytest

from robust_eval.attack import parse_attack, substitutes
from robust_eval.attack.draft import Draft
from robust_eval.attack.proposals import CHARACTER_PROPOSALS, HOMOGLYPHS
from robust_eval.attack.recipe import PROPOSALS
from robust_eval.errors import ModelError, RecipeError
from robust_eval.perturb import perturbations_folder
from robust_eval.recipes import AttackPlan, parse_shifts
from robust_eval.records import Example
from robust_eval.rng import stream

PACKAGED = sorted(
    path.stem for path in perturbations_folder().glob("*.toml") if "[[attack]]" in path.read_text("utf-8")
)  # fmt: skip
PLAIN: dict[str, Any] = {"name": "x", "search": "greedy", "proposals": ["delete-word"]}


def draft(text: str) -> Draft:
    return Draft.of(Example("e", {"text": text}, "positive", "e"), ("text",))


@pytest.mark.parametrize("name", PACKAGED)
def test_every_packaged_attack_parses_and_cites_its_source(name: str) -> None:
    (plan,) = parse_shifts([name], seed=3)
    assert isinstance(plan, AttackPlan)
    assert plan.key == name
    assert plan.seed == 3
    assert plan.attack.source
    for part in ("goal:", "constraints:", "proposals:", "search:"):
        assert part in plan.attack.parts


def test_the_named_papers_are_there() -> None:
    wanted = {"deepwordbug", "pwws", "textbugger", "textfooler", "bae", "pruthi", "checklist"}
    assert wanted | {"random-attack"} <= set(PACKAGED)


def test_adversarial_is_a_recipe_of_attacks() -> None:
    assert all(isinstance(plan, AttackPlan) for plan in parse_shifts(["adversarial"], seed=0))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"search": "gredy"}, "unknown search 'gredy'; did you mean 'greedy'"),
        ({"search": {"name": "greedy", "ranking": "delte"}}, "did you mean 'delete'"),
        ({"proposals": ["swap-letters"]}, "unknown proposal 'swap-letters'"),
        ({"proposals": []}, "at least one proposal"),
        ({"proposals": [{"name": "perturbation", "of": "keybord-typos"}]}, "did you mean 'keyboard-typos'"),
        ({"proposals": ["masked-word"]}, "needs a masked language model"),
        ({"constraints": [{"name": "edit-rate", "most": "all"}]}, "most must be float, not 'all'"),
        ({"constraints": [{"name": "edit-rate", "moost": 1}]}, "did you mean 'most'"),
        ({"constraints": [{"name": "edit-distance", "most": -1}]}, "from 0 to 1,000,000"),
        ({"constraints": ["no-repeats"]}, "did you mean 'no-repeat'"),
        ({"goal": "untargetted"}, "did you mean 'untargeted'"),
        ({"name": "a>b"}, "short text without"),
        ({"model": "x"}, "unknown key 'model'"),
        ({"search": 3}, "write a part as"),
    ],
)  # fmt: skip
def test_a_bad_attack_is_refused_with_its_remedy(change: Mapping[str, Any], said: str) -> None:
    with pytest.raises(RecipeError, match=r"mine\.toml") as refused:
        parse_attack({**PLAIN, **change}, "mine.toml")
    assert said in str(refused.value)


@pytest.mark.parametrize("kind", CHARACTER_PROPOSALS, ids=lambda kind: kind.name)
def test_character_proposals_touch_one_word_and_repeat_exactly(kind: Any) -> None:
    before = draft("something wonderful, again!")
    for position in range(3):
        first, second = (kind().drafts(before, position, stream(1, position)) for _ in range(2))
        assert first == second
        assert all(made.changed == (position,) for made in first)


def test_the_ends_of_a_word_stay_where_a_recipe_says_so() -> None:
    inner = PROPOSALS["swap-characters"](every=True, first=False, last=False)  # type: ignore[call-arg]
    made = [d.words[0] for d in inner.drafts(draft("abcde"), 0, Random(0))]
    assert made == ["acbde", "abdce"]
    assert list(inner.drafts(draft("abc"), 0, Random(0))) == []


def test_homoglyphs_look_alike_and_are_others() -> None:
    assert all(ord(other) > 127 and other != letter for letter, other in HOMOGLYPHS.items())


def test_missing_wordnet_is_an_error_with_its_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import nltk

    monkeypatch.setattr(nltk.data, "path", [str(tmp_path)])
    monkeypatch.setattr("nltk.corpus.wordnet", nltk.corpus.util.LazyCorpusLoader("wordnet", nltk.corpus.reader.WordNetCorpusReader, None))  # fmt: skip
    substitutes._wordnet.cache_clear()
    with pytest.raises(ModelError, match=r"python -m nltk\.downloader wordnet"):
        substitutes._wordnet()
    substitutes._wordnet.cache_clear()


def test_wordnet_synonyms_keep_the_case_and_are_single_words() -> None:
    if not os.environ.get("NLTK_DATA"):
        pytest.skip("NLTK data: set NLTK_DATA")
    made = [d.words[0] for d in PROPOSALS["wordnet-synonym"]().drafts(draft("Wonderful film"), 0, Random(0))]  # fmt: skip
    assert "Marvelous" in made
    assert all(word[0].isupper() and "_" not in word for word in made)
    assert "Wonderful" not in made


def test_a_handle_is_put_behind_the_text() -> None:
    made = PROPOSALS["random-handle"]().drafts(draft("a film"), -1, stream(0, "x"))
    assert all(d.inputs["text"].startswith("a film ") and d.rewritten for d in made)


def test_recipes_are_toml_with_departures_said() -> None:
    for name in PACKAGED:
        table = tomllib.loads((perturbations_folder() / f"{name}.toml").read_text("utf-8"))
        for attack in table["attack"]:
            assert attack.get("departs") or "our own" in attack["source"]
