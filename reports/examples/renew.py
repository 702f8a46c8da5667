"""Computes the figures of the example runs again from their stored answers, and renders their pages.

    python reports/examples/renew.py

For after a change of a statistic or of a page: seconds, and no model is called. `make examples` runs it.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from robust_eval import score, store
from robust_eval.audit import verify
from robust_eval.run import render


def renew(folder: Path) -> bool:
    """Whether the folder then holds what its answers give."""
    record = store.load(folder)
    level = float(record.settings["level"])
    parts = (record.dataset, record.sets, record.models, record.predictions, record.scores)
    budgets = bool(record.settings.get("equal_budgets"))
    record = replace(
        record,
        gaps=score.gaps(*parts, level=level),
        comparisons=score.comparisons(*parts, level=level, equal_budgets=budgets),
    )
    record = replace(record, analysis=score.analysis(record, level=level))
    store.save_gate(folder, record)
    render(folder, store.load(folder))
    found = verify(folder)
    for finding in found.findings:
        print(f"{finding.where}: {finding.what}", file=sys.stderr)
    print(f"{folder}: {'renewed' if found.holds else 'does not hold together'}")
    return found.holds


if __name__ == "__main__":
    folders = sorted(path.parent for path in Path(__file__).parent.glob("*/run.json"))
    sys.exit(1 if [folder for folder in folders if not renew(folder)] else 0)
