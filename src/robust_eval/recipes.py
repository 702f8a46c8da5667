"""The one grammar of shifts, and the TOML recipes it may name.

A shift (`--shift`, repeatable) is one of

    keyboard-typos             a perturbation, at severity 3
    keyboard-typos@1,3,5       at these severities: one set each
    nlpaug:KeyboardAug@3       another package's augmenter (`nlpaug:` or `textattack:`)
    textattack:pwws            one of TextAttack's recipes, against the run's own models
    word-drops@3?keep_negations=false    with parameters: `?NAME=VALUE&NAME=VALUE`, of any perturbation
    family:noise@1,3           every native perturbation of a family
    prompt-format@3            a prompt-side shift: the same examples, asked with an edited prompt
    ood:imdb                   one natural shift: of the catalog, or given with `--ood imdb=DATA`
    rewrite:informal           the clean texts rewritten by the model of `--rewriter`
    prompt-attack:deepwordbug  an attack of that recipe on the instruction of prompted models
    noisy                      a recipe of `perturbations/`
    ./mine.toml                a recipe file: whatever contains a `/` or ends in `.toml`

A recipe is TOML. `summary` says what it is for; `seeds` (default `[0]`) are added to the run's seed, one set each;
`include` names other recipes, bare or by path inside the file's own folder. Every `[[shift]]` is one of

    name = "word-drops"        with optional severities, parameters (a table), label, protect (list of words)
    name = "my-mix"            with chain = ["misspellings", "keyboard-typos"]; parameters by perturbation name
    family = "noise"           with optional severities
    natural = "*"              every natural shift of the data set; or the name of one
    name = "prompt-attack:pwws"

Every `[[attack]]` is an attack on the run's own models: see `attack.recipe`; or, with `textattack = "pwws"`, one of TextAttack's recipes.

Nothing in a recipe names code or a regular expression: `protect` lists words that stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from robust_eval import recipe_values as values
from robust_eval.attack import (
    PROMPT,
    AttackPlan,
    TextattackRecipe,
    parse_attack,
    textattack_recipe,
    textattack_table,
)
from robust_eval.errors import RecipeError, did_you_mean
from robust_eval.models.prompt_edits import EDITS, describe_edits, plan_edits
from robust_eval.perturb import (
    DEFAULT_SEVERITY,
    NATIVE,
    REGISTRY,
    NoisePlan,
    PromptPlan,
    make,
    parameters_shown,
    perturbations_folder,
    typed,
)
from robust_eval.recipe_files import included, is_file, load, recipe_names
from robust_eval.records import FAMILIES, Family, Perturbation
from robust_eval.rewriting import RewritePlan, parse_rewrite

__all__ = ["AttackPlan", "NaturalPlan", "NoisePlan", "Plan", "PromptPlan", "RewritePlan", "describe_perturbations", "describe_recipes", "parse_shifts", "recipe_names"]  # fmt: skip

MAX_SETS = 1_000
MAX_CHAIN = 12
EVERY = "*"

RECIPE_KEYS = ("summary", "seeds", "include", "shift", "attack")
SHIFT_KEYS = (
    "name", "label", "chain", "family", "natural", "severities", "parameters", "seeds", "protect"
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class NaturalPlan:
    """Natural shifts to load: one by name, or `*` for all that the data set has."""

    name: str


Plan = NoisePlan | PromptPlan | NaturalPlan | AttackPlan | RewritePlan


def parse_shifts(specs: Sequence[str], *, seed: int) -> tuple[Plan, ...]:
    """The sets that these shifts ask for, each once, in the order asked.

    Raises RecipeError for an unknown name (with the nearest known one), a bad severity or a bad recipe, and for
    two different sets under one key.
    """
    if not specs:
        raise RecipeError("no shift given; try --shift noisy")
    return _unique(plan for spec in specs for plan in _parse(spec.strip(), seed))


def describe_perturbations() -> list[tuple[str, ...]]:
    """Rows of name, group, family, rates with their unit, and what it does."""
    return [
        (
            kind.name,
            kind.group,
            kind.family,
            " ".join(f"{rate:.0%}" for rate in kind.RATES) + f" of {kind.unit}",
            (kind.__doc__ or "").strip().splitlines()[0] + parameters_shown(kind),
        )
        for kind in NATIVE.values()
    ] + describe_edits()


def describe_recipes() -> list[tuple[str, ...]]:
    """Rows of name, number of sets, and what it holds."""
    rows: list[tuple[str, ...]] = []
    for name in recipe_names():
        path = perturbations_folder() / f"{name}.toml"
        plans = _unique(_read(path, 0, 0))
        natural = sum(isinstance(plan, NaturalPlan) for plan in plans)
        attacks = sum(isinstance(plan, AttackPlan) for plan in plans)
        made = len(plans) - natural - attacks
        parts = (
            str(made) * bool(made),
            "natural" * bool(natural),
            f"{attacks} a model" * bool(attacks),
        )
        sets = " + ".join(part for part in parts if part)
        rows.append((name, sets, str(load(path).get("summary", ""))))
    return rows


# --- one spec ------------------------------------------------------------------------------------


def _parse(spec: str, seed: int) -> Iterator[Plan]:
    if not spec:
        raise RecipeError("an empty shift; give a name such as 'noisy' or 'keyboard-typos@3'")
    if spec.partition(":")[0] == PROMPT[:-1]:
        yield from _on_instruction(spec, seed)
        return
    if is_file(spec):
        path = Path(spec)
        if not path.is_file():
            raise RecipeError(f"no recipe file {spec!r}; a bare name such as 'noisy' needs no path")
        yield from _read(path, seed, 0)
        return
    head, question, query = spec.partition("?")
    name, at, listed = head.partition("@")
    severities = _listed_severities(listed, spec) if at else (DEFAULT_SEVERITY,)
    provider, colon, rest = name.partition(":")
    if question and (
        (colon and provider in ("ood", "family", "rewrite"))
        or name in EDITS
        or name in recipe_names()
    ):
        raise RecipeError(f"{spec!r}: only a perturbation takes parameters; leave '?{query}' out")
    if provider == "ood" and colon:
        if at or not rest:
            raise RecipeError(f"{spec!r}: write ood:NAME; natural shifts have no severity")
        yield NaturalPlan(rest)
    elif provider == "rewrite" and colon:
        if at:
            raise RecipeError(f"{spec!r}: write rewrite:STYLE; rewriting has no severity")
        yield parse_rewrite(rest, seed)
    elif provider == "family" and colon:
        yield from _family(rest, severities, seed, repr(spec))
    elif provider == "textattack" and (recipe := textattack_recipe(rest, listed, query)):
        yield AttackPlan(recipe, seed)
    elif name in EDITS:
        yield from plan_edits(name, severities if at else None, seed)
    elif name in recipe_names():
        if at:
            raise RecipeError(
                f"{spec!r}: the recipe {name!r} has its own severities; leave '@{listed}' out"
            )
        yield from _read(perturbations_folder() / f"{name}.toml", seed, 0)
    else:
        _require_known(name, spec)
        parameters = typed(name, query) if question else {}
        shift = f"{name}?{query}" if question else name
        for severity in severities:
            yield _noise(shift, (make(name, severity, **parameters),), severity, seed, 0)


def _require_known(name: str, spec: str) -> None:
    provider, colon, _ = name.partition(":")
    if colon and provider not in ("nlpaug", "textattack"):
        known = ("nlpaug", "textattack", "ood", "family", "rewrite", "prompt-attack")
        raise RecipeError(
            f"unknown provider {provider!r} in {spec!r}{did_you_mean(provider, known)}"
        )
    if not colon and name not in NATIVE:
        known_names = (*NATIVE, *EDITS, *recipe_names())
        raise RecipeError(f"unknown shift {name!r}{did_you_mean(name, known_names)}")


def _on_instruction(spec: str, seed: int, offsets: Sequence[int] = (0,)) -> Iterator[AttackPlan]:
    """The attacks of a recipe, turned on the instruction."""
    name = spec.partition(":")[2]
    attacks = [n for n in recipe_names() if _attacks_only(n)]
    if not is_file(name) and name not in attacks:
        raise RecipeError(f"unknown attack {name!r} in {spec!r}{did_you_mean(name, attacks)}")
    for plan in _parse(name, seed):
        if not isinstance(plan, AttackPlan):
            raise RecipeError(
                f"{spec!r}: {name} holds sets that no attack makes; name a recipe of attacks"
            )
        if isinstance(plan.attack, TextattackRecipe):
            raise RecipeError(
                f"{spec!r}: TextAttack changes texts; an instruction takes a recipe of ours"
            )
        if plan.trigger is not None:
            raise RecipeError(
                f"{spec!r}: {plan.attack.name} puts words beside texts; an instruction takes another attack"
            )
        for offset in offsets:
            yield replace(plan, offset=plan.offset + offset, on_instruction=True)


def _attacks_only(recipe: str) -> bool:
    return "attack" in load(perturbations_folder() / f"{recipe}.toml")


def _listed_severities(listed: str, spec: str) -> tuple[int, ...]:
    severities = []
    for part in listed.split(","):
        # isdecimal alone would let other scripts' digits through.
        if part.strip() not in ("1", "2", "3", "4", "5"):
            raise RecipeError(f"severity {part!r} in {spec!r} is not one of 1, 2, 3, 4, 5")
        severities.append(int(part))
    return tuple(dict.fromkeys(severities))


def _family(
    name: str, severities: Sequence[int], seed: int, where: str, offsets: Sequence[int] = (0,)
) -> Iterator[Plan]:
    if name not in FAMILIES:
        raise RecipeError(f"unknown family {name!r} in {where}{did_you_mean(name, FAMILIES)}")
    if name == "prompt":
        for edit in EDITS.values():
            yield from plan_edits(edit.name, severities if edit.graded else None, seed, offsets)
        return
    # Those that need certain fields are asked for by name: most data sets do not have them.
    members = [k.name for k in REGISTRY.values() if k.family == name and not k.needs]
    if not members:
        raise RecipeError(
            f"{where}: no perturbation is of family {name!r} yet; see robust-eval list"
        )
    for member in members:
        for severity in severities:
            for offset in offsets:
                yield _noise(member, (make(member, severity),), severity, seed, offset)


def _noise(
    shift: str,
    chain: tuple[Perturbation, ...],
    severity: int,
    seed: int,
    offset: int,
    protect: tuple[str, ...] = (),
) -> NoisePlan:
    """A set of the first link's family. `offset` is added to the run's seed, and shown in the key unless 0."""
    return NoisePlan(
        family=_family_of(chain[0]),
        shift=shift,
        key=f"{shift}@{severity}" + (f"#{offset}" if offset else ""),
        severity=severity,
        seed=seed + offset,
        chain=chain,
        protect=protect,
    )


def _family_of(link: Perturbation) -> Family:
    kind = NATIVE.get(link.name)
    return kind.family if kind else "noise"


def _unique(plans: Iterable[Plan]) -> tuple[Plan, ...]:
    by_key: dict[str, Plan] = {}
    for plan in plans:
        key = f"ood:{plan.name}" if isinstance(plan, NaturalPlan) else plan.key
        if by_key.setdefault(key, plan) != plan:
            raise RecipeError(
                f"two different sets would be called {key!r}; give one of them a label"
            )
        if len(by_key) > MAX_SETS:
            raise RecipeError(
                f"more than {MAX_SETS:,} shifted sets; name fewer shifts or severities"
            )
    return tuple(by_key.values())


# --- recipe files --------------------------------------------------------------------------------


def _read(path: Path, seed: int, depth: int) -> Iterator[Plan]:
    recipe = load(path)
    where = path.name
    values.check_keys(recipe, RECIPE_KEYS, where)
    if not isinstance(recipe.get("summary", ""), str):
        raise RecipeError(f"{where}: summary must be text")
    offsets = values.offsets(recipe.get("seeds", [0]), where)
    for other in included(recipe.get("include", []), path, depth):
        yield from _read(other, seed, depth + 1)
    shifts = recipe.get("shift", [])
    if not isinstance(shifts, list) or not all(isinstance(shift, dict) for shift in shifts):
        raise RecipeError(f"{where}: write every shift as a [[shift]] table")
    attacks = recipe.get("attack", [])
    if not isinstance(attacks, list) or not all(isinstance(attack, dict) for attack in attacks):
        raise RecipeError(f"{where}: write every attack as an [[attack]] table")
    if not shifts and not attacks and not recipe.get("include"):
        raise RecipeError(f"{where} holds no [[shift]] or [[attack]] and includes nothing")
    for number, shift in enumerate(shifts, start=1):
        yield from _shift(shift, seed, offsets, f"{where}, shift {number}")
    for number, table in enumerate(attacks, start=1):
        place = f"{where}, attack {number}"
        foreign = "textattack" in table
        attack = textattack_table(table, place) if foreign else parse_attack(table, place)
        for offset in offsets:
            yield AttackPlan(attack, seed, offset)


def _shift(
    shift: Mapping[str, Any], seed: int, offsets: Sequence[int], where: str
) -> Iterator[Plan]:
    values.check_keys(shift, SHIFT_KEYS, where)
    kinds = [key for key in ("natural", "family", "name") if key in shift]
    if len(kinds) != 1:
        raise RecipeError(f"{where}: give exactly one of name, family, natural")
    (kind,) = kinds
    chosen = shift[kind]
    if not isinstance(chosen, str) or not chosen:
        raise RecipeError(f"{where}: {kind} must be text, not {chosen!r}")
    if kind == "natural":
        values.only(shift, ("natural",), where)
        yield NaturalPlan(chosen)
        return
    severities = values.severities(shift.get("severities", [DEFAULT_SEVERITY]), where)
    if "seeds" in shift:
        offsets = values.offsets(shift["seeds"], where)
    if kind == "family":
        values.only(shift, ("family", "severities", "seeds"), where)
        yield from _family(chosen, severities, seed, where, offsets)
        return
    if chosen.startswith(PROMPT):
        values.only(shift, ("name", "seeds"), where)
        yield from _on_instruction(chosen, seed, offsets)
        return
    if chosen in EDITS:
        values.only(shift, ("name", "severities", "seeds"), where)
        yield from plan_edits(chosen, severities if "severities" in shift else None, seed, offsets)
        return
    label = shift.get("label", chosen)
    values.check_label(label, where)
    protect = values.words(shift.get("protect", []), where)
    links = _chain(shift, chosen, where)
    for severity in severities:
        made: list[Perturbation] = []
        for name, parameters in links:
            try:
                made.append(make(name, severity, **parameters))
            except (RecipeError, TypeError) as error:
                raise RecipeError(f"{where}: {error}") from error
        for offset in offsets:
            yield _noise(label, tuple(made), severity, seed, offset, protect)


def _chain(shift: Mapping[str, Any], name: str, where: str) -> list[tuple[str, Mapping[str, Any]]]:
    """(perturbation name, parameters) of every link."""
    parameters = shift.get("parameters", {})
    if not isinstance(parameters, dict):
        raise RecipeError(f"{where}: parameters must be a table")
    if "chain" not in shift:
        if ":" not in name and name not in NATIVE:
            raise RecipeError(
                f"{where}: unknown perturbation {name!r}{did_you_mean(name, (*NATIVE, *EDITS))}"
            )
        return [(name, values.scalars(parameters, where))]
    chain = shift["chain"]
    if not isinstance(chain, list) or not chain or not all(isinstance(link, str) for link in chain):
        raise RecipeError(f"{where}: chain must be a list of perturbation names")
    if len(chain) > MAX_CHAIN:
        raise RecipeError(f"{where}: a chain has at most {MAX_CHAIN} links, not {len(chain)}")
    if name in NATIVE:
        raise RecipeError(f"{where}: {name!r} is a perturbation; a chain needs a name of its own")
    for link, table in parameters.items():
        if link not in chain:
            raise RecipeError(f"{where}: parameters for {link!r}, which is not in the chain")
        if not isinstance(table, dict):
            raise RecipeError(f"{where}: parameters of a chain are tables by perturbation name")
    return [(link, values.scalars(parameters.get(link, {}), where)) for link in chain]
