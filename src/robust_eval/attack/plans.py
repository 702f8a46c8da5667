"""What an attack is to be made on, before any model is asked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from robust_eval.attack.recipe import Attack
from robust_eval.attack.textattack_recipes import TextattackRecipe
from robust_eval.attack.tools import Tools
from robust_eval.attack.vocabulary import Trigger
from robust_eval.records import Family, Model

PROMPT: Final = "prompt-attack:"


@dataclass(frozen=True, slots=True)
class AttackPlan:
    """One attack to run against each victim; `offset` is added to the run's seed, and shown in the key unless 0.

    On the instruction it attacks what a prompted model is told; else the texts of the test.
    """

    attack: Attack | TextattackRecipe
    seed: int
    offset: int = 0
    on_instruction: bool = False

    @property
    def native(self) -> Attack:
        """The attack's four parts, which only ours show. Changes for many examples are made by these alone."""
        assert isinstance(self.attack, Attack)
        return self.attack

    def equipped(self, tools: Tools) -> AttackPlan:
        """The plan with what the attack's parts need. Raises ModelError for what is not installed."""
        if isinstance(self.attack, TextattackRecipe):
            return self
        return replace(self, attack=self.attack.equipped(tools))

    @property
    def trigger(self) -> Trigger | None:
        """The words that are looked for; None where each text, or the instruction, is changed itself."""
        if self.on_instruction or isinstance(self.attack, TextattackRecipe):
            return None
        return self.attack.trigger

    @property
    def shared(self) -> bool:
        """Whether it makes one change for many examples, found on half of them."""
        return self.on_instruction or self.trigger is not None

    @property
    def styles(self) -> tuple[str, ...]:
        """The styles in which a model is to rewrite texts for it."""
        return self.attack.styles if isinstance(self.attack, Attack) else ()

    @property
    def shift(self) -> str:
        return (PROMPT if self.on_instruction else "") + self.attack.name

    @property
    def key(self) -> str:
        return self.shift + (f"#{self.offset}" if self.offset else "")

    def key_against(self, victim: Model) -> str:
        """The key of the set that it makes against this model."""
        return f"{self.key}>{victim.card.name}"

    @property
    def source(self) -> str:
        """What makes it, and where that was published."""
        return "; ".join(filter(None, (self.attack.parts, self.attack.source)))

    @property
    def family(self) -> Family:
        return "prompt" if self.on_instruction else "adversarial"
