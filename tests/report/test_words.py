from __future__ import annotations

from dataclasses import replace

import pytest

from robust_eval.records import Dose, Estimate
from robust_eval.report import numbers as n
from robust_eval.report import summary


def test_a_negative_drop_has_a_true_minus_sign_and_zero_has_none():
    assert n.points(-0.0123) == "−1.2"
    assert n.points(-0.0001) == "0.0"
    assert n.signed_points(0.032) == "+3.2"


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        (None, "size not known"),
        (268_098_176, "268 million weights"),
        (22_713_216, "22.7 million weights"),
        (7_615_616_512, "7.62 billion weights"),
        (999_900_000, "1 billion weights"),
        (14_210, "14,210 weights"),
        (0, "no weights"),
    ],
)
def test_sizes_read_as_people_say_them(weights, words):
    assert n.weights(weights) == words


def test_small_p_values_are_bounded_not_rounded_to_zero():
    assert n.p_value(0.0004) == "< 0.001"
    assert n.p_is(0.0004) == "p < 0.001"
    assert n.p_value(1.0) == "1"
    assert n.p_value(None) == "–"


def test_long_lists_say_how_many_more_there_are():
    assert n.listed(list("abc")) == "a, b and c"
    assert n.listed([str(i) for i in range(9)]) == "0, 1, 2, 3, 4 and 4 more"


def with_verdicts(record, verdicts):
    """The record with its lead comparisons' verdicts replaced, shift by shift."""
    rows = tuple(
        replace(c, verdict=verdicts.get(c.shift, c.verdict))
        if c.baseline == "demo:minilm" and c.set_key is None
        else c
        for c in record.comparisons
    )
    return replace(record, comparisons=rows)


def test_the_headline_names_the_shifts_of_every_verdict(run_record):
    changed = with_verdicts(
        run_record,
        {
            "mixed-noise": "loses less",
            "keyboard-typos": "loses more",
            "ocr-confusions": "no supported difference",
            "word-drops": "loses more",
            "imdb": "not comparable",
        },
    )
    assert summary(changed).headline == (
        "When the test set shifts, demo:gemma-3-270m loses less than demo:minilm under mixed-noise; "
        "it loses more under keyboard-typos and word-drops; no difference in loss is supported under "
        "ocr-confusions; no fair comparison is possible under imdb."
    )


def test_a_headline_without_any_support_says_so(run_record):
    shifts = {s.shift for s in run_record.sets}
    changed = with_verdicts(run_record, dict.fromkeys(shifts, "no supported difference"))
    assert (
        "between demo:gemma-3-270m and demo:minilm, no difference in loss is supported under all 5 shifts"
        in (summary(changed).headline)
    )


def test_a_floor_never_leads_the_headline(run_record):
    reversed_rows = replace(run_record, comparisons=tuple(reversed(run_record.comparisons)))
    assert summary(reversed_rows).rows[0].baseline == "demo:minilm"
    assert "demo:minilm" in summary(reversed_rows).headline


def test_single_severities_stay_out_of_the_headline_rows(run_record):
    assert any(c.set_key for c in run_record.comparisons)
    assert all(row.comparison.set_key is None for row in summary(run_record).rows)


def test_without_a_baseline_the_worst_drop_is_called_a_chosen_one(make_run):
    record = make_run(n=40)
    alone = replace(record, models=record.models[:1], comparisons=(), gaps=record.gaps[:7])
    said = summary(alone)
    assert "largest of 7 and so likely to be overstated" in said.headline
    assert said.sentences == ("No baseline was given, so nothing is compared.",)


def test_a_run_in_which_everything_failed_concludes_nothing(make_run):
    record = make_run(n=10, failing=1.1)
    only = replace(
        record,
        predictions={
            k: tuple(replace(p, status="failed") for p in v) for k, v in record.predictions.items()
        },
        gaps=(),
        comparisons=(),
    )
    only = replace(
        only,
        predictions=dict.fromkeys(
            only.predictions, record.predictions["demo:gemma-3-270m", "imdb"]
        ),
    )
    assert summary(only).headline == "Nothing can be concluded: no model gave an answer."
    assert any("requests to demo:gemma-3-270m failed" in w for w in summary(only).warnings)


def test_limits_say_how_large_each_model_is_and_that_size_and_method_are_confounded(run_record):
    limits = " ".join(summary(run_record).limits)
    assert "demo:gemma-3-270m: prompted, 268 million weights" in limits
    assert "demo:minilm: fine-tuned, 22.7 million weights" in limits
    assert "confounds size with method" in limits
    assert "one draw of demonstrations and one fine-tuning seed" in limits
    assert "reviews of at most 200 words" in limits
    assert "1 answer of demo:gemma-3-270m" in limits


def test_a_set_that_changed_nothing_is_warned_of(run_record):
    first = run_record.sets[0]
    still = replace(first, doses=tuple(Dose(0.0, 0, False) for _ in first.examples))
    record = replace(run_record, sets=(still, *run_record.sets[1:]))
    assert any(w.startswith("mixed-noise@1 changed no example") for w in summary(record).warnings)


def test_a_tuned_baseline_under_the_floor_is_warned_of(run_record):
    low = Estimate(0.4, 0.3, 0.5, 200, 0.95, "made up")
    gaps = tuple(replace(g, clean=low) if g.model == "demo:minilm" else g for g in run_record.gaps)
    warnings = summary(replace(run_record, gaps=gaps)).warnings
    assert any("no better than the floor bow" in w for w in warnings)


def test_control_characters_in_names_do_not_reach_a_terminal(run_record):
    bad = "demo:\x1b[31m\u202egemma\nx"
    record = replace(
        run_record,
        models=(replace(run_record.models[0], name=bad), *run_record.models[1:]),
        comparisons=tuple(replace(c, model=bad) for c in run_record.comparisons),
        warnings=("careful \x1b]8;;http://x\x07",),
    )
    said = summary(record)
    words = [said.headline, *said.sentences, *said.warnings, *said.limits, said.rows[0].model]
    assert not any(c in w for w in words for c in "\x1b\x07\u202e\n")
    assert "⟨U+202E⟩" in said.headline
