"""Attacks on one victim, ours against TextAttack 0.3.11's: success, queries and speed, in one run on one machine.

    .venv-textattack/bin/python benchmarks/textattack_ratio.py
    .venv-textattack/bin/python benchmarks/textattack_ratio.py --model demo:gemma-3-270m --examples 24

Runs in the environment that has textattack. Both sides attack the same examples through the same model object, so the
prompt prefix is shared and batches are planned alike on both; TextAttack asks it directly, without our cache's
writes, at the best of the batch sizes that are tried. Fine-tuning and loading are left out. Beside each search
of ours runs the random baseline: the same proposals and constraints, and for each example as many queries as the search took.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import statistics
import tempfile
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from robust_eval.attack import Attack, Attacked, Situation, attack_all
from robust_eval.attack.bridge import built
from robust_eval.attack.search import RandomWalk
from robust_eval.attack.textattack_recipes import TextattackRecipe
from robust_eval.contenders import model_context
from robust_eval.models import load_model
from robust_eval.models.account import Account
from robust_eval.models.cache import PredictionCache, cache_folder
from robust_eval.models.limits import RequestLimits
from robust_eval.models.predict import Prepares
from robust_eval.preparation import read_data
from robust_eval.recipes import parse_shifts
from robust_eval.records import Example, Model, Prediction, TaskKind, silent
from robust_eval.settings import Settings
from robust_eval.stats.intervals import wilson
from robust_eval.stats.paired import mcnemar

RESULT = Path(__file__).resolve().parents[1] / "docs" / "benchmarks" / "textattack_ratio.md"
UNLIMITED = 100_000  # queries: neither side is ever cut short
AIM = 3.0


@dataclass(frozen=True)
class Outcome:
    won: bool
    queries: int  # different texts asked, the clean one among them
    counted: int  # as the attack itself counts: TextAttack counts a text again that comes again


@dataclass(frozen=True)
class Side:
    seconds: float
    processor: (
        float  # seconds of processor time, all threads: other work on the machine weighs less in it
    )
    outcomes: dict[str, Outcome]  # by example id; only examples that were right when clean

    def queries(self) -> int:
        return sum(o.queries for o in self.outcomes.values())


def ours(
    attack: Attack,
    model: Model,
    examples: Sequence[Example],
    labels: tuple[str, ...],
    budgets: Sequence[int],
) -> Side:
    """Our engine, with its cache in an empty folder."""
    with tempfile.TemporaryDirectory() as folder, PredictionCache.open(Path(folder)) as cache:
        start, spent = time.perf_counter(), time.process_time()
        results = attack_all(
            attack,
            model,
            examples,
            cache,
            situation=Situation(TaskKind.CLASSIFICATION, labels, lambda answer, example: 0.0),
            fields=("text",),
            key=attack.name,
            seed=0,
            budgets=budgets,
        )
        seconds, processor = time.perf_counter() - start, time.process_time() - spent
    return Side(seconds, processor, {e.id: outcome(r) for e, r in zip(examples, results, strict=True) if r.outcome != "skipped"})  # fmt: skip


def outcome(result: Attacked) -> Outcome:
    return Outcome(result.outcome == "succeeded", result.queries, result.queries)


def theirs(
    recipe: str, model: Model, examples: Sequence[Example], labels: tuple[str, ...], batch: int
) -> Side:
    """TextAttack's own loop, asking the model without a cache in between."""
    from textattack.attack_results import SkippedAttackResult, SuccessfulAttackResult

    from robust_eval.attack.textattack_victim import TextattackVictim

    class Direct(TextattackVictim):
        """Our wrapper, with nothing stored; it counts different texts."""

        def __init__(self) -> None:
            self.model, self.labels, self.fields = model, labels, ("text",)
            self.told: set[str] = set()

        def ask(self, inputs: Any) -> list[Prediction]:
            self.told |= {texts["text"] for texts in inputs}
            given = [self.as_example(texts) for texts in inputs]
            found: dict[int, Prediction] = {}
            for job in model.jobs(given):
                found.update(zip(job.indices, job.answer(), strict=True))
            return [found[i] for i in range(len(given))]

    victim = Direct()
    attack = built(TextattackRecipe(recipe), victim)
    attack.goal_function.batch_size = batch
    outcomes: dict[str, Outcome] = {}
    start, spent = time.perf_counter(), time.process_time()
    for example in examples:
        victim.told.clear()
        result = attack.attack(example.inputs["text"], labels.index(str(example.target)))
        if isinstance(result, SkippedAttackResult):
            continue
        outcomes[example.id] = Outcome(
            isinstance(result, SuccessfulAttackResult),
            len(victim.told),
            int(result.perturbed_result.num_queries),
        )
    return Side(time.perf_counter() - start, time.process_time() - spent, outcomes)


def tuned(
    recipe: str,
    model: Model,
    examples: Sequence[Example],
    labels: tuple[str, ...],
    sizes: Sequence[int],
) -> tuple[int, dict[int, float]]:
    """TextAttack's best batch size on a few examples, and the queries/s of each that was tried."""
    rates = {}
    for size in sizes:
        side = theirs(recipe, model, examples, labels, size)
        rates[size] = side.queries() / side.seconds
    return max(rates, key=lambda size: rates[size]), rates


def random_at_equal_budget(
    attack: Attack,
    searched: Side,
    model: Model,
    examples: Sequence[Example],
    labels: tuple[str, ...],
) -> Side:
    """The random walk over the same proposals and constraints, with as many queries an example as the search took."""
    walk = dataclasses.replace(
        attack, name=f"random at {attack.name}'s budget", search=RandomWalk()
    )
    tried = [e for e in examples if e.id in searched.outcomes]
    budgets = [searched.outcomes[e.id].queries for e in tried]
    return ours(walk, model, tried, labels, budgets)


def compared(one: Side, other: Side) -> tuple[int, int, int, int, float]:
    """(both, one alone, other alone, neither, p of the exact McNemar test) of success on the same examples."""
    ids = [i for i in one.outcomes if i in other.outcomes]
    pairs = [(one.outcomes[i].won, other.outcomes[i].won) for i in ids]
    counts = [pairs.count(pair) for pair in ((True, True), (True, False), (False, True), (False, False))]  # fmt: skip
    return *counts, mcnemar(counts[1], counts[2])  # type: ignore[return-value]


def row(name: str, side: Side, attacked: int) -> str:
    won = sum(o.won for o in side.outcomes.values())
    share = wilson(won, attacked, level=0.95)
    queries = [o.queries for o in side.outcomes.values()]
    counted = statistics.mean(o.counted for o in side.outcomes.values())
    return (
        f"| {name} | {won} of {attacked} ({share.low:.0%} to {share.high:.0%}) | "
        f"{statistics.mean(queries):.1f} | {statistics.median(queries):g} | {counted:.1f} | {sum(queries) / max(1, won):.1f} | {side.seconds:.1f} | "
        f"{sum(queries) / side.seconds:.1f} | {attacked / side.seconds:.2f} |"
    )


def section(recipe: str, options: argparse.Namespace, model: Model, examples: Sequence[Example], labels: tuple[str, ...], about: Sequence[str]) -> tuple[list[str], dict[str, Any]]:  # fmt: skip
    (plan,) = parse_shifts([recipe], seed=0)
    attack = plan.attack  # type: ignore[union-attr]
    sizes = [int(size) for size in options.batch_sizes.split(",")]
    batch, rates = sizes[0], {}
    if len(sizes) > 1:
        batch, rates = tuned(recipe, model, examples[: options.sample], labels, sizes)
    everything = [UNLIMITED] * len(examples)
    first = ours(attack, model, examples, labels, everything)
    peer = theirs(recipe, model, examples, labels, batch)
    attacked = len(first.outcomes)
    both, alone, missed, neither, p = compared(first, peer)
    queries = first.queries() / peer.queries()
    per_query = (first.queries() / first.seconds) / (peer.queries() / peer.seconds)
    speed = peer.seconds / first.seconds
    processor = peer.processor / first.processor
    print(
        f"{recipe}: {speed:.2f} times the examples/s, {queries:.2f} of the queries, p {p:.3g}",
        flush=True,
    )
    rows, said = [], []
    if not options.no_control:
        control = random_at_equal_budget(attack, first, model, examples, labels)
        _, search, walk, _, p_walk = compared(first, control)
        rows = [row("random, as many queries as robust-eval's search", control, attacked)]
        said = [
            f"- Search against the random baseline at the same number of queries for each example: the search alone {search}, random alone {walk}; p = {p_walk:.2g}."
        ]
    tried = ", ".join(f"{size}: {rate:.1f}" for size, rate in rates.items())
    lines = [
        f"## {options.model}: `{recipe}`",
        "",
        f"    {command(options, recipe)}",
        "",
        *about,
        "",
        "| | turned, of those right when clean | queries: mean | median | by its own count | for each success | seconds | queries/s | examples/s |",
        "|---|---|---|---|---|---|---|---|---|",
        row("robust-eval", first, attacked),
        row(f"TextAttack, batches of {batch}", peer, attacked),
        *rows,
        "",
        f"- **{speed:.1f} times TextAttack's examples/s**: {queries:.2f} of its queries, at {per_query:.1f} times its queries/s; {processor:.1f} times by processor time ({first.processor:.1f} and {peer.processor:.1f} s).",
        f"- Success: both {both}, robust-eval alone {alone}, TextAttack alone {missed}, neither {neither}; exact McNemar p = {p:.3g}.",
        *said,
        *(
            [f"- TextAttack's batch sizes tried on {options.sample} examples, queries/s: {tried}."]
            if tried
            else []
        ),
        "",
    ]
    return lines, {"p": p, "queries": queries, "speed": speed, "first": first, "peer": peer}


def command(options: argparse.Namespace, recipe: str) -> str:
    parts = [f"--model {options.model}", f"--examples {options.examples}", f"--recipes {recipe}"]
    parts += [f"--batch-sizes {options.batch_sizes}"]
    parts += [f"--sample {options.sample}"] if "," in options.batch_sizes else []
    parts += ["--no-control"] if options.no_control else []
    return " ".join((".venv-textattack/bin/python benchmarks/textattack_ratio.py", *parts))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default="demo:minilm")
    parser.add_argument(
        "--examples", type=int, default=120, help="those wrong when clean are skipped"
    )
    parser.add_argument("--recipes", default="deepwordbug,pwws")
    parser.add_argument("--batch-sizes", default="32,256", help="of TextAttack, to choose from")
    parser.add_argument(
        "--sample", type=int, default=6, help="examples for choosing its batch size"
    )
    parser.add_argument("--no-control", action="store_true", help="without the random baseline")
    parser.add_argument(
        "--out", type=Path, default=RESULT, help="page whose parts for this model are replaced"
    )
    parser.add_argument("--raw", type=Path, help="JSON of every outcome")
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # textattack's dependencies warn of themselves

    settings = Settings(
        models=(options.model,), dataset="demo:rotten-tomatoes", limit=options.examples
    )
    splits, _ = read_data(settings, ())
    context = model_context(settings, splits, cache_folder(None), True, silent, Account(RequestLimits()))  # fmt: skip
    model = load_model(options.model, "model", context)
    examples, labels = splits.test.examples, splits.test.labels
    if isinstance(model, Prepares):
        model.prepare(silent)
    for job in model.jobs(examples[:8]):  # loads and warms up
        job.answer()

    about = [
        f"{model.card.kind} victim, {len(examples)} balanced test examples of demo:rotten-tomatoes; {os.cpu_count()} cores ({platform.machine()}), {torch.get_num_threads()} threads, Python "
        f"{platform.python_version()}, torch {version('torch')}, transformers {version('transformers')}, TextAttack {version('textattack')}.",
    ]
    raw: dict[str, Any] = {}
    for recipe in options.recipes.split(","):
        lines, figures = section(recipe, options, model, examples, labels, about)
        raw[recipe] = {
            side: {i: dataclasses.asdict(o) for i, o in figures[side].outcomes.items()}
            for side in ("first", "peer")
        }
        print("\n".join(lines), flush=True)
        replace_part(options.out, f"{options.model}: `{recipe}`", lines)
    if options.raw:
        options.raw.write_text(json.dumps(raw), "utf-8")


HEAD = """# Attacks against TextAttack

Same victim, examples, machine and run; no budget on either side. Queries are different texts, the clean one among them; TextAttack's own count has a text
twice that comes twice. TextAttack asks the same model object through its `ModelWrapper`, with the shared prompt prefix, without our cache's writes, at the best of
the batch sizes tried. Fine-tuning and loading are left out.

"""


def replace_part(page: Path, heading: str, lines: Sequence[str]) -> None:
    """Writes this model's and recipe's part of the page; the others stay."""
    text = page.read_text("utf-8") if page.exists() else HEAD
    head, *parts = text.split("\n## ")
    kept = [part for part in parts if part.partition("\n")[0] != heading]
    made = "\n".join(lines).removeprefix("## ").rstrip("\n") + "\n"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text("\n## ".join([head, *kept, made]), "utf-8")


if __name__ == "__main__":
    main()
