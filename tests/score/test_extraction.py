"""Strict and lenient reading of written answers: counts, scores and drops by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from robust_eval.records import CLEAN, RunRecord
from robust_eval.score.analysis import analysis
from robust_eval.score.members import mean_scores

ANSWERS = {
    ("m", CLEAN): "+" * 30 + "-" * 6 + "u" * 4,
    ("m", "typos"): "+" * 26 + "-" * 10 + "u" * 3 + "f",
    ("m", "imdb"): "+-" * 20,
    ("b", CLEAN): "+" * 32 + "-" * 8,
    ("b", "typos"): "+" * 30 + "-" * 10,
    ("b", "imdb"): "+-" * 20,
}
LENIENT = {CLEAN: range(2), "typos": range(1, 9), "imdb": range(0)}  # places of each set


def written(record: RunRecord, model: str = "m") -> RunRecord:
    """The record in which one model wrote its answers, some of them readable leniently only."""
    answers = {
        (name, key): tuple(
            replace(p, strict=i not in LENIENT[key]) if name == model and p.label else p
            for i, p in enumerate(given)
        )
        for (name, key), given in record.predictions.items()
    }
    return replace(record, predictions=answers)


@pytest.fixture
def record(invented_run: Callable[..., Any]) -> RunRecord:
    return written(invented_run(ANSWERS, unpaired=("imdb",)).record())


def test_strict_reading_counts_lenient_answers_as_wrong(record: RunRecord) -> None:
    clean, typos, imdb = analysis(record).extractions
    assert (clean.model, clean.set_key, clean.drop) == ("m", CLEAN, None)
    assert (clean.strict, clean.lenient, clean.unread) == (34, 2, 4)
    # The failed example leaves both sides: 30 right of 39, of which two were read leniently.
    assert clean.score.value == pytest.approx(28 / 39)
    assert (typos.strict, typos.lenient, typos.unread) == (28, 8, 3)
    assert typos.score.value == pytest.approx((26 - 8) / 39)
    assert typos.drop is not None
    assert typos.drop.value == pytest.approx(10 / 39)
    assert typos.drop.low < 10 / 39 < typos.drop.high
    assert (imdb.strict, imdb.lenient, imdb.score.value) == (40, 0, 0.5)


def test_models_that_choose_a_label_have_no_strict_figures(
    invented_run: Callable[..., Any],
) -> None:
    plain = invented_run(ANSWERS, unpaired=("imdb",)).record()
    assert analysis(plain).extractions == ()
    assert {e.model for e in analysis(written(plain, "b")).extractions} == {"b"}


def test_a_group_is_the_mean_of_its_members_strict_scores(invented_run: Callable[..., Any]) -> None:
    answers = {k: v for k, v in ANSWERS.items() if k[0] == "m" and k[1] != "imdb"}
    answers |= {("n", key): v for (_, key), v in answers.items()}
    record: RunRecord = invented_run(answers).record()
    record = written(record)  # only the first member reads anything leniently
    record = replace(
        record,
        predictions={
            (m, key): tuple(replace(p, strict=True) if m == "n" and p.label else p for p in given)
            for (m, key), given in record.predictions.items()
        },
    )
    group = replace(record.models[0], name="both", kind="prompted", members=("m", "n"))
    pooled = {("both", key): record.predictions["n", key] for key in (CLEAN, "typos")}
    record = replace(
        record,
        models=(group,),
        members=record.models,
        predictions={**record.predictions, **pooled},
        scores=mean_scores((group,), record.scores),
    )
    clean, typos = analysis(record).extractions
    assert (typos.model, typos.strict, typos.lenient) == ("both", 28 + 36, 8)
    assert clean.score.value == pytest.approx((28 + 30) / 2 / 39)
    assert typos.drop is not None
    assert typos.drop.value == pytest.approx((10 + 4) / 2 / 39)
    assert "widened by draws" in typos.drop.method


def test_an_old_record_has_no_strict_figures(record: RunRecord) -> None:
    assert type(analysis(record))().extractions == ()
