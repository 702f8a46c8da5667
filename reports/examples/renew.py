"""Computes the figures of the example runs again from their stored answers, and renders their pages.

    python reports/examples/renew.py

For after a change of a statistic or of a page: seconds, and no model is called. `make examples` runs it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from robust_eval import store
from robust_eval.audit import verify
from robust_eval.run import render
from robust_eval.score import with_figures


def renew(folder: Path) -> bool:
    """Whether the folder then holds what its answers give."""
    store.save_gate(folder, with_figures(store.load(folder)))
    render(folder, store.load(folder))
    found = verify(folder)
    for finding in found.findings:
        print(f"{finding.where}: {finding.what}", file=sys.stderr)
    print(f"{folder}: {'renewed' if found.holds else 'does not hold together'}")
    return found.holds


if __name__ == "__main__":
    folders = sorted(path.parent for path in Path(__file__).parent.glob("*/run.json"))
    sys.exit(1 if [folder for folder in folders if not renew(folder)] else 0)
