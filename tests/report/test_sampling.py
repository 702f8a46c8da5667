from __future__ import annotations

from dataclasses import replace

import pytest

from robust_eval.report import examples, sampling


@pytest.fixture(scope="module")
def typos(run_record):
    return next(s for s in run_record.sets if s.key == "keyboard-typos@3")


@pytest.fixture(scope="module")
def judged(run_record, typos):
    at = {e.id: i for i, e in enumerate(run_record.dataset.examples)}
    return sampling.judge(run_record, typos, at, sampling.clean_columns(run_record))


def test_outcomes_are_those_of_the_scores(run_record, typos, judged):
    for m, card in enumerate(run_record.models):
        clean = run_record.scores[card.name, "clean", "accuracy"]
        shifted = run_record.scores[card.name, typos.key, "accuracy"]
        for row, before, after in zip(judged, clean, shifted, strict=True):
            if after is None:
                assert row.outcomes[m] == "na"
            else:
                assert row.outcomes[m] == {1.0: "r", 0.0: "w"}[before] + {1.0: "r", 0.0: "w"}[after]


def test_damage_counts_models_that_lost_the_answer_less_those_that_found_it(judged):
    for row in judged:
        assert row.damage[0] == row.outcomes.count("rw") - row.outcomes.count("wr")


def test_the_most_damaging_come_first_and_a_smaller_edit_breaks_ties(typos, judged):
    picks = sampling.choose(typos, judged, 24, seed=0)
    damage = [judged[p.at].damage for p in picks]
    assert damage == sorted(damage, reverse=True)
    flat = [sampling.Judged(("rw",), (1.0, 0.5, -edit)) for edit in (0.3, 0.1, 0.2)]
    small = replace(typos, examples=typos.examples[:3])
    assert [p.at for p in sampling.choose(small, flat, 24, seed=0)] == [1, 2, 0]


def test_the_fair_draw_is_the_same_whatever_the_outcomes_are(typos, judged):
    def drawn(rows):
        picks = sampling.choose(typos, rows, 24, seed=0)
        return {p.at for p in picks if p.reason == "draw"}

    fine = [sampling.Judged(("rr",) * 3, (0.0, 0.0, 0.0)) for _ in judged]
    assert len(drawn(judged)) == 8
    assert drawn(judged) == drawn(fine)


def test_another_seed_draws_others_and_row_order_does_not_matter(typos, judged):
    def ids(s, rows, seed):
        return {(s.examples[p.at].id, p.reason) for p in sampling.choose(s, rows, 24, seed=seed)}

    back = replace(typos, examples=typos.examples[::-1], doses=typos.doses[::-1])
    assert ids(typos, judged, 0) == ids(back, judged[::-1], 0)
    assert ids(typos, judged, 0) != ids(typos, judged, 1)


def test_every_reason_has_its_share_and_what_is_not_drawn_has_an_outcome_that_changed(
    typos, judged
):
    picks = sampling.choose(typos, judged, 24, seed=0)
    reasons = [p.reason for p in picks]
    assert {r: reasons.count(r) for r in sampling.REASONS} == {"draw": 8, "damage": 8, "flip": 8}
    for p in picks:
        if p.reason != "draw":
            assert {"rw", "wr"} & set(judged[p.at].outcomes)


@pytest.mark.parametrize(("sets", "each"), [(1, 24), (7, 24), (20, 16), (30, 10), (1000, 6)])
def test_many_sets_share_the_places(sets, each):
    assert sampling.places(sets) == each


def test_the_sample_says_its_seed_and_size_and_ranks_over_all_sets(run_record):
    view = examples.sample(run_record)
    assert view.seed == 0
    assert view.of == sum(len(s.examples) for s in run_record.sets)
    ranks = [e.rank for s in view.sets for e in s.shown]
    assert sorted(ranks) == list(range(view.shown))
    assert all(s.shown[0].rank == min(e.rank for e in s.shown) for s in view.sets)
