"""Attacks on the instruction: the prompt is changed, not the texts, so that the same examples get worse answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from robust_eval.attack.constraints import Limits, protected_positions
from robust_eval.attack.draft import Draft
from robust_eval.attack.goal import Situation
from robust_eval.attack.plans import AttackPlan
from robust_eval.attack.shared import Development, aimed_at, halves, search_shared, shared_goal
from robust_eval.errors import RecipeError, UsageError
from robust_eval.models.cache import PredictionCache
from robust_eval.models.predict import Request, predict
from robust_eval.models.wordings import (
    kept_fields,
    prompt_of,
    protected_words,
    wording,
    wording_edit,
)
from robust_eval.records import (
    Dataset,
    Example,
    Model,
    Prediction,
    Progress,
    Prompted,
    SharedChange,
    ShiftedSet,
    silent,
)


@dataclass(frozen=True, slots=True)
class KeptFields:
    """The fields of a template stay: `{labels}` in an instruction, the texts and the answer in an example."""

    name: ClassVar[str] = "kept-fields"

    def accepts(self, drafts: Sequence[Draft]) -> Sequence[bool]:
        return [
            all(kept_fields(d.example.inputs[part], d.inputs[part]) for part, _ in d.ends)
            for d in drafts
        ]


def instructed(victims: Sequence[Model], plan: AttackPlan) -> tuple[Model, ...]:
    """The victims that have an instruction. Raises UsageError when none has."""
    found = tuple(model for model in victims if prompt_of(model) is not None)
    if not found:
        names = ", ".join(model.card.name for model in victims)
        raise UsageError(
            f"--shift {plan.key} attacks what a prompted model is told, and none of the models to attack is told "
            f"anything ({names}); name a prompted --model, or attack texts with --shift {plan.attack.name}"
        )
    return found


def instruction_set(
    dataset: Dataset,
    plan: AttackPlan,
    victim: Model,
    cache: PredictionCache,
    *,
    situation: Situation,
    budget: int,
    limit: int | None,
    seed: int,
    progress: Progress = silent,
) -> ShiftedSet:
    """The test half of the clean examples, to be asked under the worst wording that was found on the other half.

    Fields and label words of the wording stay. Where nothing worse was found the wording is the prompt's own.
    Source: Zhu et al. (2023), PromptBench, arXiv:2306.04528. There the search looks at accuracy and stops after a few
    steps; ours looks at the mean probability of a wrong answer, and its result is tested on other examples.
    """
    prompt = prompt_of(victim)
    assert prompt is not None
    part, text = wording(prompt)
    key = plan.key_against(victim)
    goal = shared_goal(plan.native.goal, situation)
    half, tested = halves(dataset, limit, seed)
    development = Development(aimed_at(goal, half), goal, situation, key)
    if not development.examples:
        raise RecipeError(f"{plan.key}: no development example has another label than the target")
    start = Draft.of(Example(f"instruction {plan.offset}", {part: text}, "", part), (part,))
    limits = plan.native.limits
    attack = replace(plan.native, limits=Limits(limits.words, (KeptFields(), *limits.drafts)))

    def ask(drafts: Sequence[Draft]) -> list[list[Prediction]]:
        return [_answers(victim, part, draft, development, cache) for draft in drafts]

    found = search_shared(
        attack,
        start,
        development,
        ask,
        protect=protected_positions(start, protected_words(prompt)),
        seed=plan.seed + plan.offset,
        budget=budget,
        progress=progress,
    )
    after = found.best.draft.inputs[part]
    change = SharedChange(
        place="instruction",
        label="",
        before=text,
        after=after,
        development=len(development.examples),
        score_before=found.start,
        score_after=found.score,
        queries=found.queries,
        unanswered=found.unanswered,
        words=len(start.words),
        words_changed=len(found.best.draft.changed),
    )
    return ShiftedSet(
        family="prompt",
        shift=plan.shift,
        key=key,
        severity=None,
        seed=plan.seed + plan.offset,
        paired=True,
        examples=tested,
        built_against=victim.card.name,
        prompt_edit=wording_edit(part, after),
        population=dataset.population,
        source=plan.source,
        budget=budget,
        shared=(change,),
    )


def _answers(
    victim: Model,
    part: str,
    draft: Draft,
    development: Development,
    cache: PredictionCache,
) -> list[Prediction]:
    assert isinstance(victim, Prompted)
    asked = victim.with_prompt(wording_edit(part, draft.inputs[part]))
    if isinstance(asked, str):
        raise RecipeError(
            f"{development.key}: {draft.inputs[part]!r:.120} cannot be asked: {asked}"
        )
    key = f"attack {development.key}"
    return predict(asked, [Request(example, key) for example in development.examples], cache)
