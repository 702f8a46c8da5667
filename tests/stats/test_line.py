"""The probit line against statsmodels and published leaderboards, and what its intervals promise."""

from __future__ import annotations

import gzip
import json
import math
import os
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from robust_eval.errors import StatisticsError
from robust_eval.stats import line, means

REFERENCE = os.environ.get("ROBUST_EVAL_TEST_REFERENCE")


@pytest.fixture(scope="module")
def squad() -> dict[str, dict[str, dict[str, float]]]:
    """F1 of models and people on the four SQuADShifts sets: {kind: {set: {name: share}}}."""
    if not REFERENCE:
        pytest.skip("test data: set ROBUST_EVAL_TEST_REFERENCE")
    with gzip.open(Path(REFERENCE) / "ood_leaderboards.jsonl.gz", "rt", "utf-8") as lines:
        rows: list[dict[str, Any]] = [json.loads(row) for row in lines]
    data = next(row["data"] for row in rows if row["source"] == "SQuADShifts")
    return {
        kind: {
            key: {m["name"]: float(m[f"{key}_f1"]) / 100 for m in found[kind]}
            for key, found in data.items()
        }
        for kind in ("models", "humans")
    }


def probits(
    scores: dict[str, dict[str, float]], clean: str, shifted: str
) -> tuple[list[float], list[float]]:
    names = [name for name in scores[clean] if name in scores[shifted]]
    return (
        [line.probit(scores[clean][name]) for name in names],
        [line.probit(scores[shifted][name]) for name in names],
    )


@pytest.mark.parametrize(("key", "models"), [("nyt", 104), ("reddit", 96), ("amazon", 105)])
def test_the_line_of_the_published_leaderboard_is_that_of_statsmodels(
    squad: dict[str, dict[str, dict[str, float]]], key: str, models: int
) -> None:
    x, y = probits(squad["models"], "new-wiki", key)
    assert len(x) == models
    ours = line.fit(x, y)
    theirs = sm.OLS(y, sm.add_constant(x)).fit()
    assert (ours.intercept, ours.slope) == pytest.approx(tuple(theirs.params), rel=1e-9)
    assert ours.r2 == pytest.approx(theirs.rsquared, rel=1e-9)
    assert ours.scatter == pytest.approx(math.sqrt(theirs.mse_resid), rel=1e-9)
    assert ours.r2 > 0.9
    for share in (0.6, 0.8, 0.9):
        at = sm.add_constant([line.probit(share)], has_constant="add")
        frame = theirs.get_prediction(at).summary_frame(alpha=0.05)
        wanted = [
            scipy_stats.norm.cdf(frame[c][0]) for c in ("mean", "obs_ci_lower", "obs_ci_upper")
        ]
        assert line.band(ours, share) == pytest.approx(wanted, rel=1e-9)


def test_the_published_drops_between_the_shifted_sets_are_reproduced(
    squad: dict[str, dict[str, dict[str, float]]],
) -> None:
    """Mean F1 drops of 3.8, 14.0 and 17.4 points (Miller et al. 2020, arXiv:2004.14444, abstract).

    They are against SQuAD's own test set, which the leaderboard does not have; between the sets it cancels. The
    leaderboard also holds other models than the paper, and not all of them on every set: half a point is allowed.
    """
    models = squad["models"]

    def lower(key: str, than: str) -> float:
        names = [n for n in models[key] if n in models[than]]
        return 100 * sum(models[than][n] - models[key][n] for n in names) / len(names)

    assert lower("reddit", "nyt") == pytest.approx(14.0 - 3.8, abs=0.5)
    assert lower("amazon", "nyt") == pytest.approx(17.4 - 3.8, abs=0.5)
    assert lower("amazon", "reddit") == pytest.approx(17.4 - 14.0, abs=0.5)


def test_people_lie_over_the_band_of_models_as_published(
    squad: dict[str, dict[str, dict[str, float]]],
) -> None:
    """Miller et al. (2020), abstract: the human baseline shows little to no drop, where models lose 14 and 17 points."""
    for key in ("reddit", "amazon"):
        fitted = line.fit(*probits(squad["models"], "new-wiki", key))
        for name, share in squad["humans"]["new-wiki"].items():
            _, _, high = line.band(fitted, share)
            assert squad["humans"][key][name] > high - 0.005, (key, name)
            assert squad["humans"][key][name] - line.band(fitted, share)[0] > 0.07


def scattered(seed: int, n: int = 20) -> tuple[list[float], list[float]]:
    draw = random.Random(seed)
    x = [draw.uniform(0, 1.2) for _ in range(n)]
    return x, [0.9 * v - 0.2 + draw.gauss(0, 0.08) for v in x]


def scored(right: int, n: int) -> means.Moments:
    return means.moments([1.0] * right + [0.0] * (n - right), pseudo=means.SCORE_PSEUDO)


def test_without_sampling_error_the_interval_is_the_prediction_interval_of_statsmodels() -> None:
    x, y = scattered(1)
    fitted = line.fit(x, y)
    exact = [means.Moments(v, v, 0.0, 9, 10**9, 10**9, 0) for v in (0.8, 0.7)]
    found = line.off_line(fitted, *exact)
    theirs = sm.OLS(y, sm.add_constant(x)).fit()
    at = sm.add_constant([scipy_stats.norm.ppf(0.8)], has_constant="add")
    frame = theirs.get_prediction(at).summary_frame(alpha=0.05)
    z = scipy_stats.norm.ppf(0.7)
    assert found.expected == pytest.approx(scipy_stats.norm.cdf(frame["mean"][0]))
    assert found.effective.value == pytest.approx(0.7 - found.expected)
    # The band around the line, turned about: the residual plus and minus the same half width.
    half = frame["obs_ci_upper"][0] - frame["mean"][0]
    residual = z - frame["mean"][0]
    assert found.effective.low == pytest.approx(0.7 - scipy_stats.norm.cdf(z - residual + half))
    assert found.effective.high == pytest.approx(0.7 - scipy_stats.norm.cdf(z - residual - half))
    assert (found.own, found.scatter + found.fit) == pytest.approx((0, 1))


def test_a_model_asked_about_fewer_items_has_a_wider_interval() -> None:
    fitted = line.fit(*scattered(2))
    widths = []
    for n in (50, 200, 5000):
        found = line.off_line(fitted, scored(n * 8 // 10, n), scored(n * 7 // 10, n))
        widths.append(found.effective.high - found.effective.low)
        assert found.own + found.scatter + found.fit == pytest.approx(1)
    assert widths == sorted(widths, reverse=True)


def test_the_own_error_is_that_of_the_delta_method() -> None:
    x = [0.0, 0.5, 1.0, 1.5, 0.2, 0.7, 1.1, 1.3]
    fitted = line.fit(x, [1.5 * v + 0.1 for v in x])  # without any scatter
    clean, after = scored(700, 1000), scored(850, 1000)
    found = line.off_line(fitted, clean, after)
    spread = np.array(
        [
            math.sqrt(m.variance) / scipy_stats.norm.pdf(scipy_stats.norm.ppf(m.value))
            for m in (clean, after)
        ]
    )
    se = math.hypot(1.5 * spread[0], spread[1])
    z, t = scipy_stats.norm.ppf(0.85), scipy_stats.t.ppf(0.975, 6)
    residual = z - fitted.at(scipy_stats.norm.ppf(0.7))
    low = 0.85 - scipy_stats.norm.cdf(z - residual + t * se)
    assert found.effective.low == pytest.approx(low, rel=1e-6)
    assert found.own == pytest.approx(1)


def test_a_member_like_the_others_is_called_off_the_line_about_one_time_in_twenty() -> None:
    """Coverage by simulation: panels and models drawn alike, with binomial sampling error on 500 items each."""
    draw = np.random.default_rng(7)
    inside, trials = 0, 1500
    for _ in range(trials):
        x = draw.uniform(0.1, 1.0, 24)
        y = 0.9 * x - 0.1 + draw.normal(0, 0.05, 24)
        shares = draw.binomial(500, scipy_stats.norm.cdf([x, y])) / 500
        fitted = line.fit(*([line.probit(s, 500) for s in row] for row in shares[:, :-1]))
        new = [scored(round(s * 500), 500) for s in shares[:, -1]]
        found = line.off_line(fitted, new[0], new[1]).effective
        inside += found.low <= 0 <= found.high
    # The panel's scatter holds its members' sampling error too, so the interval is wider than it need be.
    assert 0.94 < inside / trials < 0.995


@given(st.integers(1, 400), st.data())
def test_a_probit_is_finite_and_grows_with_the_share(n: int, data: st.DataObject) -> None:
    right = data.draw(st.integers(0, n))
    value = line.probit(right / n, n)
    assert math.isfinite(value)
    assert value <= line.probit(1.0, n)
    if 0 < right < n:
        assert value == pytest.approx(scipy_stats.norm.ppf(right / n))


def test_none_and_all_right_are_moved_in_by_half_an_item() -> None:
    assert line.probit(0.0, 200) == pytest.approx(scipy_stats.norm.ppf(1 / 400))
    assert line.probit(1.0, 200) == pytest.approx(scipy_stats.norm.ppf(399 / 400))
    with pytest.raises(StatisticsError, match="number of items"):
        line.probit(1.0)
    with pytest.raises(StatisticsError, match=r"1\.2"):
        line.probit(1.2)


def test_a_line_needs_three_models_that_differ() -> None:
    with pytest.raises(StatisticsError, match="three pairs"):
        line.fit([0.1, 0.2], [0.1, 0.2])
    with pytest.raises(StatisticsError, match="same clean score"):
        line.fit([0.1] * 5, [0.1, 0.2, 0.3, 0.2, 0.1])
