"""What may be said from a comparison's figures, and the one sentence that says why, in points."""

from __future__ import annotations

from dataclasses import replace

from robust_eval.records import Comparison, Estimate, Verdict
from robust_eval.stats.guards import beats
from robust_eval.stats.intervals import normal_quantile
from robust_eval.stats.power import pairs_needed

WORTH_FINDING = 0.05  # the difference of drops that the planning hint is about, as a share


def guard(row: Comparison, majority: float, *, higher_is_better: bool = True) -> Comparison:
    """The row, marked "not comparable" when a clean score is not supported to beat the majority.

    A model that is no better than naming one label has nothing to lose, so a small drop of it says
    nothing. For tasks without labels `majority` is 0: then only a model that may be getting nothing
    right is caught.
    """
    rate = majority if higher_is_better else 1 - majority
    weak = [
        (name, clean)
        for name, clean in ((row.model, row.clean_model), (row.baseline, row.clean_baseline))
        if not beats(clean, rate, higher_is_better=higher_is_better)
    ]
    if not weak:
        return row
    who = " and ".join(
        f"{name}, {_points(clean.value)}% ({_points(clean.low)} to {_points(clean.high)}),"
        for name, clean in weak
    )
    bar = f"the majority rate of {_points(rate)}%" if majority else f"{_points(rate)}%"
    reason = (
        f"Clean {row.metric} of {who} is not supported to beat {bar}: there is too little to lose."
    )
    return replace(row, verdict="not comparable", reason=reason)


def judged(row: Comparison, *, tests: int) -> Comparison:
    """The row with its verdict and reason; `tests` is the size of the Holm family.

    A claim needs both: the adjusted p under 1 - level, and an interval that leaves 0 out. For paired
    sets the test and the interval are different procedures and either may be the stricter one;
    asking for both means that no verdict contradicts the interval printed beside it. A row for one
    set of several never claims: it was not tested in the family.
    """
    if row.verdict == "not comparable":
        return row
    if row.p_holm is None:
        return replace(row, verdict="no supported difference", reason=_descriptive(row))
    claimed = excludes_zero(row.difference) and row.p_holm < 1 - row.difference.level
    if not claimed:
        return replace(row, verdict="no supported difference", reason=_no_claim(row, tests))
    verdict: Verdict = "loses less" if row.difference.low > 0 else "loses more"
    reason = f"{_figures(row)}, Holm-adjusted {_p(row.p_holm)} over {_tests(tests)}."
    return replace(row, verdict=verdict, reason=reason)


def excludes_zero(estimate: Estimate) -> bool:
    return estimate.low > 0 or estimate.high < 0


def _figures(row: Comparison) -> str:
    found = row.difference
    spread = f"({_points(found.low, signed=True)} to {_points(found.high, signed=True)})"
    return (
        f"{row.model} {_lost(row.drop_model.value)} points and {row.baseline} "
        f"{_lost(row.drop_baseline.value)}, a difference of {_points(found.value, signed=True)} {spread}"
    )


def _lost(drop: float) -> str:
    """`loses 3.2`, or `gains 0.5` for a drop below zero."""
    text = _points(abs(drop))
    return f"gains {text}" if drop < 0 and text != "0.0" else f"loses {text}"


def _descriptive(row: Comparison) -> str:
    return f"{_figures(row)}; one set of several, described without a test of its own."


def _no_claim(row: Comparison, tests: int) -> str:
    assert row.p_holm is not None
    p = f"Holm-adjusted {_p(row.p_holm)} over {_tests(tests)}"
    if row.p_holm < 1 - row.difference.level:
        return f"{_figures(row)}: the interval holds 0, so nothing is claimed although {p}."
    if excludes_zero(row.difference):
        return f"{_figures(row)}: on its own that leaves 0 out, but {p}."
    return f"{_figures(row)}: {p}.{_hint(row)}"


def _hint(row: Comparison) -> str:
    """How many originals a difference worth finding would take, where the data can say so."""
    if not row.paired:
        return ""
    level = row.difference.level
    half = (row.difference.high - row.difference.low) / 2
    # The interval's width gives the variance back, roughly: a cut one understates it.
    variance = row.clusters * (half / normal_quantile(level)) ** 2
    needed = pairs_needed(variance, WORTH_FINDING, level=level)
    if needed <= row.clusters:
        return ""
    return (
        f" Finding a difference of {_points(WORTH_FINDING)} points takes about {needed} originals; "
        f"there were {row.clusters}."
    )


def _points(share: float, *, signed: bool = False) -> str:
    """Percentage points with one decimal and a true minus sign."""
    rounded = (
        round(100 * share, 1) + 0.0
    )  # the sum turns -0.0, which would print its sign, into 0.0
    text = f"{rounded:+.1f}" if signed and rounded else f"{rounded:.1f}"
    return text.replace("-", "\N{MINUS SIGN}")


def _tests(tests: int) -> str:
    return f"{tests} test{'s' if tests != 1 else ''}"


def _p(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
