"""Friedman's ranks against scipy and the published GLUE-X table."""

from __future__ import annotations

import gzip
import json
import os
import random
from pathlib import Path

import pytest
from scipy import stats as scipy_stats

from robust_eval.errors import StatisticsError
from robust_eval.stats.ranks import friedman

REFERENCE = os.environ.get("ROBUST_EVAL_TEST_REFERENCE")


def test_published_mean_ranks_of_glue_x_are_reproduced() -> None:
    if not REFERENCE:
        pytest.skip("test data: set ROBUST_EVAL_TEST_REFERENCE")
    with gzip.open(Path(REFERENCE) / "ood_leaderboards.jsonl.gz", "rt", "utf-8") as lines:
        rows = [row for row in map(json.loads, lines) if row["source"] == "GLUE-X"]
    scores = [
        [
            value
            for task, sets in sorted(row["data"].items())
            for key, metrics in sorted(sets.items())
            for metric, value in sorted(metrics.items())
            if metric not in ("f1", "spearmanr")  # the table's columns: one metric a data set
        ]
        for row in rows
    ]
    assert (len(scores), {len(row) for row in scores}) == (19, {22})
    found = friedman(scores)
    mean = dict(zip((row["model"] for row in rows), found.mean, strict=True))
    published = {
        "electra-large-discriminator": 2.59,
        "t5-large": 3.95,
        "bart-large": 4.36,
        "roberta-large": 5.14,
        "roberta-base": 7.98,
        "bart-base": 10.82,
    }
    assert {name: round(mean[name], 2) for name in published} == published
    # The published statistic is not corrected for ties: it is that of the mean ranks alone.
    k, n = len(scores), 22
    plain = 12 * n / (k * (k + 1)) * (sum(r * r for r in found.mean) - k * (k + 1) ** 2 / 4)
    assert plain == pytest.approx(227.36, abs=0.005)
    theirs = scipy_stats.friedmanchisquare(*scores)
    assert (found.statistic, found.p) == pytest.approx((theirs.statistic, theirs.pvalue))


@pytest.mark.parametrize("levels", [3, 1000])
def test_the_test_is_that_of_scipy_with_and_without_ties(levels: int) -> None:
    draw = random.Random(levels)
    scores = [[draw.randrange(levels) / levels for _ in range(12)] for _ in range(5)]
    found = friedman(scores)
    theirs = scipy_stats.friedmanchisquare(*scores)
    assert (found.statistic, found.p) == pytest.approx((theirs.statistic, theirs.pvalue))
    ranks = [scipy_stats.rankdata([-row[j] for row in scores]) for j in range(12)]
    assert found.mean == pytest.approx(tuple(sum(r[i] for r in ranks) / 12 for i in range(5)))


def test_a_metric_that_is_better_when_lower_turns_the_ranks_about() -> None:
    scores = [[0.1, 0.2], [0.5, 0.6], [0.9, 0.7]]
    assert friedman(scores).mean == (3.0, 2.0, 1.0)
    assert friedman(scores, higher_is_better=False).mean == (1.0, 2.0, 3.0)


def test_ranks_of_nothing_to_rank_are_refused() -> None:
    with pytest.raises(StatisticsError, match="three models"):
        friedman([[0.1, 0.2], [0.3, 0.4]])
    with pytest.raises(StatisticsError, match="same score"):
        friedman([[0.5, 0.5]] * 3)
