"""Learning rate and layer decay of fine-tuned encoders, compared on training data alone.

    python benchmarks/finetune_defaults.py                  # demo:rotten-tomatoes, 2,000 examples; minutes a row
    python benchmarks/finetune_defaults.py --dataset snli/train.jsonl.gz --size 512 --seeds 2

What the defaults of `--learning-rate` and `--layer-decay` rest on. Every setting trains on the same `--size` examples (a tenth of
them choose the epoch) and is scored on `--held-out` others of the training part; test examples of a run with the same seed are never
touched. Everything else is a run's own default.
"""

from __future__ import annotations

import argparse
import itertools
import os
import platform
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from robust_eval.data import load, make_splits
from robust_eval.models import load_model
from robust_eval.models.cache import PredictionCache
from robust_eval.models.context import ModelContext, TrainingSettings
from robust_eval.models.predict import Request, predict
from robust_eval.records import CLEAN, silent
from robust_eval.rng import shuffled, stream


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--dataset", default="demo:rotten-tomatoes")
    parser.add_argument("--models", default="demo:minilm,demo:roberta-mini")
    parser.add_argument("--rates", default="5e-5,1e-4,2e-4")
    parser.add_argument("--decays", default="0.95,1")
    parser.add_argument("--epochs", default="auto", help="several, by commas; auto: the default")
    parser.add_argument("--size", type=int, default=2000)
    parser.add_argument("--held-out", type=int, default=1000)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--mixed-precision", default="off", choices=("off", "on"))
    parser.add_argument("--out", type=Path, help="append rows to this file")
    options = parser.parse_args()

    splits = make_splits(
        load(options.dataset), None, limit=500, train_size=options.size + options.held_out, pool_size=0,
        seed=0, dev_share=0.0, shots=0,
    )  # fmt: skip
    drawn = shuffled(stream(0, "finetune-defaults"), splits.train)
    train, held_out = drawn[: options.size], drawn[options.size :]
    cut = options.size - options.size // 10
    head = [
        "| dataset | examples | model | learning rate | layer decay | epochs | seed | accuracy | s |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    print("\n".join(head))
    grid = itertools.product(
        range(options.seeds),
        options.models.split(","),
        options.epochs.split(","),
        map(float, options.rates.split(",")),
        map(float, options.decays.split(",")),
    )
    for seed, name, epochs, rate, decay in grid:
        with tempfile.TemporaryDirectory() as place, PredictionCache.open(Path(place)) as cache:
            context = ModelContext(
                task=splits.test.task, labels=splits.test.labels, train=tuple(train[:cut]), dev=tuple(train[cut:]),
                demonstrations=(), seed=seed, cache_dir=Path(place), device="cpu",
                training=TrainingSettings(
                    epochs=None if epochs == "auto" else int(epochs), learning_rate=rate, layer_decay=decay,
                    mixed_precision=options.mixed_precision,
                ),
            )  # fmt: skip
            model: Any = load_model(name, "baseline", context)
            started = time.process_time()
            model.prepare(silent)
            spent = time.process_time() - started
            given = predict(model, [Request(e, CLEAN) for e in held_out], cache)
        right = sum(p.label == e.target for p, e in zip(given, held_out, strict=True))
        row = (
            f"| {Path(options.dataset).parent.name or options.dataset} | {options.size} | {name} | {rate:g} | {decay:g} | {epochs} | {seed} | "
            f"{right / len(held_out):.3f} | {spent:.0f} |"
        )
        print(row, flush=True)
        if options.out:
            with options.out.open("a", encoding="utf-8") as file:
                file.write(row + "\n")
    print(
        f"\n{len(held_out)} held-out training examples; {os.cpu_count()} cores ({platform.machine()}), {torch.get_num_threads()} threads, torch {version('torch')}, "
        f"transformers {version('transformers')}."
    )


if __name__ == "__main__":
    main()
