"""Rows per second of `perturb` with 1, 2, ... processes, and whether the files are the same to the byte.

    python benchmarks/perturb_scaling.py [--rows N] [--shift SPEC] [--markdown]

`seconds` is elapsed time, the best of the rounds, and needs a machine with nothing else to do. Processor time is told apart
for the parent, which reads, names and writes the rows, and for the workers, which perturb them: it holds on a busy machine
too. Elapsed time can be no less than the parent's share, nor than the workers' divided by their number: `limit` is what
remains possible on a machine with a core for each, in times of one process.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from robust_eval.build import perturb_file
from robust_eval.recipes import parse_shifts

SENTENCE = (
    "the film keeps moving even where its story does not hold together, and every actor seems to enjoy "
    "a quiet joke that nobody explains until late evening, number"
)
ROUNDS = 3


class Run(NamedTuple):
    seconds: float
    parent: float  # processor seconds
    workers: float
    digest: str


def write_rows(path: Path, count: int) -> None:
    with path.open("w", encoding="utf-8") as out:
        for i in range(count):
            out.write(json.dumps({"text": f"{SENTENCE} {i}", "label": i % 2}) + "\n")


def used(whose: int) -> float:
    usage = resource.getrusage(whose)
    return usage.ru_utime + usage.ru_stime


def perturbed(folder: Path, shifts: list[str], processes: int) -> Run:
    target = folder / "out.jsonl"
    start, own, others = time.perf_counter(), used(resource.RUSAGE_SELF), used(resource.RUSAGE_CHILDREN)  # fmt: skip
    perturb_file(
        folder / "in.jsonl", target, parse_shifts(shifts, seed=0), fields=("text",), seed=0, processes=processes
    )  # fmt: skip
    return Run(
        time.perf_counter() - start,
        used(resource.RUSAGE_SELF) - own,
        used(resource.RUSAGE_CHILDREN) - others,
        hashlib.sha256(target.read_bytes()).hexdigest(),
    )


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--shift", action="append")
    parser.add_argument("--markdown", action="store_true")
    given = parser.parse_args()
    shifts = given.shift or ["noisy"]
    cores = os.cpu_count() or 1
    print(f"Python {platform.python_version()}, {cores} cores; {given.rows:,} rows of 27 words, --shift {' --shift '.join(shifts)}\n")  # fmt: skip
    row = "| {} | {} | {} | {} | {} | {} | {} |" if given.markdown else "{:<11}" + "{:>10}" * 6
    print(row.format("processes", "seconds", "rows/s", "times", "parent s", "workers s", "limit"))
    if given.markdown:
        print("|---|---|---|---|---|---|---|")
    digests = set()
    alone = whole = 0.0
    with tempfile.TemporaryDirectory() as name:
        write_rows(Path(name) / "in.jsonl", given.rows)
        for processes in range(1, cores + 1):
            runs = [perturbed(Path(name), shifts, processes) for _ in range(ROUNDS)]
            digests |= {run.digest for run in runs}
            seconds = min(run.seconds for run in runs)
            parent, workers = min((run.parent, run.workers) for run in runs)
            alone, whole = alone or seconds, whole or parent
            limit = whole / max(parent, workers / processes)
            print(row.format(processes, f"{seconds:.1f}", f"{given.rows / seconds:,.0f}", f"{alone / seconds:.2f}", f"{parent:.1f}", f"{workers:.1f}", f"{limit:.2f}"), flush=True)  # fmt: skip
    print(
        f"\n{len(digests)} different file{'s' if len(digests) > 1 else ''}: SHA-256 {min(digests)}"
    )
    return 0 if len(digests) == 1 else 1


if __name__ == "__main__":
    sys.exit(main())
