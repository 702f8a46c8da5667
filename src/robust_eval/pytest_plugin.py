"""A pytest plugin: a project's own tests assert what its model may lose.

@pytest.mark.robustness(max_drop=0.05)
def test_typos_cost_at_most_five_points(robustness):
    robustness("python:my_project:classify", dataset="tests/reviews.csv", baseline="bow", shift="noisy")
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from robust_eval.api import Evaluation

MARKER = "robustness"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "robustness(max_drop, max_relative_drop, max_drop_vs_baseline, policy, inconclusive='fail'): limits "
        "for the `robustness` fixture; inconclusive may be 'fail', 'skip' or 'pass'",
    )


@pytest.fixture
def robustness(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Evaluation]:
    """`robustness(model, dataset=..., ...)` runs `robust_eval.evaluate` and asserts the limits.

    Limits come from the call, else from the `robustness` marker. A gate that fails fails the test with every
    reason; one that cannot tell fails it too, unless `inconclusive` is "skip" or "pass". The run is kept in
    the test's own folder, unless `out` names another. Returns the evaluation.
    """
    marker = request.node.get_closest_marker(MARKER)
    marked = dict(marker.kwargs) if marker is not None else {}

    def check(model: str, **arguments: Any) -> Evaluation:
        import robust_eval
        from robust_eval.errors import UsageError, did_you_mean

        given = {**marked, **arguments}
        inconclusive = given.pop("inconclusive", "fail")
        if inconclusive not in ("fail", "skip", "pass"):
            raise UsageError(
                f"inconclusive is 'fail', 'skip' or 'pass', not {inconclusive!r}"
                f"{did_you_mean(str(inconclusive), ('fail', 'skip', 'pass'))}"
            )
        given.setdefault("out", tmp_path / "robustness")
        found = robust_eval.evaluate(model, **given)
        if found.gate is None:
            raise UsageError(
                "no limit to assert; give max_drop to the call or to @pytest.mark.robustness"
            )
        reasons = [c.reason for c in found.gate.checks if c.outcome == found.gate.outcome]
        if found.gate.outcome == "fail" or (
            found.gate.outcome == "inconclusive" and inconclusive == "fail"
        ):
            pytest.fail(_said(found, reasons), pytrace=False)
        if found.gate.outcome == "inconclusive" and inconclusive == "skip":
            pytest.skip(_said(found, reasons))
        return found

    return check


def _said(found: Evaluation, reasons: list[str]) -> str:
    assert found.gate is not None
    return "\n".join([f"robustness gate: {found.gate.outcome} ({found.report})", *reasons])
