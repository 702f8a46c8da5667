"""One pass: settings -> dataset -> shifted sets -> predictions -> scores -> run record -> report."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from robust_eval import store
from robust_eval.attack import attack_line, attack_sets
from robust_eval.errors import OutputError
from robust_eval.estimate import (
    characters,
    expected_seconds,
    in_words,
    read_speeds,
    remember_speeds,
)
from robust_eval.files import write_atomic
from robust_eval.gate import Policy, judge, require_named
from robust_eval.models.asking import Answers, ask_all
from robust_eval.models.cache import PredictionCache, cache_folder
from robust_eval.panels import AUTO, choose_panel, fitting_panel
from robust_eval.preparation import Prepared, prepare
from robust_eval.recipes import parse_shifts
from robust_eval.recording import inputs_fingerprint, recorded
from robust_eval.records import (
    Dataset,
    Panel,
    Progress,
    RunRecord,
    ShiftedSet,
    Status,
    silent,
)
from robust_eval.report import render_html, render_junit, render_markdown, render_model_index
from robust_eval.rewriting import rewritten_sets
from robust_eval.score import human_check, quality_of, reference_lines
from robust_eval.settings import Output, Settings
from robust_eval.validity import Examiner
from robust_eval.validity.sheet import read_sheets

REPORTS = Path("reports")

Announce = Callable[[str], None]


def evaluate(
    settings: Settings,
    output: Output | None = None,
    *,
    policy: Policy | None = None,
    panel: Panel | str = AUTO,
    progress: Progress = silent,
    announce: Announce = lambda line: None,
) -> tuple[RunRecord, Path]:
    """The record of one run and the folder that holds it with its reports.

    A folder of the same settings is resumed, or rendered again when it is complete. With a policy the
    record holds the gate's result; limits change no other figure, nor does `panel`, the models that the reference
    lines rest on (a panel, a file, `off`, or `auto`: the embedded one on the same data). Raises
    RobustEvalError subclasses; what was answered before an error stays in the cache.
    """
    started = time.time()
    output = output or Output()
    cache_dir = cache_folder(output.cache_dir)
    chosen = choose_panel(panel) if isinstance(panel, str) else panel
    plans = parse_shifts(settings.shifts, seed=settings.seed)
    folder = _open(settings, output)
    ready = prepare(settings, output, plans, cache_dir, progress=progress)
    if policy is not None:
        _require_named(policy, ready)
    inputs = inputs_fingerprint(ready)

    if folder.complete:
        record = store.load(folder.path)
        _require_same_inputs(record, inputs, folder.path)
        announce(f"{folder.path} is complete: rendering its report again, no model is called")
        if policy is not None or panel != AUTO:
            record = record if panel == AUTO else lined(record, chosen)
            record = record if policy is None else gated(record, policy)
            store.save_gate(folder.path, record)
    else:
        folder.begin()
        test = ready.splits.test
        examiner = Examiner(test, settings.validity, cache_dir, settings.device, progress)
        sets = examiner.examine(ready.sets)
        with PredictionCache.open(cache_dir) as cache:
            announce(_plan_line(ready, cache_dir))
            sets += examiner.examine(_written_by_models(settings, ready, cache, progress, announce))
            answers = ask_all(
                ready.models,
                test,
                sets,
                cache,
                repeats=settings.repeats,
                calibration=ready.splits.calibration,
                progress=progress,
            )
            notes = cache.notes
        remember_speeds(cache_dir, _speeds(answers, test, sets))
        record = recorded(
            settings,
            ready,
            sets,
            answers,
            inputs=inputs,
            started=started,
            notes=notes,
            validity=examiner.about(),
        )
        record = lined(record, fitting_panel(record) if panel == AUTO else chosen)
        if policy is not None:
            record = gated(record, policy)
        store.save(folder.path, record)
    render(folder.path, record)
    return record, folder.path


def gated(record: RunRecord, policy: Policy) -> RunRecord:
    """The record with what the policy says of it."""
    return dataclasses.replace(record, gate=judge(record, policy))


def lined(record: RunRecord, panel: Panel | None) -> RunRecord:
    """The record with reference lines of this panel; without one it has none."""
    record = dataclasses.replace(record, panel=panel)
    level = float(record.settings.get("level", 0.95))
    return dataclasses.replace(record, lines=reference_lines(record, level=level))


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


def _require_named(policy: Policy, ready: Prepared) -> None:
    """Refuses a policy that names a set or family which this run does not make."""
    names = {name for s in ready.sets for name in (s.shift, s.key)}
    # The key of an attack's set names its victim too; its name is enough here.
    names |= {plan.shift for plan in ready.attacks} | {plan.key for plan in ready.rewrites}
    families = {s.family for s in ready.sets}
    families |= {plan.family for plan in ready.attacks}
    families |= {"domain"} if ready.rewrites else set()
    require_named(policy, names, families)


def _require_same_inputs(record: RunRecord, inputs: str, path: Path) -> None:
    if record.splits.get("inputs") != inputs:
        raise OutputError(
            f"{path} holds a finished run on other data or other model weights under the same names; "
            "give --overwrite to replace it, or another --out"
        )


def _written_by_models(
    settings: Settings,
    ready: Prepared,
    cache: PredictionCache,
    progress: Progress,
    announce: Announce,
) -> tuple[ShiftedSet, ...]:
    """The sets that take a model: rewrites first, then attacks on the models of this run."""
    test = ready.splits.test
    sets = rewritten_sets(test, ready.rewrites, ready.writers, cache, progress=progress)
    if not ready.attacks:
        return sets
    budget, limit = settings.attack_budget, settings.attack_limit
    control = settings.attack_control
    announce(attack_line(ready.attacks, ready.victims, test, budget, limit, control))
    return sets + attack_sets(
        test,
        ready.attacks,
        ready.victims,
        cache,
        quality=quality_of(test),
        budget=budget,
        limit=limit,
        seed=settings.seed,
        control=control,
        writers=ready.attack_writers,
        progress=progress,
    )


def _speeds(answers: Answers, test: Dataset, sets: Sequence[ShiftedSet]) -> dict[str, float]:
    """Characters a second of every model that answered most of its inputs just now."""
    read = [*test.examples, *(e for s in sets if s.prompt_edit is None for e in s.examples)]
    return {name: characters(read) / seconds for name, seconds in answers.seconds.items()}


def _plan_line(ready: Prepared, cache_dir: Path) -> str:
    """What the run will ask, and how long that should take when nothing is cached."""
    test, sets, models = ready.splits.test, ready.sets, ready.models
    texts = [*test.examples, *(example for shifted in sets for example in shifted.examples)]
    speeds = read_speeds(cache_dir)
    seconds = sum(expected_seconds(model.card, texts, speeds) for model in models)
    return (
        f"{len(texts) * len(models):,} predictions: {len(models)} models on {len(test.examples):,} clean "
        f"and {len(texts) - len(test.examples):,} shifted examples in {len(sets)} sets; "
        f"{in_words(seconds)} if none is cached, without fine-tuning"
    )
