"""nlpaug's and textattack's augmenters as perturbations that repeat exactly."""

from __future__ import annotations

import importlib.util
import logging
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from robust_eval.errors import ModelError, RecipeError
from robust_eval.perturb import make, perturb_example
from robust_eval.perturb.external import (
    NLPAUG,
    REFUSED,
    TEXTATTACK,
    describe_external,
    imported,
)
from robust_eval.recipes import parse_shifts
from robust_eval.records import Example, Perturbation
from robust_eval.rng import stream

TEXT = "I don't think this wonderful picture is going to be a classic, but it is worth 10 dollars."
HARD = ("", "  ", "😀 😀", "\ud800 a", "a", "...", "東京で映画を見た。")
OFFLINE = [name for name, known in NLPAUG.items() if not known.resources]

needs_nlpaug = pytest.mark.skipif(
    importlib.util.find_spec("nlpaug") is None, reason="nlpaug: pip install 'robust-eval[nlpaug]'"
)


def check(full_name: str) -> None:
    noise = make(full_name, 4)
    assert isinstance(noise, Perturbation)
    assert noise.name == full_name
    results = set()
    for _ in range(2):
        random.seed(len(results))  # whatever the caller's own generators hold
        np.random.seed(len(results))
        before = (random.getstate(), np.random.get_state()[1].tolist())
        results.add(noise.perturb(TEXT, stream(1)))
        assert (random.getstate(), np.random.get_state()[1].tolist()) == before
    assert len(results) == 1
    for text in HARD:
        assert isinstance(noise.perturb(text, stream(1)), str)
    assert noise.perturb("", stream(1)) == ""
    varied = {noise.perturb(TEXT, stream(i)) for i in range(20)}
    if not full_name.endswith(("Contract", "Extend")):  # those have nothing to draw here
        assert len(varied) > 1


@needs_nlpaug
@pytest.mark.parametrize("kind", OFFLINE)
def test_nlpaug_repeats_exactly_and_leaves_global_state_alone(kind: str) -> None:
    check(f"nlpaug:{kind}")


@needs_nlpaug
def test_nlpaug_takes_its_own_parameters() -> None:
    noise = make("nlpaug:RandomCharAug", 5, action="delete", aug_char_p=0.5)
    example = Example("1", {"text": TEXT}, "", "1")
    shifted, realised = perturb_example([noise], example, seed=0, fields=["text"])
    assert len(shifted.inputs["text"]) < len(TEXT)
    assert realised.changed


@needs_nlpaug
def test_a_whole_number_does_for_a_share() -> None:
    assert make("nlpaug:RandomCharAug", 3, aug_char_p=1) == make(
        "nlpaug:RandomCharAug", 3, aug_char_p=1.0
    )
    with pytest.raises(RecipeError, match="must be float, not True"):
        make("nlpaug:RandomCharAug", 3, aug_char_p=True)


@needs_nlpaug
def test_nlpaug_touches_more_at_a_higher_severity() -> None:
    def mean_dose(severity: int) -> float:
        chain = [make("nlpaug:KeyboardAug", severity)]
        examples = [Example(str(i), {"text": TEXT}, "", str(i)) for i in range(40)]
        doses = [perturb_example(chain, e, seed=0, fields=["text"])[1] for e in examples]
        return sum(d.edit_rate for d in doses) / len(doses)

    assert mean_dose(1) < mean_dose(3) < mean_dose(5)


@needs_nlpaug
def test_nlpaug_refuses_a_value_that_it_does_not_know() -> None:
    with pytest.raises(RecipeError, match="does not take"):
        make("nlpaug:RandomCharAug", 3, action="explode")


def test_a_missing_package_names_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from robust_eval.perturb import external

    def absent(name: str) -> object:
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr(external.importlib, "import_module", absent)
    external._augmenter.cache_clear()
    external._transformation.cache_clear()
    with pytest.raises(RecipeError, match=r"pip install 'robust-eval\[nlpaug\]'"):
        make("nlpaug:SplitAug", 3)
    with pytest.raises(RecipeError, match=r"pip install 'robust-eval\[textattack\]'"):
        make("textattack:WordDeletion", 3)


def test_a_package_that_silences_loggers_does_not_silence_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "loud_package.py").write_text(
        "import logging.config\nlogging.config.dictConfig({'version': 1})\n", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(tmp_path)
    ours = logging.getLogger("robust_eval.test_external")
    imported("loud_package", "install it")
    assert not ours.disabled


@pytest.mark.textattack
@pytest.mark.skipif(not os.environ.get("NLTK_DATA"), reason="NLTK data: set NLTK_DATA")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", list(TEXTATTACK))
def test_textattack_repeats_exactly_and_leaves_global_state_alone(kind: str) -> None:
    check(f"textattack:{kind}")


@needs_nlpaug
def test_parameters_may_stand_in_the_shift_itself() -> None:
    (plan,) = parse_shifts(["nlpaug:RandomCharAug@4?action=delete&aug_char_p=0.5"], seed=0)
    assert plan.key == "nlpaug:RandomCharAug?action=delete&aug_char_p=0.5@4"
    assert plan.chain == (make("nlpaug:RandomCharAug", 4, action="delete", aug_char_p=0.5),)
    (native,) = parse_shifts(["word-drops@2?keep_negations=false"], seed=0)
    assert native.chain == (make("word-drops", 2, keep_negations=False),)


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ("nlpaug:RandomCharAug?acton=delete", "did you mean 'action'"),
        ("word-drops?keep_negations=maybe", "must be true or false, not 'maybe'"),
        ("nlpaug:RandomCharAug?aug_char_p=half", "must be float, not 'half'"),
        ("word-drops?keep_negations=true@2,3", r"word-drops@2,3\?keep_negations=true"),
        ("word-drops?keep_negations", "write \\?NAME=VALUE"),
        ("word-drops?keep_negations=true&keep_negations=true", "each name once"),
        ("noisy?x=1", "only a perturbation takes parameters"),
        ("ood:imdb?x=1", "only a perturbation takes parameters"),
        ("keyboard-typos?x=1", "no parameter 'x'"),
    ],
)
def test_parameters_that_do_not_fit_are_refused(spec: str, why: str) -> None:
    with pytest.raises(RecipeError, match=why):
        parse_shifts([spec], seed=0)


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_would_fetch_weights_is_refused_with_what_it_needs(name: str) -> None:
    with pytest.raises(RecipeError, match=r"is not offered: it needs .*wordnet-synonyms"):
        make(name, 3)


@needs_nlpaug
@pytest.mark.parametrize("kind", [kind for kind, known in NLPAUG.items() if known.resources])
def test_missing_nltk_data_name_the_command(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import nltk

    def absent(resource: str) -> None:
        raise LookupError(resource)

    monkeypatch.setattr(nltk.data, "find", absent)
    with pytest.raises(ModelError, match=r"python -m nltk.downloader \w+, or set NLTK_DATA"):
        make(f"nlpaug:{kind}", 3)


@needs_nlpaug
def test_another_process_draws_the_same() -> None:
    code = (
        "from robust_eval.perturb import make; from robust_eval.rng import stream; "
        f"print(make('nlpaug:SpellingAug', 5).perturb({TEXT!r}, stream(4)))"
    )
    said = {
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1


def test_every_augmenter_is_listed_with_its_parameters() -> None:
    rows = {name: (parameters, needs) for name, parameters, needs in describe_external()}
    assert len(rows) == len(NLPAUG) + len(TEXTATTACK)
    assert "action (str)" in rows["nlpaug:RandomCharAug"][0]
    assert rows["nlpaug:SynonymAug"] == ("", "wordnet, averaged_perceptron_tagger_eng")
    assert rows["textattack:WordSwapQWERTY"][0] == "skip_first_char (bool), skip_last_char (bool)"
