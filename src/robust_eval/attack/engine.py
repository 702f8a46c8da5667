"""Many attacks at once, in lockstep, so that the victim always sees full batches.

Each round collects what every running search wants to know; all questions to the victim go through
`models.predict` and its cache in one call. So an attack that is killed resumes by itself: its choices are a
function of answers that are all in the cache.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Final

from robust_eval.attack.constraints import protected_positions
from robust_eval.attack.draft import Draft
from robust_eval.attack.goal import Goal, Judged, Situation, best, better, goal_for
from robust_eval.attack.recipe import Attack
from robust_eval.attack.search import Ask, Expand, Filter, Open, Steps
from robust_eval.attack.tools import Tools
from robust_eval.errors import InfrastructureError
from robust_eval.models.cache import PredictionCache
from robust_eval.models.predict import Request, predict
from robust_eval.perturb.apply import protections
from robust_eval.records import AttackOutcome, Example, Model, Prediction, Progress, Status, silent
from robust_eval.rng import stream

SPENT: Final = object()  # in place of answers: the budget does not reach for all that was asked
RUNNING = 256  # attacks at once: enough to fill batches, few enough to fit in memory

Answer = Callable[[Sequence[Request]], list[Prediction]]


@dataclass(frozen=True, slots=True)
class Attacked:
    """How one attack ended. `example` is the original again unless it succeeded."""

    example: Example
    outcome: AttackOutcome
    queries: int  # different texts asked, the clean one among them
    unanswered: int  # of these, requests that failed
    words_changed: int = 0
    fault: str = ""  # why the attack itself could not go on, where it is not our own


@dataclass(slots=True)
class Running:
    """One attack under way."""

    index: int
    draft: Draft
    protect: frozenset[int]
    budget: int
    rng: Random
    steps: Steps | None = None
    wish: Ask | None = None
    clean: Prediction | None = None
    best: Judged | None = None
    told: dict[str, Judged | None] = field(default_factory=dict)  # by text; None: no answer came
    unanswered: int = 0


def attack_all(
    attack: Attack,
    victim: Model,
    examples: Sequence[Example],
    cache: PredictionCache,
    *,
    situation: Situation,
    fields: Sequence[str],
    key: str,
    seed: int,
    budgets: Sequence[int],
    tools: Tools | None = None,
    progress: Progress = silent,
) -> list[Attacked]:
    """One result for each example, same order; at most `budgets[i]` texts are asked for example i.

    The result depends on the victim's answers, the seed and the examples alone. Raises InfrastructureError when the
    victim answers nothing at all in a round, RecipeError when the goal does not fit the task, ModelError when a part
    of the attack needs what is not installed.
    """
    goal = goal_for(attack.goal, situation)
    attack = attack.equipped(tools or Tools(cache))
    attack.foresee(examples, fields)
    waiting: Iterator[Running] = iter(
        [
            Running(
                index,
                draft := Draft.of(example, fields),
                protected_positions(draft, protections(situation.kind, example)),
                budget,
                stream(seed, "attack", attack.name, example.id),
            )
            for index, (example, budget) in enumerate(zip(examples, budgets, strict=True))
        ]
    )
    done: dict[int, Attacked] = {}
    running: list[Running] = []

    def answer(requests: Sequence[Request]) -> list[Prediction]:
        return predict(victim, requests, cache)

    with progress(f"{key}: attacking", len(examples)) as advance:
        while True:
            while len(running) < RUNNING and (new := next(waiting, None)) is not None:
                running.append(new)
            if not running:
                break
            _ask_round(running, goal, situation, victim, key, answer)
            still: list[Running] = []
            for one in running:
                if _advance(one, attack, goal, situation, seed):
                    still.append(one)
                else:
                    done[one.index] = _result(one, goal)
                    advance(1)
            running = still
    return [done[index] for index in range(len(examples))]


def _ask_round(
    running: Sequence[Running],
    goal: Goal,
    situation: Situation,
    victim: Model,
    key: str,
    answer: Answer,
) -> None:
    """Every running attack's open questions, answered in one call; texts known to it are not asked again."""
    asked: list[tuple[Running, Draft, str]] = []
    for one in running:
        asked += [(one, draft, draft.text) for draft in open_drafts(one)]
    if not asked:
        return
    # A set key of its own: a victim that samples must not be scored on the answer that the search picked.
    requests = [Request(draft.as_example(), f"attack {key}") for _, draft, _ in asked]
    answers = answer(requests)
    if all(a.status is Status.FAILED for a in answers):
        raise InfrastructureError(
            f"{victim.card.name} answered none of the {len(answers)} requests of a round of the attack "
            f"{key!r}; what it answered before is kept, the same command resumes"
        )
    for (one, draft, text), prediction in zip(asked, answers, strict=True):
        if prediction.status is Status.FAILED:
            one.unanswered += 1
            continue
        if one.clean is None:
            one.clean = prediction
        one.told[text] = goal.judge(prediction, one.clean, draft, situation)


def open_drafts(one: Running) -> list[Draft]:
    """What the search wants to ask and does not know, as far as the budget reaches; it counts as asked from now on."""
    found = []
    for draft in one.wish.drafts if one.wish else (one.draft,):
        text = draft.text
        if text not in one.told and len(one.told) < one.budget:
            one.told[text] = None
            found.append(draft)
    return found


def _advance(one: Running, attack: Attack, goal: Goal, situation: Situation, seed: int) -> bool:
    """Runs the search until it needs the victim again; False when the attack is over."""
    if one.steps is None:
        start = one.told[one.draft.text]
        if start is None or one.clean is None or goal.skip(one.clean, one.draft, situation):
            return False
    return proceed(one, attack, one.clean is not None and one.clean.scores is not None, seed)


def proceed(one: Running, attack: Attack, scored: bool, seed: int) -> bool:
    """Starts the search from its first answer, or goes on with it; False when it is over."""
    reply: object
    if one.steps is None:
        start = one.told[one.draft.text]
        assert start is not None
        one.best = start
        one.steps = attack.search.run(start, one.rng, scored)
        reply = None
    else:
        reply = _answers(one)
    assert one.steps is not None
    while reply is not SPENT:
        try:
            wish = one.steps.send(reply)
        except StopIteration:
            return False
        if not isinstance(wish, Ask):
            reply = _reply(one, wish, attack, seed)
            continue
        one.wish = wish
        if any(draft.text not in one.told for draft in wish.drafts):
            return True
        reply = _answers(one)
    return False


def _answers(one: Running) -> object:
    """What the victim said to the last wish, the best of it remembered; SPENT where the budget cut it short."""
    assert one.best is not None
    assert one.wish is not None
    answers = [
        replace(found, draft=draft)
        for draft in one.wish.drafts
        if (found := one.told.get(draft.text)) is not None
    ]
    if answers and not one.wish.probe:
        top = best(answers)
        fewer = len(top.draft.changed) < len(one.best.draft.changed)
        if top.reached > one.best.reached or (
            top.reached == one.best.reached
            and (better(top.score, one.best.score) or (top.reached and fewer))
        ):
            one.best = top
    return SPENT if any(draft.text not in one.told for draft in one.wish.drafts) else answers


def _reply(one: Running, wish: Expand | Open | Filter, attack: Attack, seed: int) -> object:
    """What the attack's own parts say; the victim is not asked."""
    if isinstance(wish, Open):
        return attack.positions(wish.draft, one.protect)
    if isinstance(wish, Filter):
        return attack.limits.kept(wish.drafts)
    return [attack.drafts(wish.draft, position, seed) for position in wish.positions]


def _result(one: Running, goal: Goal) -> Attacked:
    queries = len(one.told)
    original = one.draft.example
    if one.best is None:
        return Attacked(original, "skipped", queries, one.unanswered)
    won = one.best.reached or (goal.keeps_best and bool(one.best.draft.changed))
    if not won:
        return Attacked(original, "failed", queries, one.unanswered)
    draft = one.best.draft
    return Attacked(draft.as_example(), "succeeded", queries, one.unanswered, len(draft.changed))
