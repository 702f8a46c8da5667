"""Shifted sets: the clean set perturbed, and natural shifts loaded beside it; files perturbed without a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from robust_eval.data import OodSet, Reading, load_ood, ood_sets
from robust_eval.errors import DataError, RecipeError, did_you_mean
from robust_eval.perturb import dose, literal, perturb_example, protections
from robust_eval.perturb.files import FileSummary, Repeats, row_name, write_perturbed
from robust_eval.recipes import (
    EVERY,
    AttackPlan,
    NaturalPlan,
    NoisePlan,
    Plan,
    PromptPlan,
    RewritePlan,
)
from robust_eval.records import Dataset, Dose, Example, Progress, ShiftedSet, silent

__all__ = ["FileSummary", "build_sets", "perturb_file", "perturb_texts"]


def build_sets(
    dataset: Dataset,
    plans: Sequence[Plan],
    *,
    ood: Mapping[str, str],
    limit: int | None,
    seed: int,
    exclude: Sequence[Example] = (),
    reading: Reading | None = None,
    progress: Progress = silent,
    held_out: int = 0,
) -> tuple[ShiftedSet, ...]:
    """One shifted set per plan, in order; `*` becomes every natural shift that the data set has.

    Noise sets hold the clean set's ids in its order. `ood` maps a name to the user's own data and comes
    before the catalog; `reading` says how. `limit` and `exclude` apply to natural shifts, and
    `held_out`: so many examples of an unpaired one are kept apart as demonstrations of its own domain.
    Raises DataError when a natural shift is asked for and none is known: a part of what was asked is
    never left out silently, not even when noise remains.
    """
    natural = _natural_shifts(dataset, plans, ood, reading)
    made = [plan for plan in plans if isinstance(plan, NoisePlan)]
    steps = len(made) * len(dataset.examples) + len(natural)
    sets: list[ShiftedSet] = []
    waiting = dict(natural)
    with progress("building shifted sets", steps) as advance:
        for plan in plans:
            if isinstance(plan, NoisePlan):
                sets.append(_noise_set(dataset, plan))
                advance(len(dataset.examples))
                continue
            if isinstance(plan, PromptPlan):
                sets.append(_prompt_set(dataset, plan))
                continue
            if isinstance(plan, AttackPlan | RewritePlan):
                continue  # made by `attack` and `rewriting`, which need models
            for name in list(waiting) if plan.name == EVERY else [plan.name]:
                if found := waiting.pop(name, None):
                    sets.append(_natural_set(dataset, found, limit, seed, exclude, held_out))
                    advance(1)
    _require_distinct(sets)
    return tuple(sets)


def _noise_set(dataset: Dataset, plan: NoisePlan) -> ShiftedSet:
    fields = dataset.task.perturbable
    _require_fields(dataset, plan)
    own = tuple(literal(words) for words in plan.protect)
    examples: list[Example] = []
    doses: list[Dose] = []
    for example in dataset.examples:
        shifted, realised = perturb_example(
            plan.chain,
            example,
            seed=plan.seed,
            fields=fields,
            protect=(*own, *protections(dataset.task.kind, example)),
        )
        examples.append(shifted)
        doses.append(realised)
    return ShiftedSet(
        family=plan.family,
        shift=plan.shift,
        key=plan.key,
        severity=plan.severity,
        seed=plan.seed,
        paired=True,
        examples=tuple(examples),
        doses=tuple(doses),
        population=dataset.population,
        source=plan.source,
    )


def _require_fields(dataset: Dataset, plan: NoisePlan) -> None:
    for link in plan.chain:
        for field in getattr(link, "needs", ()):
            if field not in dataset.task.fields:
                raise DataError(
                    f"{link.name} needs a {field}; {dataset.name!r} ({dataset.task.kind.value}) has "
                    f"{', '.join(dataset.task.fields)}"
                )


def _prompt_set(dataset: Dataset, plan: PromptPlan) -> ShiftedSet:
    """The clean examples, to be answered under an edited prompt."""
    return ShiftedSet(
        family="prompt",
        shift=plan.shift,
        key=plan.key,
        severity=plan.severity,
        seed=plan.seed,
        paired=True,
        examples=dataset.examples,
        prompt_edit=plan.edit,
        population=dataset.population,
        source=f"prompt edit {plan.edit}",
    )


# --- natural shifts ------------------------------------------------------------------------------


def _natural_shifts(
    dataset: Dataset, plans: Sequence[Plan], ood: Mapping[str, str], reading: Reading | None
) -> dict[str, OodSet]:
    """The natural shifts that the plans name, by name, before any of them is loaded."""
    wanted = [plan.name for plan in plans if isinstance(plan, NaturalPlan)]
    if not wanted:
        return {}
    known = {found.name: found for found in ood_sets(dataset.name, ood, reading)}
    taken = {name: found for name, found in known.items() if found.core or found.given}
    if EVERY in wanted and not taken:
        by_name = f" without more (known: {', '.join(known)})" if known else ""
        raise DataError(
            f"no natural shift is known for {dataset.name!r}{by_name}; give one with --ood NAME=DATA, "
            "or ask for noise only with --shift noisy"
        )
    chosen: dict[str, OodSet] = {}
    for name in wanted:
        if name == EVERY:
            chosen.update(taken)
        elif name in known:
            chosen[name] = known[name]
        else:
            raise DataError(
                f"no natural shift {name!r} of {dataset.name!r}{did_you_mean(name, known)}; "
                f"your own data: --ood {name}=DATA"
            )
    return chosen


def _natural_set(
    dataset: Dataset,
    ood: OodSet,
    limit: int | None,
    seed: int,
    exclude: Sequence[Example],
    held_out: int,
) -> ShiftedSet:
    # A smaller limit draws the beginning of what a larger one draws: the set is the same either way.
    wanted = None if limit is None else limit + held_out
    loaded = load_ood(ood, dataset, limit=wanted, seed=seed, exclude=exclude)
    pool: tuple[Example, ...] = ()
    if held_out and not ood.paired:
        kept = min(
            len(loaded.examples) - held_out, len(loaded.examples) if limit is None else limit
        )
        if kept < held_out:
            raise DataError(
                f"'{ood.name}' has {len(loaded.examples)} examples, too few to test on and to hold "
                f"{held_out} out as demonstrations; leave --prompt-source target out"
            )
        pool = loaded.examples[kept:]
        loaded = replace(loaded, examples=loaded.examples[:kept])
    return ShiftedSet(
        family="adversarial" if ood.adversarial else "domain",
        shift=ood.name,
        key=ood.name,
        severity=None,
        seed=seed,
        paired=ood.paired,
        examples=loaded.examples,
        doses=_doses(dataset, loaded) if ood.paired else (),
        population=loaded.population,
        source=f"{ood.spec}, revision {loaded.revision}, content {loaded.fingerprint}",
        demonstrations=pool,
    )


def _doses(dataset: Dataset, edited: Dataset) -> tuple[Dose, ...]:
    """How far each human edit is from the ID example whose id it carries."""
    originals = {example.id: example.inputs for example in dataset.examples}
    return tuple(
        dose([(originals[e.id][field], e.inputs[field]) for field in dataset.task.fields])
        for e in edited.examples
    )


def _require_distinct(sets: Sequence[ShiftedSet]) -> None:
    keys = [built.key for built in sets]
    for key in keys:
        if keys.count(key) > 1 or key == "clean":
            raise DataError(
                f"two sets of this run would be called {key!r}; rename the one of --ood"
            )


# --- files alone ---------------------------------------------------------------------------------


def perturb_file(
    source: Path,
    target: Path,
    plans: Sequence[Plan],
    *,
    fields: Sequence[str],
    seed: int,
    processes: int = 1,
    encoding: str = "utf-8",
    progress: Progress = silent,
) -> FileSummary:
    """Writes every row of a data file once per plan, perturbed; gives what was done.

    See `robust_eval.perturb.files.write_perturbed`. Raises RecipeError for natural shifts, which no file can be
    turned into.
    """
    return write_perturbed(
        source,
        target,
        _of_texts(plans),
        fields=fields,
        seed=seed,
        processes=processes,
        encoding=encoding,
        progress=progress,
    )


def perturb_texts(texts: Sequence[str], plans: Sequence[Plan]) -> dict[str, list[tuple[str, Dose]]]:
    """Each set's texts, in the order of the input, with their realised dose; sets by key, such as `char-drops@3`.

    The same texts as `perturb_file` makes of rows `{"text": ...}`. Raises RecipeError as it does.
    """
    repeats = Repeats()
    examples = []
    for text in texts:
        name = row_name({"text": text}, repeats)
        examples.append(Example(name, {"text": text}, "", name))
    found = {}
    for plan in _of_texts(plans):
        guard = tuple(literal(words) for words in plan.protect)
        made = [
            perturb_example(plan.chain, e, seed=plan.seed, fields=("text",), protect=guard)
            for e in examples
        ]
        found[plan.key] = [(shifted.inputs["text"], realised) for shifted, realised in made]
    return found


def _of_texts(plans: Sequence[Plan]) -> list[NoisePlan]:
    """The plans, all of which must be perturbations of texts."""
    made = [plan for plan in plans if isinstance(plan, NoisePlan)]
    for plan in plans:
        if isinstance(plan, NaturalPlan):
            raise RecipeError(
                f"a natural shift ({plan.name}) cannot be made from a file; "
                "name perturbations or a noise recipe such as noisy"
            )
        if isinstance(plan, RewritePlan):
            raise RecipeError(
                f"{plan.key} needs a model that writes; use it in a run: robust-eval --rewriter SPEC ..."
            )
        if isinstance(plan, AttackPlan):
            raise RecipeError(
                f"the attack {plan.shift!r} needs a model to attack, which a file has not; "
                "use it in a run: robust-eval --model ... --shift ..."
            )
        if isinstance(plan, PromptPlan):
            raise RecipeError(
                f"a prompt-side shift ({plan.key}) edits a model's prompt, not texts; "
                "name perturbations or a noise recipe such as noisy"
            )
    return made
