"""How often the gate passes or fails a model whose drop lies exactly on the limit.

    python benchmarks/gate_false_alarm.py [--runs 2000] [--seed 0] [--out docs/benchmarks/gate_false_alarm.md]

At the limit neither answer is true, so each may be given in at most 5% of the runs. Right-and-wrong scores on distinct
items are enumerated, outcome by outcome; the other rows are simulated.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import binom, multinomial

from robust_eval.stats import margins

ALPHA = 0.05
SIZES = (50, 200, 1000)


@dataclass(frozen=True)
class Cell:
    figure: str
    n: int
    what: str
    measure: Callable[[int, np.random.Generator], tuple[float, float]]  # P(pass), P(fail)
    how: str


def likely(n: int, share: float) -> range:
    around = 6 * (n * share * (1 - share)) ** 0.5 + 6
    return range(max(0, int(n * share - around)), min(n, int(n * share + around)) + 1)


def paired(n: int, limit: float, gained: float) -> Cell:
    """The tests directly, without the bounds that a report shows beside them."""

    def measure(runs: int, rng: np.random.Generator) -> tuple[float, float]:
        passed = failed = 0.0
        for b in likely(n, limit + gained):
            for c in likely(n, gained):
                if b + c > n:
                    continue
                chance = multinomial.pmf(
                    [b, c, n - b - c], n, [limit + gained, gained, 1 - limit - 2 * gained]
                )
                if chance < 1e-10:
                    continue
                within = margins.difference_tail(
                    b - c, n, *margins.restricted_pairs(b, c, n, limit)
                )
                beyond = margins.difference_tail(
                    c - b, n, *margins.restricted_pairs(c, b, n, -limit)
                )
                passed += chance * (within <= ALPHA)
                failed += chance * (beyond <= ALPHA)
        return passed, failed

    return Cell("drop, paired", n, f"limit {limit}, {gained} of pairs gain", measure, "exact")


def groups(n: int, limit: float, clean: float) -> Cell:
    def measure(runs: int, rng: np.random.Generator) -> tuple[float, float]:
        passed = failed = 0.0
        shifted = clean - limit
        for x in likely(n, clean):
            for y in likely(n, shifted):
                chance = binom.pmf(x, n, clean) * binom.pmf(y, n, shifted)
                if chance < 1e-8:
                    continue
                first, second = margins.restricted_groups(x, n, y, n, limit)
                value = x / n - y / n
                passed += chance * (margins.groups_tail(value, n, n, first, second) <= ALPHA)
                failed += chance * (margins.groups_tail(-value, n, n, second, first) <= ALPHA)
        return passed, failed

    return Cell("drop, two groups", n, f"limit {limit}, clean {clean}", measure, "exact")


Draw = Callable[[np.random.Generator], margins.Margin]


def simulated(figure: str, n: int, what: str, draw: Draw) -> Cell:
    def measure(runs: int, rng: np.random.Generator) -> tuple[float, float]:
        found = [draw(rng) for _ in range(runs)]
        return (
            sum(m.p_within <= ALPHA for m in found) / runs,
            sum(m.p_beyond <= ALPHA for m in found) / runs,
        )

    return Cell(figure, n, what, measure, "simulated")


def pooled(n: int, limit: float, together: float) -> Cell:
    """Three severities of one shift, whose flips fall on the same items with probability `together`."""

    def draw(rng: np.random.Generator) -> margins.Margin:
        shared = rng.random(n)
        lost = [np.where(rng.random(n) < together, shared, rng.random(n)) < limit for _ in range(3)]
        return margins.mean(np.mean(lost, axis=0).tolist(), range(n), limit)

    return simulated("drop, severities pooled", n, f"limit {limit}, shared {together}", draw)


def clustered(n: int, limit: float) -> Cell:
    def draw(rng: np.random.Generator) -> margins.Margin:
        sizes = rng.integers(1, 6, n)
        names = np.repeat(np.arange(n), sizes)
        luck = np.repeat(rng.random(n), sizes)
        own = np.where(rng.random(len(names)) < 0.7, luck, rng.random(len(names)))
        return margins.mean((own < limit).astype(float).tolist(), names.tolist(), limit)

    return simulated("drop, clustered", n, f"limit {limit}, 1-5 a cluster", draw)


def against(n: int, limit: float, flips: float) -> Cell:
    def draw(rng: np.random.Generator) -> margins.Margin:
        model = rng.random(n) < flips + limit
        baseline = rng.random(n) < flips
        return margins.mean(
            (model.astype(float) - baseline).tolist(), range(n), limit, bounds=(-2.0, 2.0)
        )

    return simulated("drop against baseline", n, f"limit {limit}, both lose {flips}", draw)


def relative(n: int, limit: float, clean: float) -> Cell:
    def draw(rng: np.random.Generator) -> margins.Margin:
        before = rng.random(n) < clean
        after = before & (rng.random(n) >= limit)
        return margins.mean(((1 - limit) * before - after).tolist(), range(n), 0.0)

    return simulated("relative drop", n, f"limit {limit}, clean {clean}", draw)


def cells() -> Iterator[Cell]:
    for n in SIZES:
        for limit in (0.02, 0.05, 0.1):
            for gained in (0.0, 0.01, 0.05):
                yield paired(n, limit, gained)
        if n < 1000:
            yield groups(n, 0.05, 0.9)
            yield groups(n, 0.02, 0.99)
        for limit in (0.02, 0.05):
            yield pooled(n, limit, 0.9)
            yield pooled(n, limit, 0.3)
            yield clustered(n, limit)
            yield against(n, limit, 0.02)
            yield relative(n, limit, 0.85)
        yield against(n, 0.0, 0.1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=None)
    options = parser.parse_args()
    start = time.perf_counter()
    lines, worst = [], {"exact": 0.0, "simulated": 0.0}
    for cell in cells():
        rng = np.random.default_rng(
            [options.seed, cell.n, *cell.figure.encode(), *cell.what.encode()]
        )
        passed, failed = cell.measure(options.runs, rng)
        worst[cell.how] = max(worst[cell.how], passed, failed)
        lines.append(
            f"| {cell.figure} | {cell.n} | {cell.what} | {passed:.4f} | {failed:.4f} | {cell.how} |"
        )
    seconds = time.perf_counter() - start
    error = (ALPHA * (1 - ALPHA) / options.runs) ** 0.5
    page = f"""# False alarms of the gate

`python benchmarks/gate_false_alarm.py --runs {options.runs} --seed {options.seed}`: one of {os.cpu_count()} cores, {seconds:.0f} s. The true figure lies exactly on
the limit, so a pass and a failure are both wrong; each check's share of either should not exceed 0.05. Exact rows enumerate every outcome;
simulated ones have a standard error of {error:.4f} at 0.05. Highest: {worst["exact"]:.4f} exact, {worst["simulated"]:.4f} simulated.

| figure | n | data | wrong pass | wrong failure | how |
|---|--:|---|--:|--:|---|
"""
    page += "\n".join(lines) + "\n"
    print(page)
    if options.out is not None:
        options.out.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
