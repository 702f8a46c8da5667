"""Seconds for 10,000 cluster-bootstrap draws of the relative drop over many shifts and examples.

python benchmarks/bootstrap_speed.py [--examples 100000] [--shifts 20] [--draws 10000]
"""

from __future__ import annotations

import argparse
import os
import resource
import time

import numpy as np

from robust_eval.stats.bootstrap import bootstrap


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--examples", type=int, default=100_000)
    parser.add_argument("--shifts", type=int, default=20)
    parser.add_argument("--draws", type=int, default=10_000)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    clean = (rng.random(options.examples) < 0.85).astype(float)
    columns = [clean]
    for shift in range(options.shifts):
        lost = rng.random(options.examples) < 0.02 * (shift + 1) / 2
        columns.append(np.where(lost, 0.0, clean))
    start = time.perf_counter()
    found = bootstrap(
        np.column_stack(columns),
        lambda sums: 1 - sums[:, 1:] / sums[:, :1],
        n=options.examples,
        draws=options.draws,
    )
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    threads = os.environ.get("OMP_NUM_THREADS", "all")
    print(
        f"{options.draws:,} draws of {options.shifts} shifts by {options.examples:,} examples: "
        f"{seconds:.1f} s, {peak:.0f} MB at the peak, {threads} threads of {os.cpu_count()} cores"
    )
    print(f"first {found[0]}")


if __name__ == "__main__":
    main()
