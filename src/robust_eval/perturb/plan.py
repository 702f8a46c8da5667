"""What a perturbed set is to be, before any text is touched."""

from __future__ import annotations

from dataclasses import dataclass

from robust_eval.records import Family, Perturbation


@dataclass(frozen=True, slots=True)
class NoisePlan:
    """One set to make by perturbing the clean one. `chain` runs in order, every link at `severity`."""

    family: Family
    shift: str
    key: str
    severity: int
    seed: int
    chain: tuple[Perturbation, ...]
    protect: tuple[str, ...] = ()  # words left alone, beside what the task protects

    @property
    def source(self) -> str:
        """The chain with parameters, for the record of a run."""
        return " > ".join(repr(link) for link in self.chain)
