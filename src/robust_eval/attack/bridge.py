"""TextAttack's recipes against our models: their search, our cache, our records.

TextAttack attacks one example after the other, so its batches are as large as one example's candidates. Everything it draws
comes from Python's and numpy's global generators: these are seeded from our stream for each example, and are the
caller's own again while a model is asked. So an attack is a function of the seed and the answers alone, and one that was killed
continues from the cache.
"""

from __future__ import annotations

import importlib
import logging
import warnings
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from robust_eval.attack.engine import Attacked
from robust_eval.attack.goal import Situation
from robust_eval.attack.textattack_recipes import KNOWN, TextattackRecipe, require
from robust_eval.errors import InfrastructureError, RecipeError
from robust_eval.models.cache import PredictionCache
from robust_eval.models.predict import Request, predict
from robust_eval.perturb.external import TEXTATTACK_REMEDY, imported
from robust_eval.records import Example, Model, Progress, Status, silent
from robust_eval.rng import stream

if TYPE_CHECKING:
    from robust_eval.attack.textattack_victim import TextattackVictim, VictimUnderAttack

SPLIT = "<SPLIT>"  # TextAttack's own mark between fields: it cuts a text that holds it


def textattack_all(
    recipe: TextattackRecipe,
    victim: Model,
    examples: Sequence[Example],
    cache: PredictionCache,
    *,
    situation: Situation,
    fields: Sequence[str],
    key: str,
    seed: int,
    budgets: Sequence[int],
    progress: Progress = silent,
) -> list[Attacked]:
    """As `engine.attack_all`, by one of TextAttack's recipes.

    A budget ends the search at that many queries by TextAttack's count, where a text that comes again counts again;
    `queries` of the results are different texts, as everywhere. An example on which TextAttack itself fails counts as
    not turned, with the failure in `fault`. Raises RecipeError for tasks without labels, InfrastructureError when the victim stops answering.
    """
    require_labels(recipe, situation)
    require(recipe)
    imported("textattack", TEXTATTACK_REMEDY)
    from robust_eval.attack.textattack_victim import VictimUnderAttack

    asked = VictimUnderAttack(victim, situation.labels, fields, cache, set_key=f"attack {key}")
    attack = built(recipe, asked)
    clean = predict(victim, [Request(e, f"attack {key}") for e in examples], cache)
    if examples and all(answer.status is Status.FAILED for answer in clean):
        raise InfrastructureError(
            f"{victim.card.name} answered none of the {len(clean)} clean texts of the attack {key!r}; "
            "the same command resumes"
        )
    results = []
    with progress(f"{key}: attacking", len(examples)) as advance:
        for example, answer, budget in zip(examples, clean, budgets, strict=True):
            asked.begin(example, stream(seed, "attack", recipe.name, example.id))
            if answer.label != example.target:
                failed = int(answer.status is Status.FAILED)
                results.append(Attacked(example, "skipped", 1, failed))
            else:
                results.append(_attacked(attack, asked, example, budget))
            advance(1)
    return results


def require_labels(recipe: TextattackRecipe, situation: Situation) -> None:
    """Raises RecipeError for a task that is answered in words."""
    if not situation.labels:
        raise RecipeError(
            f"{recipe.name} needs a task with labels, not {situation.kind.value}; the native recipes "
            "attack answers in words too"
        )


def _attacked(attack: Any, asked: VictimUnderAttack, example: Example, budget: int) -> Attacked:
    """How TextAttack fares on one example that is answered rightly when clean."""
    original = _text(OrderedDict((field, example.inputs[field]) for field in asked.fields))
    # TextAttack fails on a text of none of its words.
    if budget < 2 or not original.words or any(SPLIT in example.inputs[f] for f in asked.fields):
        return Attacked(example, "failed", 1, 0)
    attack.goal_function.query_budget = budget
    fault = ""
    result = None
    try:
        with asked.draws.swapped(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = attack.attack(original, asked.labels.index(str(example.target)))
    except (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:  # fmt: skip
        if asked.broken:
            raise  # the model's own failure, not TextAttack's
        # Some of its searches stumble over the empty answer that they get once the budget is spent.
        if attack.goal_function.num_queries < budget:
            fault = f"{type(error).__name__}: {error}"[:200]
    queries, unanswered = len(asked.told), asked.unanswered
    kind = type(result).__name__
    if result is None or kind not in ("SuccessfulAttackResult", "MaximizedAttackResult"):
        return Attacked(example, "failed", queries, unanswered, fault=fault)
    found = result.perturbed_result.attacked_text
    texts = dict(zip(found.column_labels, _texts(found), strict=True))
    if all(example.inputs[field] == text for field, text in texts.items()):
        return Attacked(example, "failed", queries, unanswered)
    changed = Example(
        example.id, {**example.inputs, **texts}, example.target, example.source_id, example.meta
    )
    words = int(original.words_diff_num(found))
    return Attacked(changed, "succeeded", queries, unanswered, words)


def _texts(text: Any) -> tuple[str, ...]:
    given = text.tokenizer_input
    return (given,) if isinstance(given, str) else tuple(given)


def _text(fields: Mapping[str, str]) -> Any:
    return imported("textattack.shared", TEXTATTACK_REMEDY).AttackedText(fields)


def built(recipe: TextattackRecipe, victim: TextattackVictim) -> Any:
    """TextAttack's `Attack` on this victim, with nothing fetched on the way."""
    recipes = imported("textattack.attack_recipes", TEXTATTACK_REMEDY)
    with _nothing_fetched(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            attack = getattr(recipes, KNOWN[recipe.kind].made_by).build(
                victim, **dict(recipe.parameters)
            )
        except (OSError, ValueError, TypeError, ImportError) as error:
            raise RecipeError(f"{recipe.name} cannot be built: {str(error)[:200]}") from error
    from robust_eval.attack.textattack_victim import BATCH

    attack.goal_function.batch_size = BATCH
    return attack


@contextmanager
def _nothing_fetched() -> Iterator[None]:
    """TextAttack asks for NLTK's omw-1.4 whenever WordNet is used, which English needs nothing of; and it
    warns of every model class that is not its own.
    """
    nltk: Any = importlib.import_module("nltk")
    log = logging.getLogger("textattack.shared.utils.install")
    fetch, level = nltk.download, log.level
    nltk.download = lambda *arguments, **options: False
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        nltk.download = fetch
        log.setLevel(level)
