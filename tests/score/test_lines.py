"""Effective robustness of a run's models, and every reason for which it is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
from scipy import stats as scipy_stats

from robust_eval import score
from robust_eval.records import CLEAN, Panel, PanelMember, PanelScore, PanelSet, RunRecord
from robust_eval.stats import line

N = 400
FINGERPRINT = "f" * 32
NORMAL = scipy_stats.norm


def letters(right: int, n: int = N) -> str:
    return "+" * right + "-" * (n - right)


def a_panel(scores: list[tuple[float, float]] | None = None, **changes) -> Panel:
    """Twelve members near probit(shifted) = 1.2 probit(clean) + 0.1."""
    if scores is None:
        spread = (0.03, -0.02, 0.01, -0.03, 0.02, 0.0)
        clean = [0.55 + 0.03 * i for i in range(12)]
        scores = [
            (x, float(NORMAL.cdf(1.2 * NORMAL.ppf(x) + 0.1 + spread[i % 6])))
            for i, x in enumerate(clean)
        ]
    members = tuple(
        PanelMember(
            f"member {i}", "bow", "floor", 100, i, None, f"print {i}",
            PanelScore(1000, x), {"imdb": PanelScore(1000, y)},
        )
        for i, (x, y) in enumerate(scores)
    )  # fmt: skip
    panel = Panel(
        1, "made up", "classification", ("a", "b"), "accuracy",
        PanelSet("invented", FINGERPRINT, "all of it", "clean", 1000),
        (PanelSet("imdb", "r1", "reviews", "domain", 1000),), members, (),
    )  # fmt: skip
    return replace(panel, **changes)


@pytest.fixture
def run_of(invented_run):
    """A record of models with these shares right on the clean and the shifted set."""

    def make(panel: Panel | None = None, **shares: tuple[float, float]) -> RunRecord:
        answers = {}
        for model, (clean, shifted) in shares.items():
            answers[model, CLEAN] = letters(round(clean * N))
            answers[model, "imdb"] = letters(round(shifted * N))
        run = invented_run(answers, unpaired=["imdb"])
        sets = tuple(replace(s, source="demo:imdb, revision r1, content 77") for s in run.sets)
        return replace(
            run.record(),
            sets=sets,
            gaps=run.gaps(),
            splits={"fingerprints": {"dataset": FINGERPRINT}},
            panel=panel or a_panel(),
        )

    return make


def test_effective_robustness_is_the_distance_from_the_line_of_scipy(run_of):
    panel = a_panel()
    found = score.reference_lines(run_of(panel, m=(0.8, 0.95), b=(0.75, 0.65)))[0]
    x = [NORMAL.ppf(m.clean.score) for m in panel.members]
    y = [NORMAL.ppf(m.shifted["imdb"].score) for m in panel.members]
    theirs = scipy_stats.linregress(x, y)
    assert (found.slope, found.intercept) == pytest.approx((theirs.slope, theirs.intercept))
    assert found.r2 == pytest.approx(theirs.rvalue**2)
    good, plain = found.models
    expected = NORMAL.cdf(theirs.slope * NORMAL.ppf(0.8) + theirs.intercept)
    assert good.expected == pytest.approx(expected)
    assert good.effective.value == pytest.approx(0.95 - expected)
    assert good.verdict == "more robust than the line"
    assert good.effective.low > 0
    assert sum(good.shares) == pytest.approx(1)
    assert plain.verdict == "less robust than the line"
    assert plain.effective.high < 0
    assert found.range == pytest.approx((0.55, 0.88))
    assert [row[0] for row in found.band] == sorted(row[0] for row in found.band)
    assert all(low < expected < high for _, expected, low, high in found.band)


def test_a_model_on_the_line_is_not_told_from_it(run_of):
    on = float(NORMAL.cdf(1.2 * NORMAL.ppf(0.7) + 0.1))
    found = score.reference_lines(run_of(m=(0.7, on), b=(0.72, 0.75)))[0].models[0]
    assert found.verdict == "not told from the line"
    assert found.effective.low < 0 < found.effective.high


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"task": "pair"}, "accuracy in pair"),
        ({"labels": ("a", "c")}, "other labels: a, c"),
        ({"dataset": PanelSet("x", "other", "another set", "clean", 9)}, "other data: another set"),
        (
            {"shifts": (PanelSet("imdb", "r2", "", "domain", 9),)},
            "none of the panel's shifts: imdb",
        ),
    ],
)
def test_a_panel_of_other_data_is_refused_in_words(run_of, changes, said):
    found = score.reference_lines(run_of(a_panel(**changes), m=(0.8, 0.8), b=(0.7, 0.7)))
    assert len(found) == 1
    assert said in found[0].refusal
    assert found[0].models == ()
    assert found[0].slope is None


def test_few_members_and_a_poor_fit_give_no_line(run_of):
    few = a_panel([(0.6, 0.6), (0.7, 0.7), (0.8, 0.8)])
    assert "3 members" in score.reference_lines(run_of(few, m=(0.7, 0.7)))[0].refusal
    wild = a_panel([(0.5 + 0.03 * i, (0.9, 0.5, 0.7)[i % 3]) for i in range(12)])
    found = score.reference_lines(run_of(wild, m=(0.7, 0.7)))[0]
    assert "R²" in found.refusal
    assert "less than half" in found.refusal
    same = a_panel([(0.7, 0.6 + 0.01 * i) for i in range(12)])
    assert "same clean score" in score.reference_lines(run_of(same, m=(0.7, 0.7)))[0].refusal


def test_a_model_beyond_the_panel_is_refused_only_where_its_interval_is_too(run_of):
    # The best member scores 88%; on 400 items the intervals of 90% and 99% begin at 86.7% and 97.5%.
    near, far, low = score.reference_lines(run_of(m=(0.9, 0.95), m2=(0.99, 0.99), b=(0.4, 0.4)))[
        0
    ].models
    assert near.verdict != "refused"
    assert "beyond the members'" in near.reason
    assert (far.verdict, far.effective, far.expected) == ("refused", None, None)
    assert "over every member's (55.0% to 88.0%)" in far.reason
    assert "under every member's" in low.reason


def test_none_right_and_all_right_have_finite_figures(run_of):
    wide = a_panel([(0.02 + 0.09 * i, 0.03 + 0.085 * i) for i in range(11)])
    found = score.reference_lines(run_of(wide, m=(0.02, 0.0), b=(0.9, 1.0)))[0]
    for model in found.models:
        assert model.effective is not None
        assert -1 <= model.effective.low <= model.effective.high <= 1


def test_seeds_that_differ_widen_the_interval_of_their_group(run_of):
    shares = {"m": (0.7, 0.75), "b0": (0.7, 0.66), "b1": (0.7, 0.74), "b2": (0.7, 0.82)}
    record = run_of(**shares)
    cards = {card.name: card for card in record.models}

    def grouped(names: tuple[str, ...]) -> RunRecord:
        group = replace(cards["b1"], name="b", members=names)
        models = (cards["m"], group)
        answers = dict(record.predictions)
        scores = dict(record.scores)
        for key in (CLEAN, "imdb"):
            answers["b", key] = answers["b1", key]
            scores["b", key, "accuracy"] = scores["b1", key, "accuracy"]
        parts = (record.dataset, record.sets, models, answers, scores)
        return replace(
            record, models=models, predictions=answers, scores=scores, gaps=score.gaps(*parts)
        )

    def width(names: tuple[str, ...]) -> float:
        found = score.reference_lines(grouped(names))[0].models[1].effective
        return found.high - found.low

    assert width(("b0", "b1", "b2")) > 1.05 * width(("b1", "b1", "b1"))


def test_a_run_without_a_panel_has_no_lines(run_of):
    assert score.reference_lines(replace(run_of(m=(0.7, 0.7)), panel=None)) == ()


def test_which_data_a_set_is_drawn_from_does_not_depend_on_the_draw(run_of):
    shifted = run_of(m=(0.7, 0.7)).sets[0]
    assert score.origin(shifted) == "r1"
    noise = replace(shifted, source="keyboard-typos severity 3")
    assert score.origin(noise) == "keyboard-typos severity 3"


def test_a_wider_level_gives_wider_intervals(run_of):
    record = run_of(m=(0.8, 0.8))
    narrow = score.reference_lines(record, level=0.8)[0].models[0].effective
    wide = score.reference_lines(record, level=0.99)[0].models[0].effective
    assert wide.low < narrow.low < narrow.high < wide.high
    assert line.FEWEST > 3


def test_a_model_that_is_in_the_panel_is_judged_by_a_line_through_the_others(run_of):
    panel = a_panel()
    outlier = replace(
        panel.members[5], fingerprint="m", shifted={"imdb": PanelScore(1000, 0.95)}
    )  # the invented run's fingerprints are its names
    members = (*panel.members[:5], outlier, *panel.members[6:])
    others = replace(panel, members=panel.members[:5] + panel.members[6:])
    shares = {"m": (0.7, 0.95), "b": (0.7, 0.95)}
    own, other = score.reference_lines(run_of(replace(panel, members=members), **shares))[0].models
    alone = score.reference_lines(run_of(others, **shares))[0].models[0]
    assert own.effective == alone.effective
    assert other.effective.value < own.effective.value
    few = replace(panel, members=(*panel.members[:7], outlier))
    own, other = score.reference_lines(run_of(few, **shares))[0].models
    assert own.verdict == "refused"
    assert "7 members" in own.reason
    assert "without this very model" in own.reason
    assert other.verdict != "refused"
