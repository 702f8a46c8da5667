"""Time, memory and size of a report on a large run, and how soon a browser shows it.

    python benchmarks/report_scale.py

A made-up run of 5,000 examples by 30 shifted sets by 4 models (600,000 shifted predictions) is perturbed, scored and
saved for real; only its answers are drawn. Then `robust-eval report` and `robust-eval verify` run on its folder as
processes of their own. A second run of 1,000 examples by 20 sets by 4 models gives the page's size and, where a
Chromium is found, the time to its first view: the first contentful paint and the load event of five fresh pages.
"""

from __future__ import annotations

import argparse
import math
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from random import Random

from robust_eval import __version__, store
from robust_eval.build import build_sets
from robust_eval.data.fingerprint import fingerprint
from robust_eval.recipes import parse_shifts
from robust_eval.records import (
    CLEAN,
    SCHEMA_VERSION,
    TASKS,
    Dataset,
    Example,
    ModelCard,
    Prediction,
    RunRecord,
    ShiftedSet,
    TaskKind,
)  # fmt: skip
from robust_eval.rng import stream
from robust_eval.score import analysis, comparisons, gaps, score_all
from robust_eval.settings import Settings

LABELS = ("negative", "positive")
SHIFTS = (
    "keyboard-typos",
    "char-swaps",
    "ocr-confusions",
    "word-drops",
    "random-case",
    "space-drops",
)
WORDS = ["the", "film", "a", "story", "its", "cast", "never", "quite", "finds", "but", "always", "wins", "with", "warmth", "and", "wit", "long", "before", "end", "every", "scene", "drags", "on", "runs", "out", "of", "ideas", "means", "it", "not", "good", "great", "dull", "acting", "script", "camera", "music"]  # fmt: skip


def text(rng: Random, low: int = 8, high: int = 40) -> str:
    return " ".join(
        WORDS[int(rng.random() * len(WORDS))] for _ in range(low + int(rng.random() * (high - low)))
    )


def answers(examples: tuple[Example, ...], right: float, rng: Random) -> tuple[Prediction, ...]:
    made = []
    for example in examples:
        target = LABELS.index(str(example.target))
        at = target if rng.random() < right else 1 - target
        sure = 0.5 + rng.random() / 2
        scores = [math.log(1 - sure + 1e-9)] * 2
        scores[at] = math.log(sure)
        made.append(Prediction(example.id, LABELS[at], scores=tuple(scores)))
    return tuple(made)


def made_up_run(examples: int, sets: int, models: int) -> RunRecord:
    rng = stream(0, "report_scale")
    clean = tuple(
        Example(f"e{i:06d}", {"text": text(rng)}, LABELS[i % 2], f"e{i:06d}")
        for i in range(examples)
    )
    dataset = Dataset(
        "made-up",
        TASKS[TaskKind.CLASSIFICATION],
        LABELS,
        clean,
        "1",
        fingerprint(TASKS[TaskKind.CLASSIFICATION], LABELS, clean),
    )
    specs = [f"{name}@{severity}" for name in SHIFTS for severity in (1, 2, 3, 4, 5)][: sets - 1]
    plans = parse_shifts(specs, seed=0)
    made = list(build_sets(dataset, plans, ood={}, limit=None, seed=0))
    other = tuple(
        Example(f"o{i:06d}", {"text": text(rng, 60, 250)}, LABELS[i % 2], f"o{i:06d}")
        for i in range(examples)
    )
    made.append(
        ShiftedSet("domain", "elsewhere", "elsewhere", None, 0, False, other, source="made up")
    )
    cards = tuple(
        ModelCard(
            f"model-{i}",
            f"scripted:{i}",
            "model" if i < 2 else "baseline",
            "scripted",
            f"{i}" * 32,
            True,
        )
        for i in range(models)
    )
    predictions = {
        (card.name, key): answers(of, 0.9 - 0.03 * i - 0.02 * severity * (i + 1) / 2, rng)
        for i, card in enumerate(cards)
        for key, of, severity in (
            (CLEAN, clean, 0),
            *((s.key, s.examples, s.severity or 2) for s in made),
        )
    }
    scores = score_all(dataset, made, predictions)
    settings = Settings(
        models=tuple(c.spec for c in cards if c.role == "model"),
        baselines=tuple(c.spec for c in cards if c.role == "baseline"),
        dataset="made-up",
        shifts=tuple(specs),
    )
    record = RunRecord(
        SCHEMA_VERSION, settings.as_dict(), dataset, {}, tuple(made), cards, predictions, scores,
        gaps(dataset, made, cards, predictions, scores), comparisons(dataset, made, cards, predictions, scores),
        dict.fromkeys((c.name for c in cards), 0), (), {"robust-eval": __version__}, {},
    )  # fmt: skip
    return replace(record, analysis=analysis(record))


def measured(*arguments: str) -> tuple[float, float, float]:
    """Elapsed seconds, processor seconds and peak MB of the command line as a process of its own."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "robust_eval", *arguments], stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"robust-eval {' '.join(arguments)} ended with {process.returncode}")
    scale = 1024 if platform.system() == "Darwin" else 1
    used = usage.ru_utime + usage.ru_stime
    return time.perf_counter() - started, used, usage.ru_maxrss / scale / 1024


def first_view(page: Path, chromium: str) -> tuple[float, float]:
    """Median milliseconds to the first contentful paint and to the end of loading."""
    from playwright.sync_api import sync_playwright

    paints, loads = [], []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for _ in range(5):
            context = browser.new_context(viewport={"width": 1280, "height": 900})
            tab = context.new_page()
            tab.goto(page.as_uri())
            tab.wait_for_function("performance.getEntriesByName('first-contentful-paint').length")
            paints.append(
                tab.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
            )
            loads.append(tab.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd"))
            context.close()
        browser.close()
    return statistics.median(paints), statistics.median(loads)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=5000)
    parser.add_argument("--sets", type=int, default=30)
    parser.add_argument("--models", type=int, default=4)
    parser.add_argument("--keep", type=Path, help="folder for the two runs; temporary by default")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = options.keep or Path(folder)
        print(
            "| run | step | elapsed s | processor s | peak MB | page MB |\n|---|---|---:|---:|---:|---:|",
            flush=True,
        )
        for examples, sets, models in (
            (options.examples, options.sets, options.models),
            (1000, 20, 4),
        ):
            path = root / f"{examples}x{sets}x{models}"
            path.mkdir(parents=True, exist_ok=True)
            store.save(path, made_up_run(examples, sets, models))
            for command in ("report", "verify"):
                seconds, used, peak = measured(command, str(path))
                size = (path / "report.html").stat().st_size / 1e6
                print(
                    f"| {examples:,} x {sets} x {models} | `robust-eval {command}` "
                    f"| {seconds:.1f} | {used:.1f} | {peak:.0f} | {size:.2f} |",
                    flush=True,
                )
        chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
        if chromium:
            paint, load = first_view(path / "report.html", chromium)
            print(
                f"\nFirst view of the last page: first contentful paint {paint:.0f} ms, loaded {load:.0f} ms"
            )
    print(f"\n{os.cpu_count()} cores, Python {platform.python_version()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
