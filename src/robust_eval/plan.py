"""What a run would ask, take and be able to find, before anything is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from robust_eval.attack import most_queries
from robust_eval.estimate import (
    CHARACTERS_PER_TOKEN,
    characters,
    expected_seconds,
    read_speeds,
    training_seconds,
)
from robust_eval.models.account import Account, Price
from robust_eval.models.answers import Key, canonical_input, prediction_key
from robust_eval.models.asking import CALIBRATION
from robust_eval.models.cache import PredictionCache, cache_folder
from robust_eval.preparation import Prepared, prepare
from robust_eval.recipes import parse_shifts
from robust_eval.records import CLEAN, Example, Model, Progress, Prompted, ShiftedSet, silent
from robust_eval.score.comparisons import alike
from robust_eval.settings import Output, Settings
from robust_eval.stats.power import detectable_drop

DISCORDANT = 0.1  # share of answers that a shift turns either way, where nothing is known yet
LABEL_TOKENS = 4  # of an answer that names a label


@dataclass(frozen=True, slots=True)
class Asked:
    """What one model would be asked."""

    model: str
    role: str
    answers: int  # examples times sets, repeats included
    calls: int  # answers that are neither cached nor the same input again
    prompt_tokens: int  # read for them, about
    answer_tokens: int  # written, at most
    seconds: float  # about; 0 where nothing tells
    cost: float | None  # US dollars, at most; None for models without a price
    later: int = 0  # answers to sets that attacks and rewrites make in the run, beside `answers`
    attack_queries: int = 0  # texts that attacks may ask it about, at most: their whole budget
    attack_seconds: float = 0.0  # for these and for `later`, at most
    attack_cost: float | None = None
    training_seconds: float = (
        0.0  # about, for all epochs that it may take; 0 when it is trained already
    )


@dataclass(frozen=True, slots=True)
class RunPlan:
    """Sizes, calls and power of a run. `detectable` assumes that a tenth of the answers turn."""

    clean: int
    shifted: int
    sets: int
    tests: int  # of the Holm family
    asked: tuple[Asked, ...]
    detectable_drop: float  # one model's drop on one paired set, alone
    detectable_difference: float  # of two drops, alone
    detectable_adjusted: float  # the same if every test of the family must hold
    level: float

    @property
    def seconds(self) -> float:
        return sum(row.seconds for row in self.asked)

    @property
    def attack_seconds(self) -> float:
        """An upper bound: most attacks end long before their budget does."""
        return sum(row.attack_seconds for row in self.asked)

    @property
    def training_seconds(self) -> float:
        """An estimate, good to a factor of about two."""
        return sum(row.training_seconds for row in self.asked)


def plan(
    settings: Settings, output: Output | None = None, *, progress: Progress = silent
) -> RunPlan:
    """The plan of a run that `evaluate` would make. No model is asked, no weights are loaded, nothing is written
    but what reading data and perturbing need. Raises RobustEvalError subclasses, as the run would.
    """
    output = output or Output()
    cache_dir = cache_folder(output.cache_dir)
    plans = parse_shifts(settings.shifts, seed=settings.seed)
    ready = prepare(settings, output, plans, cache_dir, progress=progress)
    speeds = read_speeds(cache_dir)
    with PredictionCache.open(cache_dir) as cache:
        asked = tuple(
            _asked(model, ready, cache, settings, speeds, ready.account) for model in ready.models
        ) + tuple(_writing(writer, ready, settings, speeds) for writer in ready.writers)
    n = len(ready.splits.test.examples)
    cards = [group.card for group in ready.groups]
    pairs = sum(
        not settings.equal_budgets or alike(m, b, cards)
        for m in cards
        if m.role == "model"
        for b in cards
        if b.role == "baseline"
    )
    tests = pairs * len({s.shift for s in ready.sets} | {plan.key for plan in ready.rewrites})
    tests += _attack_tests(ready)
    level = settings.level
    both = min(1.0, 2 * DISCORDANT)
    return RunPlan(
        clean=n,
        shifted=sum(len(s.examples) for s in ready.sets),
        sets=len(ready.sets),
        tests=tests,
        asked=asked,
        detectable_drop=detectable_drop(n, discordant=DISCORDANT, level=level),
        detectable_difference=detectable_drop(n, discordant=both, level=level),
        detectable_adjusted=detectable_drop(
            n, discordant=both, level=1 - (1 - level) / max(1, tests)
        ),
        level=level,
    )


def _asked(
    model: Model,
    ready: Prepared,
    cache: PredictionCache,
    settings: Settings,
    speeds: dict[str, float],
    account: Account,
) -> Asked:
    """The questions of one model, those that are answered already taken off."""
    questions: dict[Key, Example] = {}
    answers = 0
    for fingerprint, examples, key, repeat in _rounds(model, ready, settings):
        answers += len(examples)
        for example in examples:
            at = prediction_key(
                fingerprint,
                example,
                repeat=repeat,
                set_key=None if model.card.deterministic else key,
                canonical=canonical_input(example),
            )
            questions.setdefault(at, example)
    known = cache.lookup(questions, getattr(model, "labels", None))
    left = [example for at, example in questions.items() if at not in known]
    card = model.card
    prompt = str(card.details.get("prompt", "")) if card.kind == "prompted" else ""
    read = round((characters(left) + len(prompt) * len(left)) / CHARACTERS_PER_TOKEN)
    generates = settings.scoring == "generate" or not ready.splits.test.task.has_labels
    price: Price | None = getattr(model, "price", None)
    each = settings.max_new_tokens if generates else LABEL_TOKENS if price is not None else 0
    written = each * len(left) if card.kind == "prompted" else 0
    return Asked(
        model=card.name,
        role=card.role,
        answers=answers,
        calls=len(left),
        prompt_tokens=read,
        answer_tokens=written,
        seconds=expected_seconds(card, left, speeds) if left else 0.0,
        cost=price.of(read, written) if price is not None else None,
        training_seconds=training_seconds(card, (*ready.splits.train, *ready.splits.dev), speeds),
        **_later(model, ready, settings, speeds, len(prompt), each),
    )


def _later(
    model: Model,
    ready: Prepared,
    settings: Settings,
    speeds: dict[str, float],
    prompt: int,
    each: int,
) -> dict[str, Any]:
    """What attacks and rewrites add for one model, at most; `prompt` in characters, `each` in tokens."""
    test = ready.splits.test
    n = len(test.examples)
    limit = settings.attack_limit
    answers = len(ready.rewrites) * n
    answers += len(ready.attacks) * len(ready.victims) * min(n, limit or n)
    queries = 0
    if model in ready.victims:
        budget, control = settings.attack_budget, settings.attack_control
        queries = most_queries(ready.attacks, model, test, budget, limit, control)
    if not n or not answers + queries:
        return {}
    asked = answers + queries
    price: Price | None = getattr(model, "price", None)
    tokens = round(asked * (characters(test.examples) / n + prompt) / CHARACTERS_PER_TOKEN)
    return {
        "later": answers,
        "attack_queries": queries,
        "attack_seconds": asked / n * expected_seconds(model.card, test.examples, speeds),
        "attack_cost": None if price is None else price.of(tokens, asked * each),
    }


def _writing(writer: Model, ready: Prepared, settings: Settings, speeds: dict[str, float]) -> Asked:
    """What one rewrite asks its writer: every text once. What is cached of it is not looked up."""
    test = ready.splits.test
    texts = characters(test.examples)
    prompt = len(str(writer.card.details.get("prompt", "")))
    calls = len(test.examples) * len(test.task.perturbable)
    read = round((texts + prompt * calls) / CHARACTERS_PER_TOKEN)
    written = round(texts / CHARACTERS_PER_TOKEN)  # a rewrite is about as long as its text
    price: Price | None = getattr(writer, "price", None)
    return Asked(
        model=writer.card.name,
        role="rewriter",
        answers=calls,
        calls=calls,
        prompt_tokens=read,
        answer_tokens=written,
        seconds=expected_seconds(writer.card, test.examples, speeds),
        cost=price.of(read, written) if price is not None else None,
    )


def _attack_tests(ready: Prepared) -> int:
    """Comparisons that attacks add: each pair of single models that the same attack is made on."""
    attacked = {model.card.name for model in ready.victims}
    single = [group.card for group in ready.groups if not group.card.members]
    pairs = [
        (a.name, b.name)
        for a in single
        for b in single
        if a.role == "model" and b.role == "baseline" and {a.name, b.name} <= attacked
    ]
    return len(pairs) * len({plan.shift for plan in ready.attacks if not plan.on_instruction})


Round = tuple[str, Sequence[Example], str, int]


def _rounds(model: Model, ready: Prepared, settings: Settings) -> list[Round]:
    """(fingerprint, examples, set key, repeat) of everything that the model is asked."""
    clean = ready.splits.test.examples
    own = model.card.fingerprint
    rounds: list[Round] = [(own, clean, CLEAN, 0)]
    for shifted in ready.sets:
        if shifted.prompt_edit is None:
            rounds.append((own, shifted.examples, shifted.key, 0))
        elif (edited := _edited(model, shifted)) is not None:
            rounds.append((edited.card.fingerprint, shifted.examples, shifted.key, 0))
    if ready.splits.calibration:
        rounds.append((own, ready.splits.calibration, CALIBRATION, 0))
    if not model.card.deterministic:
        rounds += [(own, clean, CLEAN, repeat) for repeat in range(1, settings.repeats)]
    return rounds


def _edited(model: Model, shifted: ShiftedSet) -> Model | None:
    if not isinstance(model, Prompted) or shifted.prompt_edit is None:
        return None
    found = model.with_prompt(shifted.prompt_edit)
    return None if isinstance(found, str) else found
