"""Number formats on a CPU: examples per second of label scoring, and what happens to the answers.

    python benchmarks/cpu_precision.py [--model demo:gemma-3-270m] [--examples 200]

float32 is what runs use on a CPU; bfloat16 is `--dtype bfloat16`; int8 is torch's dynamic quantisation of every linear
layer (weights per channel, activations per batch), which runs do not offer: it is measured here to say why. float32 is timed before
and after the others, in one process on the same prompts.
"""

from __future__ import annotations

import argparse
import os
import platform
import warnings
from importlib.metadata import version
from pathlib import Path

from lm_eval_ratio import DEMO, HERE, LABELS, Side, best, ours, prompted, reviews
from robust_eval.models import causal
from robust_eval.models.context import PromptSettings
from robust_eval.models.prefix import PROBE_TOLERANCE
from robust_eval.stats.paired import mcnemar

RESULT = HERE.parent / "docs" / "benchmarks" / "cpu_precision.md"


def quantised(model: causal.CausalModel) -> None:
    """Every linear layer of a loaded model in int8, in place."""
    import torch
    from torch.ao.quantization import per_channel_dynamic_qconfig, quantize_dynamic

    quantize_dynamic(
        model.network.model, {torch.nn.Linear: per_channel_dynamic_qconfig}, inplace=True
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default=DEMO)
    parser.add_argument("--examples", type=int, default=200)
    parser.add_argument("--shots", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    examples, pool = reviews(options.examples, 400, options.seed)
    settings = PromptSettings(shots=options.shots)

    def measured(dtype: str, *, int8: bool = False) -> Side:
        model = prompted(options.model, settings, pool, seed=options.seed, dtype=dtype)
        ours(model, examples[:8])  # loads and warms up
        if int8:
            quantised(model)
            ours(model, examples[:8])
        side = ours(model, examples)
        print(f"{dtype}{', linear layers in int8' * int8}: {side.rate:.2f} examples/s", flush=True)
        return side

    before = measured("float32")
    sides = {
        "bfloat16": measured("bfloat16"),
        "int8 linear layers": measured("float32", int8=True),
    }
    after = measured("float32")
    plain = 2 / (1 / before.rate + 1 / after.rate)
    right = [
        LABELS[best(row)] == e.target for row, e in zip(before.logprobs, examples, strict=True)
    ]

    def row(name: str, side: Side) -> str:
        answers = [best(r) for r in side.logprobs]
        these = [LABELS[a] == e.target for a, e in zip(answers, examples, strict=True)]
        differ = sum(a != best(r) for a, r in zip(answers, before.logprobs, strict=True))
        lost = sum(a and not b for a, b in zip(right, these, strict=True))
        gained = sum(b and not a for a, b in zip(right, these, strict=True))
        distances = sorted(
            abs((a[1] - a[0]) - (b[1] - b[0]))
            for a, b in zip(side.logprobs, before.logprobs, strict=True)
        )
        return (
            f"| {name} | {side.rate:.1f} | {side.rate / plain:.2f} | {sum(these) / len(these):.1%} | {differ} of {len(answers)} | "
            f"{mcnemar(lost, gained):.2f} | {distances[len(distances) // 2]:.1e} | {distances[-1]:.1e} |"
        )

    shared = "".join(f" --{k} {v}" for k, v in vars(options).items() if k != "out")
    lines = [
        "# Number formats on a CPU",
        "",
        f"    python benchmarks/cpu_precision.py{shared}",
        "",
        "| | examples/s | of float32's | accuracy | other answers | McNemar p | median change of log-odds | largest |",
        "|---|---|---|---|---|---|---|---|",
        row("float32", before),
        *(row(name, side) for name, side in sides.items()),
        row("float32 again", after),
        "",
        f"Log-odds of the two labels. Scores of one machine are held to {PROBE_TOLERANCE['float32']:g} in float32. int8 is torch's dynamic quantisation of linear layers, "
        "which no run uses.",
        "",
        f"{os.cpu_count()} cores ({platform.machine()}), {os.environ.get('OMP_NUM_THREADS', 'all')} threads, Python {platform.python_version()}, torch {version('torch')}, transformers {version('transformers')}.",
        "",
    ]
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text("\n".join(lines), "utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
