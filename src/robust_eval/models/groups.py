"""Seeds and draws: one name for a group of models that differ in chance alone, and learning curves.

A fine-tuned baseline differs by its seed (new head, order, dropout and, on part of the training data, which part); a
prompted model by which demonstrations are drawn. The group's score on an example is the mean of its members'.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from robust_eval.data.draws import balanced_order
from robust_eval.errors import UsageError
from robust_eval.models import default_baseline, load_model
from robust_eval.models.context import ModelContext
from robust_eval.models.specs import Role
from robust_eval.records import Model, ModelCard, Prediction, Status
from robust_eval.rng import hexdigest

DEV_SHARE = 0.1
OF_ONE = (
    "training",
    "demonstrations",
    "prompt",
    "seed",
    "warnings",
)  # said of each member, not of all
SMALLEST_WITH_DEV = 64  # below, every example trains: one in ten would choose an epoch by chance

Answered = Mapping[tuple[str, str], tuple[Prediction, ...]]


# What a model may be able to do: told from whether it has the method.
ABILITIES = ("jobs", "prepare", "stream", "holds", "release")
OTHERS = (
    "with_prompt",
    "with_demonstrations",
    "with_repeat",
)  # give the model that they are of, changed


class Named:
    """A model under another name; everything else is its own."""

    def __init__(self, model: Model, name: str, details: Mapping[str, Any]) -> None:
        self._model, self._name, self._more = model, name, details
        # isinstance() of a protocol looks no further than here, from Python 3.12 on.
        for ability in ABILITIES:
            if found := getattr(model, ability, None):
                self.__dict__[ability] = found
        for ability in OTHERS:
            if found := getattr(model, ability, None):
                self.__dict__[ability] = partial(self._renamed, found)

    @property
    def card(self) -> ModelCard:
        card = self._model.card
        return replace(card, name=self._name, details={**card.details, **self._more})

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self._model, attribute)

    def _renamed(self, change: Callable[..., Any], *arguments: Any) -> Any:
        other = change(*arguments)
        return other if isinstance(other, str) else Named(other, self._name, self._more)


@dataclass(frozen=True, slots=True)
class Group:
    """Models that one name stands for: one, or several that differ in chance alone."""

    name: str
    members: tuple[Model, ...]
    varied: str = ""  # "seeds" or "draws"; empty for one member

    @property
    def card(self) -> ModelCard:
        """The members' common card; of a single member its own."""
        cards = [model.card for model in self.members]
        first = cards[0]
        if len(cards) == 1:
            return first
        kept = {k: v for k, v in first.details.items() if k not in OF_ONE}
        return replace(
            first,
            name=self.name,
            fingerprint=hexdigest("group", *(card.fingerprint for card in cards)),
            details={**kept, self.varied: len(cards)},
            members=tuple(card.name for card in cards),
        )


@dataclass(frozen=True, slots=True)
class Curves:
    """How often each model is taken: seeds and sizes of fine-tuned ones, draws and numbers of demonstrations."""

    seeds: int = 1
    draws: int = 1
    sizes: tuple[int | None, ...] = ()  # None: all; empty: all
    shots: tuple[int, ...] = ()  # empty: as many as the context says


def load_groups(
    models: Sequence[str], baselines: Sequence[str], context: ModelContext, curves: Curves
) -> tuple[Group, ...]:
    """Every model, then every baseline (the default one when none is named), each once a size.

    Raises ModelError when a spec cannot be resolved, UsageError for a model that is its own baseline.
    """
    named = tuple(baselines) or (default_baseline(models),)
    if both := set(named) & set(models):
        raise UsageError(f"{min(both)!r} would be compared with itself; name another --baseline")
    roles: list[tuple[str, Role]] = [(spec, "model") for spec in models]
    roles += [(spec, "baseline") for spec in named]
    return tuple(g for spec, role in roles for g in _of_spec(spec, role, context, curves))


def _of_spec(spec: str, role: Role, context: ModelContext, curves: Curves) -> list[Group]:
    first = load_model(spec, role, context)
    kind = first.card.kind
    if kind == "prompted":
        return [
            _group(
                spec,
                role,
                replace(context, prompt=replace(context.prompt, shots=shots)),
                curves.draws,
                shots,
            )
            for shots in curves.shots or (context.prompt.shots,)
        ]
    if kind in ("fine-tuned", "floor"):
        seeds = curves.seeds if kind == "fine-tuned" else 1
        sizes = curves.sizes or (None,)
        several = len(sizes) > 1
        return [_sized_group(spec, role, context, seeds, n, several=several) for n in sizes]
    return [Group(first.card.name, (first,))]


def _group(spec: str, role: Role, context: ModelContext, draws: int, shots: int) -> Group:
    """Draws of demonstrations; without any there is nothing to draw."""
    models = [
        load_model(spec, role, replace(context, seed=context.seed + i))
        for i in range(draws if shots else 1)
    ]
    return _named(models[0].card.name, models, "draws", context.seed, {"budget": shots})


def _sized_group(
    spec: str, role: Role, context: ModelContext, seeds: int, size: int | None, *, several: bool
) -> Group:
    total = len(context.train) + len(context.dev)
    part = size is not None and size < total
    models = []
    for i in range(seeds):
        seeded = replace(context, seed=context.seed + i)
        models.append(load_model(spec, role, subset(seeded, size) if part and size else seeded))
    budget = size if part else total
    name = models[0].card.name
    if part or several:
        name += f" ({budget:,} examples)" if part else f" (all {budget:,} examples)"
    more: dict[str, Any] = {"budget": budget}
    if not part:
        more["budget_is_all"] = True
    return _named(name, models, "seeds", context.seed, more)


def _named(
    name: str, models: Sequence[Model], varied: str, seed: int, more: Mapping[str, Any]
) -> Group:
    if len(models) == 1:
        return Group(name, (Named(models[0], name, more),))
    singular = varied.removesuffix("s")
    return Group(
        name,
        tuple(
            Named(model, f"{name}, {singular} {seed + i}", more) for i, model in enumerate(models)
        ),
        varied,
    )


def subset(context: ModelContext, size: int) -> ModelContext:
    """The context with `size` training examples in all, drawn by its seed and balanced over classes.

    From 64 on a tenth of them is held out for early stopping.
    """
    drawn = balanced_order(
        (*context.train, *context.dev),
        labelled=context.task.has_labels,
        seed=context.seed,
        purpose="training draw",
    )[:size]
    held = round(size * DEV_SHARE) if size >= SMALLEST_WITH_DEV else 0
    return replace(context, dev=tuple(drawn[:held]), train=tuple(drawn[held:]))


def pooled_answers(
    group: Group, answered: Answered
) -> dict[tuple[str, str], tuple[Prediction, ...]]:
    """What the members say together on every set: the commonest answer, with the mean of probabilities.

    For showing; the group's score is the mean of the members' scores. A failed request of one fails it.
    """
    if len(group.members) == 1:
        return {}
    names = [model.card.name for model in group.members]
    keys = [key for name, key in answered if name == names[0]]
    return {
        (group.name, key): tuple(
            _pooled(given) for given in zip(*(answered[n, key] for n in names), strict=True)
        )
        for key in keys
        if all((name, key) in answered for name in names)
    }


def _pooled(given: Sequence[Prediction]) -> Prediction:
    cut = any(p.input_truncated for p in given)
    if failed := next((p for p in given if p.status is Status.FAILED), None):
        return replace(failed, input_truncated=cut)
    tally = Counter((p.label, p.text, p.status) for p in given)
    most = max(tally.values())
    chosen = next(p for p in given if tally[p.label, p.text, p.status] == most)
    rows = [p.scores for p in given if p.scores is not None]
    scores = None
    if len(rows) == len(given):
        scores = tuple(
            math.log(max(1e-300, math.fsum(math.exp(row[i]) for row in rows) / len(rows)))
            for i in range(len(rows[0]))
        )
    return replace(chosen, scores=scores, label_logprobs=None, input_truncated=cut)
