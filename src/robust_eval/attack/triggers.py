"""Universal triggers: the same few words before or after every text of a label, so that answers turn.

Found on a development half of the clean examples, tested on the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from robust_eval.attack.draft import Draft
from robust_eval.attack.goal import Situation, better
from robust_eval.attack.plans import AttackPlan
from robust_eval.attack.shared import (
    Development,
    aimed_at,
    drawn,
    halves,
    search_shared,
    shared_goal,
)
from robust_eval.attack.vocabulary import Trigger, neutral_words
from robust_eval.errors import RecipeError, did_you_mean
from robust_eval.models.cache import PredictionCache
from robust_eval.models.predict import Request, predict
from robust_eval.perturb.apply import dose
from robust_eval.records import (
    Dataset,
    Example,
    Model,
    Prediction,
    Progress,
    SharedChange,
    ShiftedSet,
    Status,
    silent,
)

EVERY = ""  # in place of a label: the trigger is for all examples


def trigger_field(trigger: Trigger, dataset: Dataset) -> str:
    """The field that the trigger is put at. Raises RecipeError for one that the task does not have."""
    task = dataset.task
    field = trigger.field or task.perturbable[-1]
    if field not in task.fields:
        raise RecipeError(
            f"trigger: {dataset.name!r} has no field {field!r}{did_you_mean(field, task.fields)}"
        )
    return field


def trigger_set(
    dataset: Dataset,
    plan: AttackPlan,
    trigger: Trigger,
    victim: Model,
    cache: PredictionCache,
    *,
    situation: Situation,
    budget: int,
    limit: int | None,
    seed: int,
    progress: Progress = silent,
) -> ShiftedSet:
    """The test half of the clean examples, each with the trigger that was found for its right label.

    A label whose trigger does not make the development examples worse keeps its texts as they are.

    Source: Wallace et al. (2019), arXiv:1908.07125. There words are proposed by gradients and chosen by a beam; ours are
    drawn from neutral words of the development texts and chosen by the victim's scores, so that a model behind
    an interface can be attacked. As there, each label has a trigger of its own, and words that speak for a label are no candidates;
    there a sentiment lexicon tells them, here how often they stand under each label.
    """
    field = trigger_field(trigger, dataset)
    key = plan.key_against(victim)
    goal = shared_goal(plan.native.goal, situation)
    half, tested = halves(dataset, None, seed)
    vocabulary = neutral_words(half, field)
    labels = situation.labels or (EVERY,)
    most = None if limit is None else max(1, limit // len(labels))
    changes = []
    for label in labels:
        mine = [e for e in aimed_at(goal, half) if label in (EVERY, e.target)]
        if not mine:
            continue  # the goal's own label, or one that no example has
        development = Development(drawn(mine, most, seed, "development"), goal, situation, key)
        ask = _asking(victim, trigger, field, development, cache)
        change = _searched(plan, trigger, label, vocabulary, development, ask, budget, progress)
        changes.append(change)
    found = {change.label: change.after for change in changes}
    shifted = tuple(
        trigger.on(e, found.get(str(e.target) if situation.labels else EVERY, ""), field)
        for e in tested
    )
    return ShiftedSet(
        family="adversarial",
        shift=plan.shift,
        key=key,
        severity=None,
        seed=plan.seed + plan.offset,
        paired=True,
        examples=shifted,
        doses=tuple(
            dose([(old.inputs[f], new.inputs[f]) for f in dataset.task.fields])
            for old, new in zip(tested, shifted, strict=True)
        ),
        built_against=victim.card.name,
        population=dataset.population,
        source=plan.source,
        budget=budget,
        shared=tuple(changes),
    )


AskTexts = Callable[[Sequence[str]], list[list[Prediction]]]


def _asking(
    victim: Model,
    trigger: Trigger,
    field: str,
    development: Development,
    cache: PredictionCache,
) -> AskTexts:
    """Asks for all development examples under each of some triggers, in one call."""
    examples = development.examples
    set_key = f"attack {development.key}"

    def ask(texts: Sequence[str]) -> list[list[Prediction]]:
        asked = [Request(trigger.on(e, text, field), set_key) for text in texts for e in examples]
        answers = predict(victim, asked, cache)
        size = len(examples)
        return [answers[i * size : (i + 1) * size] for i in range(len(texts))]

    return ask


def _searched(
    plan: AttackPlan,
    trigger: Trigger,
    label: str,
    vocabulary: Sequence[str],
    development: Development,
    ask: AskTexts,
    budget: int,
    progress: Progress,
) -> SharedChange:
    """The trigger for one label, or none where the plain texts fare as badly."""
    about = {"vocabulary": tuple(vocabulary)}
    start = Draft.of(
        Example(f"trigger {label}", {"trigger": trigger.text}, label, label, about), ("trigger",)
    )
    (plain,) = ask([""])  # the first of the versions that the budget counts
    without = development.judged(start, plain)
    change = SharedChange(
        place="prefix" if trigger.place == "prefix" else "suffix",
        label=label,
        before="",
        after="",
        development=len(development.examples),
        score_before=development.score(plain),
        score_after=development.score(plain),
        queries=1,
        unanswered=sum(answer.status is Status.FAILED for answer in plain),
        words=trigger.words,
        words_changed=0,
    )
    if budget < 2:
        return change
    found = search_shared(
        plan.native,
        start,
        development,
        lambda drafts: ask([draft.text for draft in drafts]),
        seed=plan.seed + plan.offset,
        budget=budget - 1,
        progress=progress,
    )
    change = replace(
        change,
        queries=1 + found.queries,
        unanswered=change.unanswered + found.unanswered,
    )
    best = found.best
    if not best.reached and not better(best.score, without.score):
        return change
    return replace(
        change,
        after=best.draft.text,
        score_after=found.score,
        words_changed=sum(bool(word) for word in best.draft.words),
    )
