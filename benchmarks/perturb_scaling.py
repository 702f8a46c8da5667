"""Rows per second of `perturb` with 1, 2, ... processes, and whether the files are the same to the byte.

    python benchmarks/perturb_scaling.py [--rows N] [--shift SPEC] [--markdown]

Elapsed time of the whole command, interpreter start included, the best of the rounds; up to as many processes as the
machine has cores. The parent reads, names and writes the rows, so a last core is never all gain.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SENTENCE = (
    "the film keeps moving even where its story does not hold together, and every actor seems to enjoy "
    "a quiet joke that nobody explains until late evening, number"
)
ROUNDS = 3


def write_rows(path: Path, count: int) -> None:
    with path.open("w", encoding="utf-8") as out:
        for i in range(count):
            out.write(json.dumps({"text": f"{SENTENCE} {i}", "label": i % 2}) + "\n")


def perturbed(folder: Path, shifts: list[str], processes: int) -> tuple[float, str]:
    """Seconds that the command took, and the digest of what it wrote."""
    target = folder / "out.jsonl"
    command = [
        sys.executable,
        "-m",
        "robust_eval",
        "perturb",
        str(folder / "in.jsonl"),
        str(target),
    ]
    command += ["--overwrite", "--quiet", "--processes", str(processes)]
    for shift in shifts:
        command += ["--shift", shift]
    start = time.perf_counter()
    subprocess.run(command, check=True)
    seconds = time.perf_counter() - start
    return seconds, hashlib.sha256(target.read_bytes()).hexdigest()


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--shift", action="append")
    parser.add_argument("--markdown", action="store_true")
    given = parser.parse_args()
    shifts = given.shift or ["noisy"]
    cores = os.cpu_count() or 1
    print(f"Python {platform.python_version()}, {cores} cores; {given.rows:,} rows of 27 words, --shift {' --shift '.join(shifts)}")  # fmt: skip
    row = "| {} | {} | {} | {} |" if given.markdown else "{:<12}{:>12}{:>12}{:>10}"
    print(row.format("processes", "seconds", "rows/s", "times"))
    if given.markdown:
        print("|---|---|---|---|")
    digests = set()
    alone = 0.0
    with tempfile.TemporaryDirectory() as name:
        write_rows(Path(name) / "in.jsonl", given.rows)
        for processes in range(1, cores + 1):
            runs = [perturbed(Path(name), shifts, processes) for _ in range(ROUNDS)]
            seconds = min(taken for taken, _ in runs)
            digests |= {digest for _, digest in runs}
            alone = alone or seconds
            print(row.format(processes, f"{seconds:.1f}", f"{given.rows / seconds:,.0f}", f"{alone / seconds:.2f}"), flush=True)  # fmt: skip
    print(f"{len(digests)} different file{'s' if len(digests) > 1 else ''}: SHA-256 {min(digests)}")
    return 0 if len(digests) == 1 else 1


if __name__ == "__main__":
    sys.exit(main())
