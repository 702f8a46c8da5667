"""Shifted sets that a language model writes: `--shift rewrite:informal --rewriter SPEC`.

The rewriter is asked through the same seam and cache as every model. Whether its texts kept their labels is not its to say:
the label check looks at them as at any other set.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from robust_eval.errors import InfrastructureError, RecipeError, UsageError, did_you_mean
from robust_eval.models import load_model
from robust_eval.models.cache import PredictionCache
from robust_eval.models.context import ModelContext, PromptSettings
from robust_eval.models.predict import Request, predict
from robust_eval.perturb import dose
from robust_eval.records import (
    TASKS,
    Dataset,
    Example,
    Model,
    Prediction,
    Progress,
    ShiftedSet,
    Status,
    TaskKind,
    silent,
)

WRITER: Final = "give --rewriter SPEC, for instance hf:Qwen/Qwen3-8B"
PREFIX: Final = "rewrite:"
FOLDER: Final = Path(__file__).parent / "rewrites"
LONGEST: Final = 256  # new tokens


@dataclass(frozen=True, slots=True)
class RewritePlan:
    """One set to be written by the rewriter in this style."""

    style: str
    seed: int

    @property
    def key(self) -> str:
        return PREFIX + self.style


def styles() -> tuple[str, ...]:
    """The styles there are, sorted."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def parse_rewrite(style: str, seed: int) -> RewritePlan:
    """The plan of `rewrite:STYLE`. Raises RecipeError for an unknown style."""
    if style not in styles():
        raise RecipeError(
            f"unknown style {style!r} in {PREFIX}{style}{did_you_mean(style, styles())}"
        )
    return RewritePlan(style, seed)


def rewriters(
    plans: Sequence[RewritePlan], spec: str | None, context: ModelContext
) -> tuple[Model, ...]:
    """One model a plan, all of this spec, each with its style's prompt. Raises UsageError without a spec."""
    if not plans:
        return ()
    if spec is None:
        raise UsageError(f"--shift {plans[0].key} needs a model that writes; {WRITER}")
    return tuple(
        load_model(
            spec,
            "model",
            dataclasses.replace(
                context,
                task=TASKS[TaskKind.OPEN_QA],
                labels=(),
                train=(),
                dev=(),
                demonstrations=(),
                prompt=PromptSettings(
                    shots=0,
                    scoring="generate",
                    template=str(FOLDER / f"{plan.style}.toml"),
                    max_new_tokens=LONGEST,
                ),
            ),
        )
        for plan in plans
    )


def rewritten_sets(
    clean: Dataset,
    plans: Sequence[RewritePlan],
    models: Sequence[Model],
    cache: PredictionCache,
    *,
    progress: Progress = silent,
) -> tuple[ShiftedSet, ...]:
    """One paired set a plan, the clean ids in their order; what the rewriter left unanswered stays as it was.

    Raises InfrastructureError when it answered nothing.
    """
    return tuple(
        _rewritten(clean, plan, model, cache, progress)
        for plan, model in zip(plans, models, strict=True)
    )


def rewrites(
    examples: Sequence[Example],
    fields: Sequence[str],
    style: str,
    model: Model,
    cache: PredictionCache,
    *,
    progress: Progress = silent,
) -> list[dict[str, str]]:
    """These fields of each example as the model writes them, same order; what it left unanswered stays as it was.

    Raises InfrastructureError when it answered nothing.
    """
    key = PREFIX + style
    requests = [
        Request(Example(f"{e.id}\n{name}", {"question": e.inputs[name]}, (), e.source_id), key)
        for e in examples
        for name in fields
    ]
    answers = predict(model, requests, cache, progress=progress)
    if answers and all(answer.status is Status.FAILED for answer in answers):
        raise InfrastructureError(
            f"the rewriter {model.card.name} answered none of {len(answers)} requests"
        )
    texts = iter(answers)
    return [{name: _text(next(texts), e.inputs[name]) for name in fields} for e in examples]


def _rewritten(
    clean: Dataset, plan: RewritePlan, model: Model, cache: PredictionCache, progress: Progress
) -> ShiftedSet:
    fields = clean.task.perturbable
    written = rewrites(clean.examples, fields, plan.style, model, cache, progress=progress)
    examples, doses = [], []
    for example, texts in zip(clean.examples, written, strict=True):
        examples.append(dataclasses.replace(example, inputs={**example.inputs, **texts}))
        doses.append(dose([(example.inputs[name], texts[name]) for name in fields]))
    kept = sum(not realised.changed for realised in doses)
    return ShiftedSet(
        family="domain",
        shift=plan.key,
        key=plan.key,
        severity=None,
        seed=plan.seed,
        paired=True,
        examples=tuple(examples),
        doses=tuple(doses),
        population=clean.population,
        source=f"written by {model.card.name} ({model.card.fingerprint[:12]}); {kept} texts unchanged",
    )


def _text(answer: Prediction, original: str) -> str:
    """The rewritten text; the original where there is none."""
    said = (answer.text or "").strip() if answer.status is Status.OK else ""
    return said or original
