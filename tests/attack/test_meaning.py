"""Constraints that read a text, proposals for whole texts, and what they need beside the recipe."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import robust_eval
from robust_eval.attack import parse_attack
from robust_eval.attack.draft import WHOLE, Draft
from robust_eval.attack.meaning import EmbeddingSimilarity, PartOfSpeech, Perplexity, _tagger
from robust_eval.attack.tools import Tools
from robust_eval.attack.whole_texts import LlmRewrite, TextPerturbation
from robust_eval.errors import ModelError, RecipeError, UsageError
from robust_eval.models.cache import PredictionCache
from robust_eval.models.perplexity import language_model
from robust_eval.models.weights import demo_minilm
from robust_eval.records import Example
from robust_eval.rng import stream

PLAIN: dict[str, object] = {"name": "x", "search": "greedy", "proposals": ["delete-word"]}


def draft(text: str) -> Draft:
    return Draft.of(Example("e", {"text": text}, "positive", "e"), ("text",))


@pytest.fixture
def tools(tmp_path: Path) -> Iterator[Tools]:
    with PredictionCache.open(tmp_path) as cache:
        yield Tools(cache)


def need_tagger() -> None:
    if not os.environ.get("NLTK_DATA"):
        pytest.skip("NLTK data: set NLTK_DATA")


# --- part of speech ------------------------------------------------------------------------------


def test_a_word_may_become_another_of_its_class_only() -> None:
    need_tagger()
    text = draft("The film was wonderful and the actors run fast")
    drafts = [
        text,
        text.with_word(3, "terrible"),  # adjective for adjective
        text.with_word(3, "run"),
        text.with_word(1, "movie"),
        text.without(3),
        text.with_word(1, "movie").with_word(3, "run"),
    ]
    assert list(PartOfSpeech().accepts(drafts)) == [True, True, False, True, False, False]


def test_a_verb_may_become_a_noun_where_a_recipe_says_so() -> None:
    need_tagger()
    verb = draft("The film was good").with_word(1, "went")
    assert not PartOfSpeech().accepts([verb])[0]
    assert PartOfSpeech(verb_noun=True).accepts([verb])[0]
    assert not PartOfSpeech(verb_noun=True).accepts([verb.restored(1).with_word(3, "went")])[0]


def test_without_the_tagger_the_remedy_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tools: Tools
) -> None:
    import nltk

    monkeypatch.setattr(nltk.data, "path", [str(tmp_path)])
    _tagger.cache_clear()
    with pytest.raises(ModelError, match=r"nltk\.downloader averaged_perceptron_tagger_eng"):
        PartOfSpeech().equipped(tools)
    _tagger.cache_clear()


# --- likeness ------------------------------------------------------------------------------------


class Counted:
    """Stands for the sentence encoder: vectors of letter counts, normalised."""

    def embed(self, texts: list[str]) -> np.ndarray:
        rows = np.array([[t.count(c) for c in "abcdefghijklmnopqrstuvwxyz "] for t in texts], float)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_a_text_stays_alike_to_its_own_original() -> None:
    constraint = replace(EmbeddingSimilarity(least=0.9), encoder=Counted())  # type: ignore[arg-type]
    one, other = draft("aaaa bbbb"), draft("cccc dddd")
    drafts = [one.with_word(0, "aaab"), one.with_word(0, "zzzz"), other.with_word(0, "ccca")]
    assert list(constraint.accepts(drafts)) == [True, False, True]


@pytest.mark.model
def test_the_encoder_tells_a_rewording_from_another_text(tools: Tools) -> None:
    try:
        demo_minilm()
    except ModelError as missing:
        pytest.skip(str(missing))
    constraint = EmbeddingSimilarity(least=0.6).equipped(tools)
    text = draft("The film was wonderful and moving")
    drafts = [text.with_word(1, "movie"), text.rewrite({"text": "Stocks fell on Tuesday"})]
    assert list(constraint.accepts(drafts)) == [True, False]
    assert (tools.folder / "embeddings-v1.sqlite3").exists()  # in the run's own cache folder


# --- fluency -------------------------------------------------------------------------------------


@pytest.mark.model
def test_salad_is_more_perplexing_than_a_sentence_and_alone_as_among_others(
    tmp_path: Path, tools: Tools
) -> None:
    constraint = Perplexity(most=3.0).equipped(tools)
    text = draft("The film was wonderful and the actors were very good.")
    fine, salad = text.with_word(1, "movie"), text.with_word(1, "zxqv").with_word(4, "oven")
    assert list(constraint.accepts([text, fine, salad])) == [True, True, False]
    assert constraint.loaded is not None
    many = [fine.text, "Short.", salad.text, "A much longer text about nothing at all. " * 4, ""]
    together = constraint.loaded.perplexities(many)
    constraint.loaded._known.clear()
    alone = [constraint.loaded.perplexities([one])[0] for one in many]
    assert together == pytest.approx(alone, rel=1e-3)
    assert together[-1] == 1.0
    assert all(value >= 1.0 for value in together)


@pytest.mark.parametrize("spec", ["gemma", "openai:gpt", "demo:", "python:x:y"])
def test_perplexity_needs_a_local_language_model(spec: str, tools: Tools) -> None:
    with pytest.raises(ModelError, match="needs a local language model"):
        Perplexity(model=spec).equipped(tools)


def test_a_missing_language_model_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="nowhere"):
        language_model(f"gguf:{tmp_path / 'nowhere.gguf'}", tmp_path)


# --- the grammar ---------------------------------------------------------------------------------


def test_what_a_part_is_given_later_is_no_key_of_a_recipe() -> None:
    for part in (
        {"name": "perplexity", "loaded": "x"},
        {"name": "embedding-similarity", "encoder": "x"},
    ):
        with pytest.raises(RecipeError, match="has no key"):
            parse_attack({**PLAIN, "constraints": [part]}, "mine.toml")
    with pytest.raises(RecipeError, match="has no key 'tools'"):
        parse_attack({**PLAIN, "proposals": [{"name": "llm-rewrite", "tools": "x"}]}, "mine.toml")


def test_equipment_does_not_change_what_an_attack_is_called(tools: Tools) -> None:
    table = {**PLAIN, "constraints": ["words-changed", {"name": "edit-rate", "most": 0.1}]}
    attack = parse_attack(table, "mine.toml")
    assert attack.equipped(tools) == attack
    bare = parse_attack({**PLAIN, "proposals": ["llm-rewrite"]}, "mine.toml")
    ready = bare.equipped(Tools(tools.cache, {"paraphrase": object()}))  # type: ignore[dict-item]
    assert ready.parts == bare.parts
    assert ready == bare


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"name": "text-perturbation", "of": "tautology"}, "did you mean 'tautologies'"),
        ({"name": "text-perturbation", "severity": 9}, "whole number from 1 to 5"),
        ({"name": "llm-rewrite", "styles": "paraphrse"}, "did you mean 'paraphrase'"),
        ({"name": "llm-rewrite", "styles": " , "}, "llm-rewrite needs a style"),
        ({"name": "lm-rewrite"}, "did you mean 'llm-rewrite'"),
    ],
)
def test_bad_proposals_for_whole_texts_are_refused(part: dict[str, object], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        parse_attack({**PLAIN, "proposals": [part]}, "mine.toml")


# --- whole texts ---------------------------------------------------------------------------------


def test_one_of_our_own_perturbations_may_change_the_whole_text() -> None:
    text = draft("A film about two brothers.")
    made = TextPerturbation(draws=3).drafts(text, WHOLE, stream(0, "x"))
    assert len(made) == 3
    assert all(d.rewritten and text.text.rstrip(".") in d.text for d in made)
    assert made == TextPerturbation(draws=3).drafts(text, WHOLE, stream(0, "x"))


WRITER = """
CALLS = []


def shout(texts):
    CALLS.append(len(texts))
    return [None if "number 3" in text else text.upper() + "!" for text in texts]


def wordy(texts):
    return ["positive" if text.isupper() else "negative" for text in texts]
"""


def run(folder: Path, **changes: object) -> robust_eval.Evaluation:
    lines = ["id,text,label"]
    lines += [f"r{i},A film number {i} was long and dull,negative" for i in range(30)]
    lines += [f"s{i},A film number {i} was short,positive" for i in range(30)]
    (folder / "reviews.csv").write_text("\n".join(lines) + "\n")
    given: dict[str, object] = {
        "baseline": "bow", "dataset": str(folder / "reviews.csv"), "shift": "paraphrase-attack",
        "rewriter": "python:shouter_for_tests:shout", "limit": 20, "shots": 0, "validity": "words",
        "attack_models": ("python:shouter_for_tests:wordy",), "out": folder / "run",
    }  # fmt: skip
    return robust_eval.evaluate("python:shouter_for_tests:wordy", **(given | changes))  # type: ignore[arg-type]


def test_a_model_may_write_what_an_attack_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shouter_for_tests.py").write_text(WRITER)
    monkeypatch.syspath_prepend(str(tmp_path))
    mine = tmp_path / "mine.toml"
    mine.write_text(
        '[[attack]]\nname = "shouted"\nsearch = "greedy"\nproposals = ["llm-rewrite"]\n', "utf-8"
    )
    record = run(tmp_path, shift=str(mine)).record
    (made,) = record.sets
    clean = {e.id: e for e in record.dataset.examples}
    outcomes = set()
    for example, result in zip(made.examples, made.attacks, strict=True):
        outcomes.add(result.outcome)
        before = clean[example.id].inputs["text"]
        if result.outcome == "succeeded":
            assert example.inputs["text"] == before.upper() + "!"
        else:
            assert example.inputs["text"] == before
            assert example.target == "positive" or "number 3" in before
    assert "succeeded" in outcomes
    shouter_for_tests = importlib.import_module("shouter_for_tests")

    assert sum(shouter_for_tests.CALLS) == 20  # each text once, all of them asked at once


def test_an_attack_that_needs_a_writer_says_so_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shouter_for_tests.py").write_text(WRITER)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UsageError, match=r"paraphrase-attack rewrites texts .* give --rewriter"):
        run(tmp_path, rewriter=None)


def test_a_rewrite_without_a_model_is_an_error(tools: Tools) -> None:
    with pytest.raises(ModelError, match="give --rewriter SPEC"):
        LlmRewrite().equipped(tools)
