"""Whether fewer bits make a local model faster on this CPU, and what that does to its answers.

    python benchmarks/cpu_precision.py [--model demo:gemma-3-270m] [--examples 200]

Label scoring with 4 demonstrations, prefix shared, in float32 (the default), bfloat16 (`--dtype bfloat16`) and int8
(torch's dynamic quantisation of every linear layer, which the command does not offer). All in one process, float32
before and after. An option is worth having where it is faster and labels stay the same.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from pathlib import Path

import platformdirs

from lm_eval_ratio import DEMO, LABELS, reviews
from robust_eval.models import causal
from robust_eval.models.context import ModelContext, PromptSettings
from robust_eval.records import TASKS, Example, Prediction, TaskKind


def context(pool: tuple[Example, ...], dtype: str) -> ModelContext:
    return ModelContext(
        task=TASKS[TaskKind.CLASSIFICATION],
        labels=LABELS,
        train=(),
        dev=(),
        demonstrations=pool,
        seed=1,
        cache_dir=Path(
            os.environ.get("ROBUST_EVAL_CACHE", platformdirs.user_cache_dir("robust-eval"))
        ),
        prompt=PromptSettings(shots=4, chat="off"),
        device="cpu",
        dtype=dtype,
    )


def answers(
    model: causal.CausalModel, examples: Sequence[Example]
) -> tuple[list[Prediction], float]:
    """Every example's answer in order, and examples a second of processor time; loading is left out."""
    model.network  # noqa: B018 - loads
    list(next(iter(model.jobs(examples[:4]))).answer())
    found: dict[int, Prediction] = {}
    start = time.process_time()
    for job in model.jobs(examples):
        found.update(zip(job.indices, job.answer(), strict=True))
    return [found[i] for i in range(len(examples))], len(examples) / (time.process_time() - start)


def in_int8(model: causal.CausalModel) -> causal.CausalModel:
    """The same model with its linear layers' weights in int8; activations are quantised as they come."""
    import torch

    network = model.network
    network.model = torch.ao.quantization.quantize_dynamic(
        network.model, {torch.nn.Linear}, dtype=torch.qint8
    )
    network._body = network.model.base_model
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default=DEMO)
    parser.add_argument("--examples", type=int, default=200)
    options = parser.parse_args()
    import torch

    examples, pool = reviews(options.examples, 400, 1)

    def load(dtype: str) -> causal.CausalModel:
        return causal.load(options.model, "model", context(pool, dtype))

    float32, rate = answers(load("float32"), examples)
    rows = [("float32", rate, float32)]
    for name, model in (("bfloat16", load("bfloat16")), ("int8", in_int8(load("float32")))):
        given, rate = answers(model, examples)
        rows.append((name, rate, given))
    again, rate = answers(load("float32"), examples)
    rows.append(("float32 again", rate, again))

    print(
        f"{options.model}, {len(examples)} reviews, {torch.get_num_threads()} threads, torch {torch.__version__}"
    )
    print(
        "| numbers | examples/s of processor time | accuracy | other labels | largest difference of a log-likelihood |"
    )
    print("|---|---|---|---|---|")
    for name, rate, given in rows:
        right = sum(p.label == e.target for p, e in zip(given, examples, strict=True))
        other = sum(p.label != q.label for p, q in zip(given, float32, strict=True))
        far = max(
            abs(a - b)
            for p, q in zip(given, float32, strict=True)
            for a, b in zip(p.label_logprobs or (), q.label_logprobs or (), strict=True)
        )
        print(
            f"| {name} | {rate:.1f} | {right / len(examples):.3f} | {other} | {far:.2g} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
