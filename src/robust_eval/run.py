"""One pass: settings -> dataset -> shifted sets -> predictions -> scores -> run record -> report."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from robust_eval import __version__, store
from robust_eval.attack import (
    AttackPlan,
    attack_line,
    attack_sets,
    victims_of,
)
from robust_eval.data import Splits
from robust_eval.errors import InfrastructureError, OutputError
from robust_eval.estimate import (
    characters,
    expected_seconds,
    in_words,
    read_speeds,
    remember_speeds,
)
from robust_eval.files import write_atomic
from robust_eval.gate import Policy, judge, require_named
from robust_eval.models.account import Account
from robust_eval.models.asking import Answers, ask_all
from robust_eval.models.cache import PredictionCache, cache_folder
from robust_eval.models.groups import pooled_answers
from robust_eval.models.predict import near_ties
from robust_eval.preparation import prepare
from robust_eval.recipes import parse_shifts
from robust_eval.records import (
    SCHEMA_VERSION,
    Dataset,
    Model,
    ModelCard,
    Prediction,
    Progress,
    RunRecord,
    ShiftedSet,
    Status,
    silent,
)
from robust_eval.report import render_html, render_junit, render_markdown, render_model_index
from robust_eval.rewriting import RewritePlan, rewritten_sets
from robust_eval.rng import hexdigest
from robust_eval.score import (
    analysis,
    attack_figures,
    comparisons,
    gaps,
    human_check,
    mean_scores,
    quality_of,
    score_all,
    score_repeats,
)
from robust_eval.settings import Output, Settings
from robust_eval.validity import Examiner
from robust_eval.validity.sheet import read_sheets

REPORTS = Path("reports")
PACKAGES = ("torch", "transformers", "tokenizers", "numpy", "scikit-learn", "datasets")

Announce = Callable[[str], None]


def evaluate(
    settings: Settings,
    output: Output | None = None,
    *,
    policy: Policy | None = None,
    progress: Progress = silent,
    announce: Announce = lambda line: None,
) -> tuple[RunRecord, Path]:
    """The record of one run and the folder that holds it with its reports.

    A folder of the same settings is resumed, or rendered again when it is complete. With a policy the
    record holds the gate's result; limits change no other figure. Raises
    RobustEvalError subclasses; what was answered before an error stays in the cache.
    """
    started = time.time()
    output = output or Output()
    cache_dir = cache_folder(output.cache_dir)
    plans = parse_shifts(settings.shifts, seed=settings.seed)
    folder = _open(settings, output)
    ready = prepare(settings, output, plans, cache_dir, progress=progress)
    splits, sets, groups, account = ready.splits, ready.sets, ready.groups, ready.account
    test, models = splits.test, ready.models
    attacks = [plan for plan in plans if isinstance(plan, AttackPlan)]
    rewrites = [plan for plan in plans if isinstance(plan, RewritePlan)]
    if policy is not None:
        # The key of an attack's set names its victim too; its name is enough here.
        names = {n for s in sets for n in (s.shift, s.key)} | {plan.attack.name for plan in attacks}
        names |= {plan.key for plan in rewrites}
        families = {s.family for s in sets} | ({"adversarial"} if attacks else set())
        families |= {"domain"} if rewrites else set()
        require_named(policy, names, families)
    victims = victims_of(models, settings.attack_models)
    inputs = _inputs_fingerprint(test, splits, sets, (*models, *ready.writers), attacks)

    if folder.complete:
        record = store.load(folder.path)
        _require_same_inputs(record, inputs, folder.path)
        announce(f"{folder.path} is complete: rendering its report again, no model is called")
        if policy is not None:
            record = gated(record, policy)
            store.save_gate(folder.path, record)
    else:
        examiner = Examiner(test, settings.validity, cache_dir, settings.device, progress)
        sets = examiner.examine(sets)
        with PredictionCache.open(cache_dir) as cache:
            announce(_plan_line(models, test, sets, cache_dir))
            written = rewritten_sets(test, rewrites, ready.writers, cache, progress=progress)
            sets += examiner.examine(written)
            if attacks:
                announce(
                    attack_line(
                        attacks, victims, test, settings.attack_budget, settings.attack_limit
                    )
                )
                attacked = attack_sets(
                    test,
                    attacks,
                    victims,
                    cache,
                    quality=quality_of(test),
                    budget=settings.attack_budget,
                    limit=settings.attack_limit,
                    seed=settings.seed,
                    progress=progress,
                )
                sets += examiner.examine(attacked)
            answers = ask_all(
                models, test, sets, cache, repeats=settings.repeats, progress=progress
            )
            notes = cache.notes
        predictions = dict(answers.predictions)
        for group in groups:
            predictions |= pooled_answers(group, answers.predictions)
        remember_speeds(cache_dir, _speeds(answers, test, sets))
        _require_answers(predictions)
        cards = tuple(group.card for group in groups)
        members = tuple(m.card for g in groups if len(g.members) > 1 for m in g.members)
        scores = mean_scores(cards, score_all(test, sets, predictions))
        record = RunRecord(
            schema_version=SCHEMA_VERSION,
            settings=settings.as_dict(),
            dataset=test,
            splits={**splits.summary, "inputs": inputs},
            sets=sets,
            models=cards,
            predictions=predictions,
            scores=scores,
            gaps=gaps(test, sets, cards, predictions, scores, level=settings.level),
            comparisons=comparisons(
                test,
                sets,
                cards,
                predictions,
                scores,
                level=settings.level,
                equal_budgets=settings.equal_budgets,
            ),
            near_ties={card.name: _near_ties(card, predictions) for card in cards},
            warnings=(*_warnings((*cards, *members), predictions), *notes),
            versions=_versions(),
            host=_host(started, answers.calls, account),
            not_applicable=tuple(answers.not_applicable),
            repeats=answers.repeats,
            repeat_scores=score_repeats(test, answers.repeats),
            validity=examiner.about(),
            members=members,
        )
        record = dataclasses.replace(
            record,
            analysis=analysis(record, level=settings.level),
            attacks=attack_figures(record, level=settings.level),
        )
        if policy is not None:
            record = gated(record, policy)
        store.save(folder.path, record)
    render(folder.path, record)
    return record, folder.path


def gated(record: RunRecord, policy: Policy) -> RunRecord:
    """The record with what the policy says of it."""
    return dataclasses.replace(record, gate=judge(record, policy))


def annotate(folder: Path, sheets: Sequence[Path]) -> RunRecord:
    """A finished run with what people said in these sheets, kept in its folder; `render` shows it."""
    record = store.load(folder)
    record = dataclasses.replace(record, human=human_check(record, read_sheets(record, sheets)))
    store.save_gate(folder, record)
    return record


def render(folder: Path, record: RunRecord) -> None:
    """Writes the reports, each whole or not at all; junit.xml only when a gate was asked for."""
    pages = {
        store.HTML: render_html(record),
        store.MARKDOWN: render_markdown(record),
        store.MODEL_INDEX: render_model_index(record),
    }
    if record.gate is not None:
        pages[store.JUNIT] = render_junit(record)
    for name, page in pages.items():
        write_atomic(folder / name, page.encode("utf-8", "replace"))


def failed_requests(record: RunRecord) -> int:
    """How many answers never came: a run with any of them ends with exit code 4."""
    answers = (p for predictions in record.predictions.values() for p in predictions)
    return sum(p.status is Status.FAILED for p in answers)


# --- the steps -----------------------------------------------------------------------------------


def _open(settings: Settings, output: Output) -> store.RunFolder:
    path = Path(output.folder) if output.folder else REPORTS / settings.default_name()
    return store.open_run(path, settings.as_dict(), overwrite=output.overwrite)


def _speeds(answers: Answers, test: Dataset, sets: Sequence[ShiftedSet]) -> dict[str, float]:
    """Characters a second of every model that answered most of its inputs just now."""
    read = [*test.examples, *(e for s in sets if s.prompt_edit is None for e in s.examples)]
    return {name: characters(read) / seconds for name, seconds in answers.seconds.items()}


def _require_answers(predictions: Mapping[tuple[str, str], tuple[Prediction, ...]]) -> None:
    """Some failed requests are left out and counted; nothing can be said of a set that has no other."""
    for (model, key), answers in predictions.items():
        if all(p.status is Status.FAILED for p in answers):
            raise InfrastructureError(
                f"{model} answered none of the {len(answers)} requests of set {key!r}: it failed or "
                "cannot be reached; other answers are kept"
            )


def _inputs_fingerprint(
    test: Dataset,
    splits: Splits,
    sets: Sequence[ShiftedSet],
    models: Sequence[Model],
    attacks: Sequence[AttackPlan],
) -> str:
    """A hash of every text and model that the figures rest on; attacks follow from these and their parts."""
    parts = [test.fingerprint]
    for examples in (splits.train, splits.dev, splits.demonstrations, *(s.examples for s in sets)):
        parts.append(f"{len(examples)} examples")
        parts += (f"{e.id} {sorted(e.inputs.items())!r} {e.target!r}" for e in examples)
    parts += (model.card.fingerprint for model in models)
    parts += (f"{plan.key} {plan.seed} {plan.attack.parts}" for plan in attacks)
    return hexdigest("inputs", *parts)


def _require_same_inputs(record: RunRecord, inputs: str, path: Path) -> None:
    if record.splits.get("inputs") != inputs:
        raise OutputError(
            f"{path} holds a finished run on other data or other model weights under the same names; "
            "give --overwrite to replace it, or another --out"
        )


def _near_ties(
    card: ModelCard, predictions: Mapping[tuple[str, str], tuple[Prediction, ...]]
) -> int:
    return sum(
        near_ties(answers) for (name, _), answers in predictions.items() if name == card.name
    )


def _warnings(
    cards: Sequence[ModelCard], predictions: Mapping[tuple[str, str], tuple[Prediction, ...]]
) -> tuple[str, ...]:
    lines = []
    for card in cards:
        answers = [
            p for (name, _), group in predictions.items() if name == card.name for p in group
        ]
        failed = sum(p.status is Status.FAILED for p in answers)
        cut = sum(p.input_truncated for p in answers)
        unparsed = sum(p.status is Status.UNPARSED for p in answers)
        if failed:
            lines.append(
                f"{card.name}: {failed} of {len(answers)} requests failed and are left out"
            )
        if cut:
            lines.append(f"{card.name}: {cut} of {len(answers)} inputs were cut to fit")
        if unparsed:
            lines.append(
                f"{card.name}: {unparsed} of {len(answers)} answers name no label (counted wrong)"
            )
        if written := _without_scores(card, answers):
            lines.append(
                f"{card.name}: {written} of {len(answers)} answers were read from written text, as the "
                "server showed no log-probabilities of the labels there"
            )
        lines += (f"{card.name}: {warning}" for warning in card.details.get("warnings", ()))
    return tuple(lines)


def _without_scores(card: ModelCard, answers: Sequence[Prediction]) -> int:
    """Labels of a hosted model that label scores were asked for and not had."""
    if "server" not in card.details or not str(card.details["scoring"]).startswith("label"):
        return 0
    return sum(p.label is not None and p.label_logprobs is None for p in answers)


def _plan_line(
    models: Sequence[Model], test: Dataset, sets: Sequence[ShiftedSet], cache_dir: Path
) -> str:
    """What the run will ask, and how long that should take when nothing is cached."""
    texts = [*test.examples, *(example for shifted in sets for example in shifted.examples)]
    speeds = read_speeds(cache_dir)
    seconds = sum(expected_seconds(model.card, texts, speeds) for model in models)
    return (
        f"{len(texts) * len(models):,} predictions: {len(models)} models on {len(test.examples):,} clean "
        f"and {len(texts) - len(test.examples):,} shifted examples in {len(sets)} sets; "
        f"{in_words(seconds)} if none is cached, without fine-tuning"
    )


def _versions() -> dict[str, str]:
    found = {"robust-eval": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _host(started: float, calls: int, account: Account) -> dict[str, Any]:
    host: dict[str, Any] = {
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
        "seconds": round(time.time() - started, 1),
        "model_calls": calls,
        "platform": platform.platform(),
        "cores": os.cpu_count() or 0,
    }
    if usage := account.summary():
        host["usage"] = usage
    return host
