"""What every panel is made of, whether its members are trained for it or come from finished runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from robust_eval.panels.files import FORMAT
from robust_eval.records import Dataset, Panel, PanelScore, PanelSet, ShiftedSet
from robust_eval.score import origin

TRAINED: Final = ("fine-tuned", "floor")  # kinds of models that a panel is of
FAMILIES: Final = ("noise", "domain")  # of sets that are the same for every model


def empty_panel(
    clean: Dataset, origin_of_clean: str, sets: Sequence[ShiftedSet], name: str = ""
) -> Panel:
    """A panel of these sets without members; `origin_of_clean` is the fingerprint of the data that they are drawn from."""
    return Panel(
        format=FORMAT,
        name=name or f"{clean.name} to {', '.join(s.key for s in sets)}",
        task=clean.task.kind.value,
        labels=clean.labels,
        metric=clean.task.metrics[0].name,
        dataset=PanelSet(
            clean.name, origin_of_clean, clean.population, "clean", len(clean.examples)
        ),
        shifts=tuple(
            PanelSet(s.key, origin(s), s.population, s.family, len(s.examples)) for s in sets
        ),
        members=(),
        made=(),
    )


def panel_score(values: Sequence[float | None]) -> PanelScore | None:
    """The mean over the answers that came; None when none did."""
    known = [value for value in values if value is not None]
    return PanelScore(len(known), math.fsum(known) / len(known)) if known else None


def default_name(path: Path) -> str:
    """What a panel is called that is written to this file."""
    return path.name.removesuffix(".json")
