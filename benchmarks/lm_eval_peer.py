"""The peer's side of lm_eval_ratio.py: runs in an environment that has lm-eval, not robust-eval.

Reads prompts and labels as JSON, scores them with lm-evaluation-harness's own HFLM, writes JSON.
"""

from __future__ import annotations

import argparse
import json
import time
from importlib.metadata import version
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task", type=Path, help="JSON: prompts, answers")
    parser.add_argument("model", type=Path, help="folder with safetensors and tokenizer")
    parser.add_argument("out", type=Path)
    parser.add_argument("--batch-sizes", default="1,4,16", help="tried on a sample; best is used")
    parser.add_argument("--sample", type=int, default=12, help="examples for choosing it")
    options = parser.parse_args()

    import torch
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    task = json.loads(options.task.read_text("utf-8"))
    pairs = [(prompt, answer) for prompt in task["prompts"] for answer in task["answers"]]
    per_example = len(task["answers"])
    lm = HFLM(
        pretrained=str(options.model),
        device="cpu",
        dtype="float32",
        add_bos_token=task.get("bos", True),
        batch_size=1,
    )

    def scored(count: int, batch_size: int) -> tuple[list[float], float]:
        lm.batch_size_per_gpu = batch_size
        requests = [
            Instance("loglikelihood", {}, pair, i)
            for i, pair in enumerate(pairs[: count * per_example])
        ]
        start = time.perf_counter()
        answers = lm.loglikelihood(requests, disable_tqdm=True)
        return [float(value) for value, _ in answers], time.perf_counter() - start

    def written(count: int, batch_size: int) -> tuple[list[str], float, float]:
        lm.batch_size_per_gpu = batch_size
        wanted = {
            "until": ["\ue000"],  # ends nothing: every answer has as many tokens
            "max_gen_toks": task["new"],
            "min_new_tokens": task["new"],
            "do_sample": False,
        }
        requests = [
            Instance("generate_until", {}, (prompt, wanted), i)
            for i, prompt in enumerate(task["prompts"][:count])
        ]
        start, busy = time.perf_counter(), time.process_time()
        texts = lm.generate_until(requests, disable_tqdm=True)
        return texts, time.perf_counter() - start, time.process_time() - busy

    if "new" in task:
        count = min(options.sample, len(task["prompts"]))
        runs = {size: written(count, size) for size in map(int, options.batch_sizes.split(","))}
        best = min(runs, key=lambda size: runs[size][1])
        options.out.write_text(
            json.dumps(
                {
                    "texts": runs[best][0],
                    "seconds": runs[best][1],
                    "batch_size": best,
                    "tried": {size: count / seconds for size, (_, seconds, _) in runs.items()},
                    "busy": {size: busy / count for size, (_, _, busy) in runs.items()},
                    "threads": torch.get_num_threads(),
                    "versions": {
                        name: version(name) for name in ("lm_eval", "transformers", "torch")
                    },
                }
            ),
            "utf-8",
        )
        return

    scored(2, 1)  # warm-up
    tried = {}
    for size in map(int, options.batch_sizes.split(",")):
        _, seconds = scored(options.sample, size)
        tried[size] = options.sample / seconds
        print(f"lm-eval batch size {size}: {tried[size]:.2f} examples/s", flush=True)
    best = max(tried, key=lambda size: tried[size])
    values, seconds = scored(len(task["prompts"]), best)
    options.out.write_text(
        json.dumps(
            {
                "logprobs": [
                    values[i : i + per_example] for i in range(0, len(values), per_example)
                ],
                "seconds": seconds,
                "batch_size": best,
                "tried": tried,
                "threads": torch.get_num_threads(),
                "versions": {name: version(name) for name in ("lm_eval", "transformers", "torch")},
            }
        ),
        "utf-8",
    )


if __name__ == "__main__":
    main()
