"""The Python API: frames and a report from one call, with the command line's checks."""

from __future__ import annotations

from pathlib import Path

import pytest

import robust_eval
from robust_eval.errors import UsageError

WORDS = {"positive": ("lovely", "bright", "warm"), "negative": ("dull", "grim", "stale")}


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory: pytest.TempPathFactory) -> robust_eval.Evaluation:
    folder = tmp_path_factory.mktemp("api")
    rows = ["review,stars"]
    for i in range(200):
        label = "positive" if i % 2 else "negative"
        rows.append(f"a {WORDS[label][i % 3]} film about story number {i},{i % 2}")
    (folder / "reviews.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return robust_eval.evaluate(
        "scripted:noisy?accuracy=0.8",
        baseline="bow",
        dataset=str(folder / "reviews.csv"),
        shift=("keyboard-typos@1,5", "word-drops@3"),
        columns={"text": "review", "label": "stars"},
        label_map={"0": "negative", "1": "positive"},
        limit=40,
        out=folder / "run",
        cache_dir=folder / "cache",
    )


def test_frames_hold_one_row_per_model_and_set(evaluation: robust_eval.Evaluation) -> None:
    gaps = evaluation.gaps
    assert len(gaps) == 2 * 3
    assert set(gaps["set_key"]) == {"keyboard-typos@1", "keyboard-typos@5", "word-drops@3"}
    assert (gaps["drop_low"] <= gaps["drop"]).all()
    assert (gaps["drop"] <= gaps["drop_high"]).all()
    pooled = evaluation.comparisons[evaluation.comparisons["set_key"].isna()]
    assert sorted(pooled["shift"]) == ["keyboard-typos", "word-drops"]


def test_a_gap_is_the_difference_of_the_mean_scores_in_the_predictions(
    evaluation: robust_eval.Evaluation,
) -> None:
    means = evaluation.predictions.groupby(["model", "set_key"])["accuracy"].mean()
    for gap in evaluation.gaps.itertuples():
        expected = means[gap.model, "clean"] - means[gap.model, gap.set_key]
        assert gap.drop == pytest.approx(expected, abs=1e-12)


def test_examples_carry_texts_and_realised_doses(evaluation: robust_eval.Evaluation) -> None:
    examples = evaluation.examples
    assert len(examples) == 40 * 4
    doses = examples.groupby("set_key")["edit_rate"].mean()
    assert doses["keyboard-typos@1"] < doses["keyboard-typos@5"]
    assert Path(evaluation.report).read_text(encoding="utf-8").startswith("<!doctype html>")


def test_misspelt_settings_name_the_nearest_one() -> None:
    with pytest.raises(UsageError, match="did you mean 'shots'"):
        robust_eval.evaluate("scripted:oracle", dataset="x.csv", shot=3)


def test_the_package_has_no_other_lazy_names() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'evalute'"):
        _ = robust_eval.evalute


def test_texts_are_perturbed_into_a_frame_alike_in_any_company() -> None:
    texts = ["a quiet film about a harbour", "they don't like it"]
    frame = robust_eval.perturb_texts(texts, ["char-drops@5", "expansions@5"], seed=1)
    assert list(frame["shift"]) == ["char-drops@5"] * 2 + ["expansions@5"] * 2
    assert list(frame["text"]) == texts * 2
    assert frame["perturbed"][3] == "they do not like it"
    assert not frame["changed"][2]
    alone = robust_eval.perturb_texts(texts[1:], "char-drops@5", seed=1)
    assert alone["perturbed"][0] == frame["perturbed"][1]
    with pytest.raises(UsageError, match="a list of texts"):
        robust_eval.perturb_texts("one text", "char-drops")
