"""How long a run should take: from speeds measured here before, else from the models' sizes."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from robust_eval.files import write_atomic
from robust_eval.records import Example, ModelCard

SPEEDS = "speeds.json"  # in the cache folder: model name -> characters answered a second
LARGEST = 1024**2  # bytes of a speeds file that is read at all
CORE_FLOPS = 2.0e10  # sustained in float32 by one CPU core, of 4.2e10 at peak on the machine of docs/benchmarks
OVERHEAD = 60  # characters that a template adds to a text
CHARACTERS_PER_TOKEN = 4.0
PASSES = 3  # a training step in forward passes: one forward, and a backward of two


def expected_seconds(
    card: ModelCard, texts: Sequence[Example], speeds: Mapping[str, float]
) -> float:
    """Seconds to answer these texts, training not included. Good to a factor of about two.

    Where no speed was measured, two operations for each token and weight that is multiplied with: an embedding
    table is looked up. The tokens of a shared prompt prefix are computed once and not counted.
    """
    asked = characters(texts)
    if (speed := speeds.get(card.name, 0.0)) > 0:
        return asked / speed
    if not card.parameters:
        return 0.0
    multiplied = card.parameters - int(card.details.get("embedding_weights", 0))
    operations = 2.0 * multiplied * asked / CHARACTERS_PER_TOKEN
    return operations / (CORE_FLOPS * (os.cpu_count() or 1))


def training_seconds(
    card: ModelCard, texts: Sequence[Example], speeds: Mapping[str, float]
) -> float:
    """Seconds to fine-tune on these texts, or as many of them as the card's budget, for all epochs that it may take.

    A text takes `PASSES` times as long as answering it. 0 for a model that is trained already, or never.
    """
    chosen = card.details.get("hyperparameters")
    if card.kind != "fine-tuned" or not chosen or card.details.get("training") or not texts:
        return 0.0
    share = min(1.0, int(card.details.get("budget", len(texts))) / len(texts))
    return PASSES * int(chosen["epochs"]) * share * expected_seconds(card, texts, speeds)


def characters(texts: Sequence[Example]) -> int:
    """How many characters a model reads for these texts, template included."""
    return sum(len(text) + OVERHEAD for e in texts for text in e.inputs.values())


def read_speeds(cache_dir: Path) -> dict[str, float]:
    """Speeds of earlier runs; an unreadable file is as good as none."""
    path = cache_dir / SPEEDS
    try:
        if path.stat().st_size > LARGEST:
            return {}
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    numbers = {k: v for k, v in found.items() if isinstance(v, int | float) and math.isfinite(v)}
    return {str(name): float(speed) for name, speed in numbers.items() if speed > 0}


def remember_speeds(cache_dir: Path, measured: Mapping[str, float]) -> None:
    """Adds measured speeds to those of earlier runs."""
    if measured:
        speeds = read_speeds(cache_dir) | dict(measured)
        write_atomic(cache_dir / SPEEDS, json.dumps(speeds, sort_keys=True).encode())


def in_words(seconds: float) -> str:
    """`under 10 s`, `about 40 s`, `about 6 min`, `about 2.5 h`."""
    if seconds < 10:
        return "under 10 s"
    if seconds < 90:
        return f"about {round(seconds, -1):.0f} s"
    if seconds < 5400:
        return f"about {seconds / 60:.0f} min"
    return f"about {seconds / 3600:.1f} h"
