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


@dataclass(frozen=True, slots=True)
class PromptPlan:
    """One prompt-side shift: the clean examples, asked with an edited prompt."""

    shift: str
    key: str
    severity: int | None
    seed: int

    @property
    def edit(self) -> str:
        """What `Prompted.with_prompt` takes: name, severity where there is one, and seed."""
        at = "" if self.severity is None else f"@{self.severity}"
        return f"{self.shift}{at}#{self.seed}"
