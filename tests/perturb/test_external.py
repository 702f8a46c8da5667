"""nlpaug's and textattack's augmenters as perturbations that repeat exactly."""

from __future__ import annotations

import importlib.util
import random

import numpy as np
import pytest

from robust_eval.errors import RecipeError
from robust_eval.perturb import make, perturb_example
from robust_eval.perturb.external import NLPAUG, TEXTATTACK
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


@pytest.mark.textattack
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", list(TEXTATTACK))
def test_textattack_repeats_exactly_and_leaves_global_state_alone(kind: str) -> None:
    check(f"textattack:{kind}")
