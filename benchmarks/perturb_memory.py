"""Peak memory of perturbing a JSON lines file of a million lines; under 1 GB is wanted.

    python benchmarks/perturb_memory.py [--lines 1000000] [--processes 1]

The rows have no ids, so the table of content hashes is part of what is measured. The peak is that of this process
and of its largest worker.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from pathlib import Path

from robust_eval.build import perturb_file
from robust_eval.recipes import parse_shifts

LIMIT_MB = 1_000
VOCABULARY = "a plain sentence of some twenty words that a reviewer might have written late at night about a film"


def peak_mb() -> float:
    """Highest resident memory so far, in MB: this process and its largest child."""
    scale = 1e6 if sys.platform == "darwin" else 1e3  # bytes there, KiB on Linux
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return (own + child) / scale


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--processes", type=int, default=1)
    options = parser.parse_args()
    words = VOCABULARY.split()
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "in.jsonl"), Path(folder, "out.jsonl")
        with source.open("w", encoding="utf-8") as file:
            for i in range(options.lines):
                text = " ".join(words[(i + k) % len(words)] for k in range(20))
                file.write(json.dumps({"text": f"{text} {i}", "label": i % 2}) + "\n")
        before = peak_mb()
        start = time.perf_counter()
        summary = perturb_file(
            source,
            target,
            parse_shifts(["keyboard-typos@3"], seed=0),
            fields=("text",),
            seed=0,
            processes=options.processes,
        )
        seconds = time.perf_counter() - start
        peak = peak_mb()
    print(f"{summary.rows:,} lines in {seconds:.0f} s ({summary.rows / seconds:,.0f} a second)")
    print(f"peak memory {peak:.0f} MB ({before:.0f} MB before), limit {LIMIT_MB} MB")
    return 0 if peak < LIMIT_MB else 1


if __name__ == "__main__":
    sys.exit(main())
