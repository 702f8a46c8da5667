"""What an attack may make of a whole text: something added, a perturbation of all of it, another writer's words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, ClassVar, Self

from robust_eval.attack.draft import Draft
from robust_eval.attack.proposals import Proposal
from robust_eval.attack.substitutes import require_own
from robust_eval.attack.tools import Tools
from robust_eval.errors import ModelError, RecipeError, did_you_mean
from robust_eval.perturb import make
from robust_eval.records import Example
from robust_eval.rewriting import WRITER, rewrites, styles
from robust_eval.rng import below, choice


@dataclass(frozen=True, slots=True)
class TextPerturbation:
    """The whole text under one of our own perturbations, `draws` times: a sentence added, a register, noise everywhere."""

    name: ClassVar[str] = "text-perturbation"
    whole: ClassVar[bool] = True
    of: str = "tautologies"
    severity: int = 3
    draws: int = 4

    def __post_init__(self) -> None:
        require_own(self.name, self.of, self.severity, "a text")

    def drafts(self, draft: Draft, position: int, rng: Random) -> Sequence[Draft]:
        kind: Any = make(self.of, self.severity)
        inputs = draft.inputs
        made = [
            {name: kind.perturb(inputs[name], rng) for name, _ in draft.ends}
            for _ in range(self.draws)
        ]
        return [draft.rewrite(texts) for texts in made]


@dataclass(frozen=True, slots=True)
class LlmRewrite:
    """The text as the model of `--rewriter` writes it, once in each of these styles; separate them by commas.

    It is the original that is rewritten, whatever was changed before, so that all can be asked at once.
    What the rewriter leaves unanswered is no draft; whether a rewrite keeps the label is not its to say.
    """

    name: ClassVar[str] = "llm-rewrite"
    whole: ClassVar[bool] = True
    styles: str = "paraphrase"
    tools: Tools | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.listed:
            raise RecipeError(f"llm-rewrite needs a style; known: {', '.join(styles())}")
        for style in self.listed:
            if style not in styles():
                raise RecipeError(
                    f"llm-rewrite: unknown style {style!r}{did_you_mean(style, styles())}"
                )

    @property
    def listed(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(s.strip() for s in self.styles.split(",") if s.strip()))

    def equipped(self, tools: Tools) -> Self:
        if missing := [style for style in self.listed if style not in tools.writers]:
            raise ModelError(f"llm-rewrite: no model is there that writes {missing[0]}; {WRITER}")
        return replace(self, tools=tools)

    def foresee(self, examples: Sequence[Example], fields: Sequence[str]) -> None:
        """Asks for every rewrite that these examples may need, in full batches; answers stay in the cache."""
        for style in self.listed:
            self._written(style, examples, fields)

    def drafts(self, draft: Draft, position: int, rng: Random) -> Sequence[Draft]:
        fields = [name for name, _ in draft.ends]
        made = []
        for style in self.listed:
            (texts,) = self._written(style, [draft.example], fields)
            made.append(draft.rewrite(texts))
        return made

    def _written(
        self, style: str, examples: Sequence[Example], fields: Sequence[str]
    ) -> list[dict[str, str]]:
        if self.tools is None:
            raise ModelError(f"llm-rewrite has no model that writes; {WRITER}")
        return rewrites(examples, fields, style, self.tools.writers[style], self.tools.cache)


@dataclass(frozen=True, slots=True)
class RandomHandle:
    """A random handle or address is put behind the text: nothing that could decide a label.

    Source: the invariance tests of Ribeiro et al. (2020), arXiv:2005.04118.
    """

    name: ClassVar[str] = "random-handle"
    whole: ClassVar[bool] = True
    draws: int = 8

    def drafts(self, draft: Draft, position: int, rng: Random) -> Sequence[Draft]:
        field = draft.ends[-1][0]
        text = draft.inputs[field]
        return [draft.rewrite({field: f"{text} {_handle(rng)}".strip()}) for _ in range(self.draws)]


def _handle(rng: Random) -> str:
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    made = "".join(choice(rng, letters) for _ in range(6))
    return f"@{made}" if below(rng, 2) else f"https://example.com/{made}"


WHOLE_TEXTS: tuple[type[Proposal], ...] = (TextPerturbation, LlmRewrite, RandomHandle)
