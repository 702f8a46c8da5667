"""Fine-tuning and encoder inference against plain loops on the same model, in one process.

    python benchmarks/finetune_speed.py            # about 6 minutes of one core; writes docs/benchmarks/finetune_speed.md

Processor time of one thread, so that what else runs on the machine hardly matters.

Training: the plain loop does what fine-tuning cannot do without (forward, loss, backward, clipping, AdamW, schedule) on the very
batches that the package makes, so the ratio is the cost of everything else: keyed dropout, layer-wise rates, progress, a
resumable state. It also trains as loops are commonly written, on shuffled batches of any lengths.
Inference: the plain loop takes the texts as they come, in batches padded to their longest text; ours is the path of a run, with
planning by length, de-duplication and the prediction cache.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from robust_eval.build import build_sets
from robust_eval.data import load, make_splits
from robust_eval.models import load_model
from robust_eval.models.cache import PredictionCache
from robust_eval.models.classifier import Classifier
from robust_eval.models.context import ModelContext, TrainingSettings
from robust_eval.models.learners import ClassifierLearner
from robust_eval.models.predict import Request, predict
from robust_eval.models.training import epoch_batches, seeded, train
from robust_eval.models.training_state import TrainingState
from robust_eval.models.weights import embedded
from robust_eval.recipes import parse_shifts
from robust_eval.records import CLEAN, Example, silent

RESULT = Path(__file__).resolve().parents[1] / "docs" / "benchmarks" / "finetune_speed.md"
RATE = 5e-5
CLIP = 1.0


def ours(context: ModelContext, base: Path, batch: int, epochs: int, scratch: Path) -> float:
    """Seconds of the package's own training, model and tokens ready."""
    settings = TrainingSettings(
        epochs=epochs, learning_rate=RATE, layer_decay=0.95, batch_size=batch
    )
    with seeded(0):
        learner = ClassifierLearner(Classifier.fresh(base, "cpu", context.labels), context, None)
        start = time.process_time()
        train(learner, settings, 0, TrainingState(scratch / "state"), "bench", silent)
        return time.process_time() - start


def plain(context: ModelContext, base: Path, order: Sequence[Sequence[Sequence[int]]]) -> float:
    """Seconds of a loop as in a tutorial over these batches of indices, an epoch after the other."""
    with seeded(0):
        classifier = Classifier.fresh(base, "cpu", context.labels)
        network = classifier.network
        tokens = classifier.tokenise(context.train, context.task, context.max_length).inputs
        targets = torch.tensor([context.labels.index(str(e.target)) for e in context.train])
        start = time.process_time()
        optimiser = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=0.01)
        steps = sum(map(len, order))
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda s: 1 - s / steps)
        network.train()
        for epoch in order:
            for items in epoch:
                batch = classifier.tokenizer.pad([tokens[i] for i in items], return_tensors="pt")
                network(**batch, labels=targets[items]).loss.backward()
                torch.nn.utils.clip_grad_norm_(network.parameters(), CLIP)
                optimiser.step()
                schedule.step()
                optimiser.zero_grad()
        return time.process_time() - start


def shuffled(count: int, batch: int, epochs: int) -> list[list[list[int]]]:
    generator = torch.Generator().manual_seed(0)
    orders = [torch.randperm(count, generator=generator).tolist() for _ in range(epochs)]
    return [[o[i : i + batch] for i in range(0, count, batch)] for o in orders]


def answered(model: Any, requests: Sequence[Request], scratch: Path) -> tuple[float, list[str]]:
    """Seconds of a run's own path with an empty cache, and the labels."""
    with (
        tempfile.TemporaryDirectory(dir=scratch) as place,
        PredictionCache.open(Path(place)) as cache,
    ):
        start = time.process_time()
        given = predict(model, requests, cache)
        return time.process_time() - start, [str(p.label) for p in given]


def looped(
    classifier: Classifier, labels: Sequence[str], texts: Sequence[str], batch: int, length: int
) -> tuple[float, list[str]]:
    """The same of a loop that takes the texts as they come."""
    start = time.process_time()
    found: list[str] = []
    for i in range(0, len(texts), batch):
        inputs = classifier.tokenizer(
            list(texts[i : i + batch]), padding="longest", truncation=True, max_length=length, return_tensors="pt",
        )  # fmt: skip
        with torch.inference_mode():
            found += [labels[j] for j in classifier.network(**inputs).logits.argmax(-1).tolist()]
    return time.process_time() - start, found


def alternated(rounds: int, *timed: Callable[[], float]) -> list[float]:
    """The median of each, taken in turns, so that a busy minute hits all alike."""
    rows = [[measure() for measure in timed] for _ in range(rounds)]
    return [statistics.median(column) for column in zip(*rows, strict=True)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--model", default="minilm", help="an embedded encoder: minilm, roberta-mini"
    )
    parser.add_argument("--examples", type=int, default=384, help="training examples")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--tests", type=int, default=100, help="test examples a set")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    torch.set_num_threads(1)

    with tempfile.TemporaryDirectory() as place:
        scratch = Path(place)
        base = embedded(options.model).folder
        splits = make_splits(
            load("demo:rotten-tomatoes"), None, limit=options.tests, train_size=options.examples, pool_size=8,
            seed=0, shots=0,
        )  # fmt: skip
        context = ModelContext(
            task=splits.test.task, labels=splits.test.labels, train=(*splits.train, *splits.dev), dev=(),
            demonstrations=(), seed=0, cache_dir=scratch, device="cpu", training=TrainingSettings(epochs=1),
        )  # fmt: skip
        lengths = [
            len(item["input_ids"])
            for item in Classifier.fresh(base, "cpu", context.labels)
            .tokenise(context.train, context.task, context.max_length)
            .inputs
        ]
        alike = [epoch_batches(lengths, options.batch, 0, e + 1) for e in range(options.epochs)]
        common = shuffled(len(lengths), options.batch, options.epochs)
        plain(context, base, [alike[0][:2]])  # warms up
        own, bare, usual = alternated(
            options.rounds,
            lambda: ours(context, base, options.batch, options.epochs, scratch),
            lambda: plain(context, base, alike),
            lambda: plain(context, base, common),
        )
        items = len(lengths) * options.epochs
        lines = [
            "| training | processor seconds | examples/s | ours takes |",
            "|---|---|---|---|",
            f"| robust-eval | {own:.1f} | {items / own:.1f} | |",
            f"| plain loop, the same batches | {bare:.1f} | {items / bare:.1f} | **{own / bare:.3f} times as long** |",
            f"| plain loop, shuffled batches | {usual:.1f} | {items / usual:.1f} | {own / usual:.3f} times as long |",
        ]
        print("\n".join(lines), flush=True)

        few = ModelContext(
            task=context.task, labels=context.labels, train=splits.train[:32], dev=(), demonstrations=(), seed=0,
            cache_dir=scratch, device="cpu", training=TrainingSettings(epochs=1),
        )  # fmt: skip
        model: Any = load_model(f"demo:{options.model}", "baseline", few)
        model.prepare(silent)
        classifier = model._trained
        plans = parse_shifts(("noisy", "domain"), seed=0)
        sets = build_sets(
            splits.test, plans, ood={}, limit=options.tests, seed=0, exclude=splits.train
        )
        by_name: dict[str, list[tuple[str, Example]]] = {
            "Rotten Tomatoes": [(CLEAN, e) for e in splits.test.examples]
        }
        by_name["IMDB, at most 1,000 characters"] = [
            (s.key, e) for s in sets if not s.paired for e in s.examples
        ]
        by_name["a run: clean, `noisy` and `domain`, in the order of the sets"] = [
            *by_name["Rotten Tomatoes"], *((s.key, e) for s in sets for e in s.examples),
        ]  # fmt: skip
        by_name["the same, shuffled"] = [
            by_name["a run: clean, `noisy` and `domain`, in the order of the sets"][i]
            for i in torch.randperm(
                len(by_name["a run: clean, `noisy` and `domain`, in the order of the sets"]),
                generator=torch.Generator().manual_seed(0),
            ).tolist()
        ]
        rows, same = [], True
        for name, keyed in by_name.items():
            requests = [Request(e, key) for key, e in keyed]
            texts = [e.inputs["text"] for _, e in keyed]
            labels: dict[str, list[str]] = {}

            def fast(
                requests: Sequence[Request] = requests, into: dict[str, list[str]] = labels
            ) -> float:
                seconds, into["ours"] = answered(model, requests, scratch)
                return seconds

            def slow(texts: Sequence[str] = texts, into: dict[str, list[str]] = labels) -> float:
                seconds, into["plain"] = looped(
                    classifier, context.labels, texts, 64, context.max_length
                )
                return seconds

            own, bare = alternated(options.rounds, fast, slow)
            differ = sum(a != b for a, b in zip(labels["ours"], labels["plain"], strict=True))
            same = same and not differ
            rows.append(
                f"| {name} | {len(texts):,} | {len(texts) / own:.1f} | {len(texts) / bare:.1f} | **{bare / own:.2f}** | {differ} |"
            )
            print(rows[-1], flush=True)
        shown = f"""# Fine-tuning and inference against plain loops

`demo:{options.model}`, float32, {len(lengths)} training examples (Rotten Tomatoes), batches of {options.batch}, {options.epochs} epoch{"s" * (options.epochs > 1)}; processor time of one thread, medians of
{options.rounds} rounds taken in turns in one process. Loading and tokenising are left out of training, tokenising is in for inference.

    python benchmarks/finetune_speed.py

{chr(10).join(lines)}

The same batches: what the package adds to a loop (keyed dropout, layer-wise rates, a check of every loss, a state to resume from). Shuffled batches: a loop as
commonly written, which pads short texts to long ones.

| inference on | texts | robust-eval, texts/s | plain loop, texts/s | ratio | labels that differ |
|---|---|---|---|---|---|
{chr(10).join(rows)}

The plain loop takes the texts as they come, 64 at a time, padded to the longest of each batch; ours is a run's own path with an empty prediction
cache (plan by length, one answer for equal texts, answers stored).

One thread of {os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}, torch {version("torch")}, transformers {version("transformers")}.
"""
        options.out.write_text(shown, "utf-8")
        print(f"written to {options.out}")


if __name__ == "__main__":
    main()
