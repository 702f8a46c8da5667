"""Time of the two commands a newcomer gives: `make demo` in a fresh clone, a warm re-run, `--help`.

    python benchmarks/main_job.py            # about 10 minutes on 2 cores; writes docs/benchmarks/main_job.md

The clone, its environment and its cache are new; only the package downloads may come from pip's own
cache, which the first line of the table names.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "docs" / "benchmarks" / "main_job.md"
HELP_RUNS = 11


def timed(command: list[str], folder: Path, **environment: str) -> tuple[float, str]:
    """Seconds and standard output; raises CalledProcessError when the command fails."""
    start = time.perf_counter()
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return time.perf_counter() - start, done.stdout


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="robust-eval-benchmark-") as temporary:
        clone, cache = Path(temporary, "clone"), Path(temporary, "cache")
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        total, out = timed(["make", "demo"], clone, ROBUST_EVAL_CACHE=str(cache))
        report = clone / out.strip().splitlines()[-1]
        assert report.is_file(), f"make demo did not end with the report's path: {report}"
        cold = json.loads((report.parent / "run.json").read_text(encoding="utf-8"))
        program = str(clone / ".venv" / "bin" / "robust-eval")
        settings = cold["settings"]
        again = [program, "--dataset", settings["dataset"], "--limit", str(settings["limit"])]
        again += [
            "--shots",
            str(settings["shots"]),
            "--seed",
            str(settings["seed"]),
            "--out",
            "warm",
        ]
        for option, values in (
            ("--model", "models"),
            ("--baseline", "baselines"),
            ("--shift", "shifts"),
        ):
            again += [part for value in settings[values] for part in (option, value)]
        warm_seconds, _ = timed(again, clone, ROBUST_EVAL_CACHE=str(cache))
        warm = json.loads((clone / "warm" / "run.json").read_text(encoding="utf-8"))
        helps = [timed([program, "--help"], clone)[0] for _ in range(HELP_RUNS)]
        size = shutil.disk_usage(temporary).used and sum(
            f.stat().st_size for f in clone.rglob("*") if f.is_file() and not f.is_symlink()
        )
    rows = [
        (
            "`make demo`, installation included (pip's download cache as it was)",
            f"{total / 60:.1f} min",
        ),
        ("the run itself", f"{cold['host']['seconds'] / 60:.1f} min"),
        ("answers computed in it", f"{cold['host']['model_calls']:,}"),
        ("warm re-run into another folder", f"{warm_seconds:.1f} s"),
        ("answers computed in the warm re-run", f"{warm['host']['model_calls']:,}"),
        (f"`robust-eval --help`, median of {HELP_RUNS}", f"{statistics.median(helps):.2f} s"),
        ("size of the clone with its environment", f"{size / 1e9:.1f} GB"),
    ]
    lines = [
        "# The main job",
        "",
        "Command: `python benchmarks/main_job.py`",
        "",
        f"Machine: {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}.",
        "",
        "| what | measured |",
        "|---|---|",
        *(f"| {what} | {figure} |" for what, figure in rows),
        "",
    ]
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text("\n".join(lines), encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
