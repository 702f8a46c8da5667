"""Examples that may have lost their label are suspects, with the reason; others are not."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from robust_eval.data import load
from robust_eval.models.embedding import FILE, SentenceEncoder, installed_encoder
from robust_eval.perturb import make, perturb_example
from robust_eval.records import Example, Preservation, TaskKind
from robust_eval.validity import preserved
from robust_eval.validity.preservation import WHOLE, window
from robust_eval.validity.words import words_of

TEXT = "The plot was a real pleasure and the actors were very good in every scene."
KNOWN = frozenset([*words_of(TEXT), "terrible", "bad", "pain", "never", "awful"])
DATA = os.environ.get("ROBUST_EVAL_TEST_DATA")


def check(shifted: str, original: str = TEXT, kind: TaskKind = TaskKind.CLASSIFICATION, target: str = "x") -> Preservation:  # fmt: skip
    name = "question" if kind is TaskKind.MATH else "text"
    before, after = (Example("1", {name: text}, target, "1") for text in (original, shifted))
    (found,) = preserved(kind, [before], [after], KNOWN)
    return found


@pytest.mark.parametrize(
    ("shifted", "reason"),
    [
        (TEXT.replace("pleasure", "pain").replace("good", "bad"), "other words"),
        (TEXT.replace("were very", "were never very"), "negation changed"),
        ("xq zzk vbn wqp rrt llk mnb", "heavily edited"),
        ("Teh pltt wss a rael plsure nad teh acotrs wre vry gd n evry scne.", "hardly readable"),
    ],
)
def test_a_lost_label_has_its_reason(shifted: str, reason: str) -> None:
    found = check(shifted)
    assert reason in found.reasons
    assert found.suspicion >= 1


@pytest.mark.parametrize("shifted", [TEXT, TEXT.replace("plot", "polt"), TEXT.lower()])
def test_an_example_that_kept_its_words_is_no_suspect(shifted: str) -> None:
    found = check(shifted)
    assert found.reasons == ()
    assert found.suspicion < 1


def test_a_number_touched_in_math_is_a_suspect() -> None:
    problem = "Joan has 70 shells and gives away 27 of them. How many shells are left?"
    intact = check(problem.replace("shells", "shels"), problem, TaskKind.MATH, "43")
    touched = check(problem.replace("27", "2"), problem, TaskKind.MATH, "43")
    assert intact.intact
    assert "protected span touched" in touched.reasons


def test_without_an_encoder_there_is_no_similarity() -> None:
    assert check(TEXT.replace("plot", "polt")).similarity is None


def test_the_window_holds_what_differs_in_a_long_text() -> None:
    words = [f"w{i}" for i in range(500)]
    edited = [*words[:400], "other", *words[401:]]
    before, after = window(" ".join(words), " ".join(edited))
    assert "w400" in before.split()
    assert "other" in after.split()
    assert len(before.split()) < WHOLE
    short = ("a b c", "a x c")
    assert window(*short) == short


@pytest.mark.model
def test_embeddings_do_not_depend_on_their_company_or_the_cache(tmp_path: Path) -> None:
    encoder = installed_encoder(tmp_path, "cpu")
    assert encoder is not None
    texts = [TEXT, "A dull film.", "", "\ud800 x", TEXT * 40, "A superb film."]
    together = encoder.embed(texts)
    (tmp_path / FILE).unlink()
    alone = np.concatenate([encoder.embed([text]) for text in reversed(texts)])[::-1]
    assert np.array_equal(together, alone)
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    assert together[1] @ together[5] > together[1] @ together[0]
    encoder._computed = lambda texts: pytest.fail("computed again")  # type: ignore[method-assign, assignment]
    assert np.array_equal(encoder.embed(texts), together)
    (tmp_path / FILE).write_bytes(b"not a database" * 100)
    fresh = installed_encoder(tmp_path, "cpu")
    assert fresh is not None
    assert np.array_equal(fresh.embed(texts[:2]), together[:2])


@pytest.mark.model
@pytest.mark.skipif(not DATA, reason="test data: ROBUST_EVAL_TEST_DATA is not set")
def test_label_changing_edits_are_told_from_mild_noise(tmp_path: Path) -> None:
    encoder = installed_encoder(tmp_path, "cpu")
    assert isinstance(encoder, SentenceEncoder)
    edits = load(str(Path(DATA or "", "nli_cad", "dev.jsonl.gz"))).examples
    by_id = {e.id: e for e in edits}
    pairs = [(by_id[e.source_id], e) for e in edits if e.source_id != e.id][:60]
    originals = [a for a, _ in pairs]
    noisy = [
        perturb_example([make("keyboard-typos", 2)], e, seed=0, fields=list(e.inputs))[0]
        for e in originals
    ]
    shares = []
    for shifted in ([b for _, b in pairs], noisy):
        found = preserved(TaskKind.PAIR, originals, shifted, encoder.vocabulary(), encoder=encoder)
        shares.append(sum(bool(f.reasons) for f in found) / len(found))
        json.dumps([f.reasons for f in found])
    assert shares[0] > 0.6
    assert shares[1] < 0.15
