from __future__ import annotations

from dataclasses import replace

import pytest

from robust_eval.records import Status
from robust_eval.report import decomposition as d


def test_the_parts_of_every_paired_drop_add_up_to_it(run_record):
    view = d.decomposition(run_record)
    drops = {(g.model, g.set_key): g for g in run_record.gaps}
    for series, key, _, total in view.rows:
        gap = drops[run_record.models[series].name, key]
        if gap.paired:
            assert float(total.replace("−", "-")) == pytest.approx(gap.drop.value * 100, abs=0.06)


def test_a_lost_answer_counts_by_what_stands_in_its_place(make_run):
    record = make_run(n=40, failing=0.0)
    model, key = record.models[0].name, "word-drops@3"
    clean = record.scores[model, "clean", "accuracy"]
    refused = tuple(
        replace(p, status=Status.REFUSED, label=None) for p in record.predictions[model, key]
    )
    record = replace(
        record,
        predictions=record.predictions | {(model, key): refused},
        scores=record.scores | {(model, key, "accuracy"): (0.0,) * 40},
    )
    view = d.decomposition(record)
    at = view.kinds.index("refusal")
    (row,) = [r for r in view.rows if r[0] == 0 and r[1] == key]
    lost = sum(clean) / 40 * 100
    assert row[2][at] == f"+{lost:.1f}" == row[3]
    assert {p for i, p in enumerate(row[2]) if i != at} == {"0.0"}


def test_other_texts_are_compared_by_the_share_of_each_kind(make_run):
    record = make_run(n=40, failing=0.0)
    model = record.models[1].name
    clean, shifted = (record.scores[model, key, "accuracy"] for key in ("clean", "imdb"))
    (row,) = [r for r in d.decomposition(record).rows if r[0] == 1 and r[1] == "imdb"]
    expected = (sum(clean) - sum(shifted)) / 40 * 100
    assert float(row[3].replace("−", "-")) == pytest.approx(expected, abs=0.06)


def test_a_metric_that_is_better_when_lower_loses_when_it_rises(make_run):
    record = make_run(n=40, failing=0.0)
    lower = replace(record.dataset.task.metrics[0], higher_is_better=False)
    task = replace(record.dataset.task, metrics=(lower,))
    flipped = replace(record, dataset=replace(record.dataset, task=task))
    as_is = {row[:2]: row[3] for row in d.decomposition(record).rows}
    turned = {row[:2]: row[3] for row in d.decomposition(flipped).rows}
    for where, total in as_is.items():
        assert float(turned[where].replace("−", "-")) == -float(total.replace("−", "-"))


def test_nothing_scored_gives_no_section(run_record):
    assert d.decomposition(replace(run_record, scores={})) is None
