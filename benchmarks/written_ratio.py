"""Tokens per second of written chains of thought, ours against lm-evaluation-harness 0.4.13.

Same prompts (8 demonstrations with rationales), weights (float32), tokenizer, machine and number of new tokens:
every answer has exactly as many on both sides, no text ends one. Loading is left out, tokenising is in. The
ratio of processor time stands beside that of elapsed time: other work on the machine cannot move it.

    python benchmarks/written_ratio.py --pool gsm8k/train.jsonl.gz --questions gsm8k/test.jsonl.gz
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lm_eval_ratio import DEMO, HERE, PEER, environment, export
from robust_eval.data import load
from robust_eval.models import causal
from robust_eval.models.cache import cache_folder
from robust_eval.models.context import ModelContext, PromptSettings
from robust_eval.models.decoding import Decoding, continue_rows
from robust_eval.models.label_scores import common_prefix
from robust_eval.records import TASKS, TaskKind

RESULT = HERE.parent / "docs" / "benchmarks" / "written_ratio.md"
TARGET = 2.0


def ours(
    model: causal.CausalModel, prompts: list[str], new: int, batch: int
) -> tuple[list[str], float, float]:
    """What is written after each prompt, and the seconds it took: elapsed, and of processor time."""
    start, busy = time.perf_counter(), time.process_time()
    rows = model.tokens.encode(prompts)
    prefix = common_prefix(rows)
    order = sorted(range(len(rows)), key=lambda i: -len(rows[i]))
    texts = [""] * len(rows)
    for first in range(0, len(order), batch):
        part = order[first : first + batch]
        decoding = Decoding(new, frozenset(), ends=())
        written = continue_rows(
            model.network, model.tokens, prefix, [rows[i] for i in part], decoding
        )
        for i, (answer,) in zip(part, written, strict=True):
            texts[i] = answer.text
    return texts, time.perf_counter() - start, time.process_time() - busy


def peer(
    python: Path, model: causal.CausalModel, prompts: list[str], options: argparse.Namespace
) -> Any:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        export(model, folder / "model")
        task = {
            "prompts": prompts,
            "answers": [],
            "bos": bool(model.tokens.start),
            "new": options.new,
        }
        (folder / "task.json").write_text(json.dumps(task), "utf-8")
        subprocess.run(
            [str(python), str(PEER), str(folder / "task.json"), str(folder / "model"),
             str(folder / "out.json"), "--batch-sizes", options.peer_batch_sizes,
             "--sample", str(options.peer_sample)],
            check=True,
            env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
            | {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"},
        )  # fmt: skip
        return json.loads((folder / "out.json").read_text("utf-8"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pool", required=True, help="math problems with rationales")
    parser.add_argument("--questions", required=True)
    parser.add_argument("--examples", type=int, default=24)
    parser.add_argument("--peer-examples", type=int, default=8)
    parser.add_argument("--new", type=int, default=64, help="tokens of every answer")
    parser.add_argument("--shots", type=int, default=8)
    parser.add_argument("--batch", type=int, default=24)
    parser.add_argument("--model", default=DEMO)
    parser.add_argument("--lm-eval-python", type=Path)
    parser.add_argument("--peer-batch-sizes", default="4,8")
    parser.add_argument("--peer-sample", type=int, default=8)
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    python = options.lm_eval_python or environment()

    pool = load(options.pool, task="math").examples[:64]
    asked = load(options.questions, task="math").examples[: options.examples]
    context = ModelContext(
        task=TASKS[TaskKind.MATH],
        labels=(),
        train=(),
        dev=(),
        demonstrations=pool,
        seed=0,
        cache_dir=cache_folder(),
        prompt=PromptSettings(shots=options.shots, prompting="cot", chat="off"),
        device="cpu",
    )
    model = causal.load(options.model, "model", context)
    prompts = [model.prompt.render(example.inputs) for example in asked]
    ours(model, prompts[:2], 2, 2)  # loads and warms up
    shared = len(common_prefix(model.tokens.encode(prompts)))
    texts, before, busy = ours(model, prompts, options.new, options.batch)
    print(f"robust-eval: {len(prompts) * options.new / before:.1f} tokens/s", flush=True)
    answer = peer(python, model, prompts[: options.peer_examples], options)
    _, after, busy_after = ours(model, prompts, options.new, options.batch)
    print(f"robust-eval again: {len(prompts) * options.new / after:.1f} tokens/s", flush=True)

    total = len(prompts) * options.new
    rate = 2 * total / (before + after)
    theirs = max(answer["tried"].values()) * options.new
    ratio = rate / theirs
    # Tokens a second of processor time, the peer's best batch size again.
    spent = 2 * total / (busy + busy_after) * min(answer["busy"].values()) / options.new
    same = sum(a.split() == b.split() for a, b in zip(texts, answer["texts"], strict=False))
    command = " ".join(
        (
            "python benchmarks/written_ratio.py --pool gsm8k/train.jsonl.gz --questions",
            f"gsm8k/test.jsonl.gz --model {options.model} --examples {options.examples}",
            f"--peer-examples {options.peer_examples} --new {options.new} --shots {options.shots}",
            f"--batch {options.batch} --peer-batch-sizes {options.peer_batch_sizes}",
            f"--peer-sample {options.peer_sample}",
        )
    )
    tried = ", ".join(f"{size}: {r * options.new:.1f}/s" for size, r in answer["tried"].items())
    lines = [
        "# Chains of thought against lm-evaluation-harness",
        "",
        "Same prompts, float32 weights and tokenizer, greedy; every answer has the same number of new tokens on",
        "both sides; loading left out, tokenising in; batch size free for each side.",
        "",
        f"    {command}",
        "",
        "| | answers | seconds | of processor time | new tokens/s |",
        "|---|---|---|---|---|",
        f"| robust-eval, before, batches of {options.batch} | {len(prompts)} | {before:.1f} | {busy:.1f} | {total / before:.1f} |",
        f"| lm-eval, best batch size | {options.peer_examples} | {answer['seconds']:.1f} | "
        f"{answer['busy'][str(answer['batch_size'])] * options.peer_examples:.1f} | {theirs:.1f} |",
        f"| robust-eval, after | {len(prompts)} | {after:.1f} | {busy_after:.1f} | {total / after:.1f} |",
        f"| **ratio to lm-eval's best rate** | | by processor time **{spent:.1f}** | **{ratio:.1f}** |",
        "",
        f"- Model {options.model}, {options.shots} demonstrations with rationales, {shared} shared tokens, "
        f"{options.new} new tokens an answer.",
        f"- lm-eval's batch sizes, in new tokens/s: {tried}.",
        f"- Answers that are equal word by word: {same} of {len(answer['texts'])}.",
        f"- {os.cpu_count()} cores; torch {version('torch')}, transformers {version('transformers')}; there "
        + ", ".join(f"{name} {number}" for name, number in answer["versions"].items())
        + f", {answer['threads']} threads.",
        "",
    ]
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text("\n".join(lines), "utf-8")
    print("\n".join(lines))
    if ratio < TARGET:
        sys.exit(f"under the target of {TARGET:g}")


if __name__ == "__main__":
    main()
