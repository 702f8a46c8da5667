"""diff claims what paired tests support; merge gives the run that was never split."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from robust_eval.audit import diff, merge
from robust_eval.errors import DataError
from robust_eval.records import CLEAN, RunRecord
from robust_eval.report import render_diff
from robust_eval.score import analysis
from robust_eval.stats.multiple import holm
from robust_eval.stats.paired import mcnemar

Record = Callable[..., RunRecord]
OLD = {("m", CLEAN): "+" * 90 + "-" * 10, ("m", "typos"): "+" * 80 + "-" * 20}
WORSE = {("m", CLEAN): "+" * 90 + "-" * 10, ("m", "typos"): "+" * 50 + "-" * 50}


@pytest.fixture
def record(invented_run: Callable[..., Any]) -> Record:
    def make(answers: dict[tuple[str, str], str], **settings: Any) -> RunRecord:
        run = invented_run(answers)
        made: RunRecord = replace(
            run.record(),
            gaps=run.gaps(),
            comparisons=run.comparisons(),
            settings={"level": 0.95, "models": ["m"], "shifts": [], **settings},
        )
        return replace(made, analysis=analysis(made))

    return make


def test_equal_runs_differ_in_nothing(record: Record) -> None:
    found = diff(record(OLD), record(OLD))
    assert not found.regressed
    assert {row.verdict for row in found.rows} == {"no supported change"}
    assert [(r.set_key, r.what) for r in found.rows] == [
        (CLEAN, "score"),
        ("typos", "score"),
        ("typos", "drop"),
    ]


def test_a_supported_loss_is_worse_in_score_and_in_drop(record: Record) -> None:
    found = diff(record(OLD), record(WORSE))
    assert found.regressed
    rows = {(r.set_key, r.what): r for r in found.rows}
    assert rows["typos", "score"].verdict == "worse"
    assert rows["typos", "score"].change.value == pytest.approx(-0.3)
    assert rows["typos", "drop"].verdict == "worse"
    assert rows["typos", "drop"].change.value == pytest.approx(0.3)
    assert rows[CLEAN, "score"].verdict == "no supported change"
    p = [r.p_value for r in found.rows]
    assert [r.p_holm for r in found.rows] == pytest.approx(holm(p))
    assert rows["typos", "score"].p_value == mcnemar(30, 0)
    back = diff(record(WORSE), record(OLD))
    assert not back.regressed
    assert {r.verdict for r in back.rows} == {"better", "no supported change"}


def test_examples_whose_text_changed_are_left_out_and_named(record: Record) -> None:
    old, new = record(OLD), record(OLD)
    sets = tuple(
        replace(s, examples=(replace(s.examples[0], inputs={"text": "x"}), *s.examples[1:]))
        for s in new.sets
    )
    found = diff(old, replace(new, sets=sets))
    assert next(r for r in found.rows if r.set_key == "typos").change.n == 99
    assert any("typos: 1 examples" in note for note in found.notes)


def test_one_model_of_another_name_stands_for_the_one_that_is_gone(record: Record) -> None:
    renamed = {("m2", key): v for (_, key), v in WORSE.items()}
    found = diff(record(OLD), record(renamed))
    assert {(r.old_model, r.new_model) for r in found.rows} == {("m", "m2")}
    assert any("m2 stands for m" in note for note in found.notes)


def test_runs_without_a_common_example_are_refused(record: Record) -> None:
    new = record(OLD)
    other = replace(
        new,
        dataset=replace(
            new.dataset,
            examples=tuple(replace(e, target="other") for e in new.dataset.examples),
        ),
        sets=(),
    )
    with pytest.raises(DataError, match="nothing can be compared"):
        diff(record(OLD), other)


def test_the_page_of_a_diff_escapes_names_and_allows_no_script(record: Record) -> None:
    bad = "<script>alert(1)</script>"
    page = render_diff(diff(record(OLD), record(WORSE), names=(bad, bad)))
    assert "<script" not in page
    assert "default-src &#39;none&#39;" in page
    assert "2 worse, 0 better, 1 without" in page


def test_no_injection_adds_an_element_or_an_attribute_to_the_page_of_a_diff(record: Record) -> None:
    def elements(bad: str) -> list[tuple[str, list[str]]]:
        found: list[tuple[str, list[str]]] = []

        class Reader(HTMLParser):
            def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
                found.append((tag, [name for name, _ in attrs]))

        old, new = ({(f"{bad}m", key): v for (_, key), v in run.items()} for run in (OLD, WORSE))
        changed = diff(record(old), record(new), names=(bad, bad))
        Reader().feed(render_diff(replace(changed, notes=(bad,))))
        return found

    corpus = json.loads((Path(__file__).parents[1] / "report" / "hostile.json").read_text("utf-8"))
    plain = elements("x")
    for bad in (text for group in corpus.values() for text in group):
        assert elements(bad) == plain, bad


def shards(record: Record, whole: dict[tuple[str, str], str]) -> list[RunRecord]:
    def part(keys: set[str], **settings: Any) -> RunRecord:
        return record({k: v for k, v in whole.items() if k[1] in {CLEAN, *keys}}, **settings)

    return [part({"typos"}, shifts=["typos"]), part({"drops"}, shifts=["drops"])]


WHOLE = {
    ("m", CLEAN): "+" * 60 + "-" * 20,
    ("m", "typos"): "+" * 50 + "-" * 30,
    ("m", "drops"): "+" * 58 + "-" * 22,
    ("b", CLEAN): "+" * 62 + "-" * 18,
    ("b", "typos"): "+" * 40 + "-" * 40,
    ("b", "drops"): "+" * 60 + "-" * 20,
}


def test_merged_shards_are_the_run_that_was_never_split(record: Record) -> None:
    whole = record(WHOLE)
    merged = merge(shards(record, WHOLE), ["one", "two"])
    assert merged.gaps == whole.gaps
    assert merged.comparisons == whole.comparisons  # Holm over both shifts again
    assert merged.analysis == whole.analysis
    assert merged.settings["shifts"] == ["typos", "drops"]
    models = [
        record({k: v for k, v in WHOLE.items() if k[0] == name}, models=[name]) for name in "mb"
    ]
    assert merge(models, ["m", "b"]).comparisons == whole.comparisons


def test_shards_that_do_not_fit_are_refused_by_name(record: Record) -> None:
    one, two = shards(record, WHOLE)
    for shard, said in (
        (replace(two, settings={**two.settings, "seed": 3}), "another seed"),
        (replace(two, versions={"torch": "9"}), "another version of torch"),
        (replace(two, dataset=replace(two.dataset, fingerprint="x")), "another clean test set"),
    ):
        with pytest.raises(DataError, match=said):
            merge([one, shard], ["one", "two"])
    flipped = dict(two.scores) | {("m", CLEAN, "accuracy"): (0.0,) * 80}
    with pytest.raises(DataError, match="another scores of m on clean"):
        merge([one, replace(two, scores=flipped)], ["one", "two"])
    with pytest.raises(DataError, match="at least two"):
        merge([one], ["one"])
    only_m = record({k: v for k, v in WHOLE.items() if k[0] == "m" and k[1] != "typos"})
    with pytest.raises(DataError, match="no shard holds the answers of b on drops"):
        merge([one, only_m], ["one", "two"])
