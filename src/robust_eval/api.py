"""The Python API: one call that gives frames and a report."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from robust_eval.build import perturb_texts as perturbed
from robust_eval.contenders import model_context
from robust_eval.errors import UsageError, did_you_mean
from robust_eval.gate import Limits, Policy, read_policy
from robust_eval.models import load_model
from robust_eval.models.account import Account
from robust_eval.models.cache import PredictionCache, cache_folder
from robust_eval.models.limits import RequestLimits
from robust_eval.panel_making import make_panel as measured
from robust_eval.panels import default_name, read_panel, write_panel
from robust_eval.perturb.external import TEXTATTACK_REMEDY, imported
from robust_eval.preparation import read_data
from robust_eval.presets import Preset
from robust_eval.presets import preset as preset_of
from robust_eval.recipes import parse_shifts
from robust_eval.records import CLEAN, GateResult, Panel, Progress, RunRecord, silent
from robust_eval.run import evaluate as run_once
from robust_eval.settings import Output, Settings, largest

if TYPE_CHECKING:
    import pandas as pd

    from robust_eval.attack.textattack_victim import TextattackVictim

Names = str | Sequence[str]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A finished run: its record, its folder, and its tables as pandas frames."""

    record: RunRecord
    folder: Path

    @property
    def report(self) -> Path:
        """The HTML report: one file that opens offline."""
        return self.folder / "report.html"

    @property
    def gaps(self) -> pd.DataFrame:
        """One row per model, shifted set and metric; estimates as `drop`, `drop_low`, `drop_high`."""
        return _frame(self.record.gaps)

    @property
    def shifts(self) -> pd.DataFrame:
        """One row per shifted set: family, severity, how far it is from the clean set, suspects."""
        import pandas as pd

        rows = []
        for s in self.record.sets:
            row: dict[str, Any] = {"set_key": s.key, "shift": s.shift, "family": s.family}
            row |= {"severity": s.severity, "paired": s.paired, "examples": len(s.examples)}
            row |= {
                "suspects": sum(bool(c.reasons) for c in s.preservation) if s.preservation else None
            }
            rows.append(row | (dataclasses.asdict(s.size) if s.size else {}))
        return pd.DataFrame(rows)

    @property
    def human(self) -> pd.DataFrame:
        """One row per model and judged set (`set_key` None: all together); empty without annotations."""
        return _frame(self.record.human.rows if self.record.human else ())

    @property
    def comparisons(self) -> pd.DataFrame:
        """One row per model, baseline and shift (`set_key` None), or single set."""
        return _frame(self.record.comparisons)

    @property
    def gate(self) -> GateResult | None:
        """What the policy says: `gate.outcome` is pass, fail or inconclusive; None without a policy."""
        return self.record.gate

    @property
    def lines(self) -> pd.DataFrame:
        """One row per set and model against the reference line: effective robustness, or why there is none."""
        import pandas as pd

        return pd.DataFrame(
            [
                {"set_key": line.set_key, "panel": line.panel, "r2": line.r2}
                | _flat(dataclasses.asdict(model))
                for line in self.record.lines
                for model in line.models
            ]
        )

    @property
    def predictions(self) -> pd.DataFrame:
        """One row per model, set and example, with its score for every metric."""
        import pandas as pd

        rows = []
        for (model, key), predictions in self.record.predictions.items():
            metrics = [metric.name for metric in self.record.dataset.task.metrics]
            columns = [self.record.scores[model, key, metric] for metric in metrics]
            for i, prediction in enumerate(predictions):
                row = {"model": model, "set_key": key} | dataclasses.asdict(prediction)
                rows.append(
                    row | {m: column[i] for m, column in zip(metrics, columns, strict=True)}
                )
        return pd.DataFrame(rows)

    @property
    def examples(self) -> pd.DataFrame:
        """One row per set and example: its texts, target, realised dose and label check."""
        import pandas as pd

        rows: list[dict[str, Any]] = []
        clean = self.record.dataset.examples
        sets = ((s.key, s.examples, s.doses, s.preservation) for s in self.record.sets)
        for key, examples, doses, checks in ((CLEAN, clean, (), ()), *sets):
            for i, example in enumerate(examples):
                row: dict[str, Any] = {"set_key": key, "id": example.id}
                row |= {"source_id": example.source_id, "target": example.target, **example.inputs}
                row |= dataclasses.asdict(doses[i]) if doses else {}
                if checks:  # its edit rate leaves out added sentences; the dose's does not
                    row |= {k: v for k, v in dataclasses.asdict(checks[i]).items() if k not in row}
                rows.append(row)
        return pd.DataFrame(rows)


def evaluate(
    model: Names,
    *,
    dataset: str,
    baseline: Names = (),
    shift: Names | None = None,
    out: str | Path | None = None,
    overwrite: bool = False,
    cache_dir: str | Path | None = None,
    offline: bool = False,
    preset: str | None = None,
    policy: Policy | str | Path | None = None,
    panel: Panel | str | Path = "auto",
    max_drop: float | None = None,
    max_relative_drop: float | None = None,
    max_drop_vs_baseline: float | None = None,
    requests: RequestLimits | None = None,
    progress: Progress = silent,
    **settings: Any,
) -> Evaluation:
    """Runs models and baselines on a data set and its shifted versions, as the command line does.

    Further keywords are fields of `Settings`, such as `limit`, `seed`, `shots`, `columns`,
    `label_map` and `ood` (these three as mappings); `train_size` and `shots` may be lists, for curves. `policy` (a file, or a `Policy`) or the three limits ask
    for a gate: its result is `.gate`, nothing is raised when it fails. `panel` is what the reference lines rest on: a
    panel or its file, "off", or "auto" for the embedded one on the same data; the result is `.lines`. `shift` is "noisy"
    unless given. `preset` names the settings of a whole study (`robust_eval.presets.PRESETS`); what is given beside it
    replaces its own.
    `requests` bounds what hosted models are asked. Raises RobustEvalError subclasses.
    """
    study = Preset("none", "") if preset is None else preset_of(preset)
    settings = {**study.settings, **settings}
    shifts = settings.pop("shift", "noisy") if shift is None else shift
    settings.pop("shift", None)
    baselines = _names(baseline) or study.baselines(_names(model))
    checked = _settings(_names(model), baselines, _names(shifts), dataset, settings)
    limits = Limits(max_drop, max_relative_drop, max_drop_vs_baseline)
    if policy is not None and limits != Limits():
        raise UsageError("policy and limits together would be two policies; give one of them")
    asked = read_policy(Path(policy)) if isinstance(policy, str | Path) else policy
    if limits != Limits():
        asked = Policy(everywhere=limits, level=checked.level)
    output = Output(
        folder=None if out is None else str(out),
        overwrite=overwrite,
        cache_dir=None if cache_dir is None else str(cache_dir),
        offline=offline,
        requests=requests or RequestLimits(),
    )
    models = str(panel) if isinstance(panel, Path) else panel
    record, folder = run_once(checked, output, policy=asked, panel=models, progress=progress)
    return Evaluation(record, folder)


def perturb_texts(texts: Sequence[str], shifts: Names, *, seed: int = 0) -> pd.DataFrame:
    """The texts under each shift, without a model: a row for each text and set, sets one after the other, texts in their order.

    Columns: `shift` (such as `char-drops@3`), `text`, `perturbed`, `edit_rate`, `words_added`, `changed`. A text is perturbed
    alike in any order and company; a repeated one differently each time.
    Raises RecipeError for a shift that needs a model, or that nobody knows.
    """
    import pandas as pd

    if isinstance(texts, str):
        raise UsageError("texts must be a list of texts, not one; write [text]")
    sets = perturbed(texts, parse_shifts(_names(shifts), seed=seed))
    rows = [
        {"shift": key, "text": text, "perturbed": new, **dataclasses.asdict(dose)}
        for key, made in sets.items()
        for text, (new, dose) in zip(texts, made, strict=True)
    ]
    return pd.DataFrame(rows)


def textattack_victim(
    model: str,
    *,
    dataset: str,
    cache_dir: str | Path | None = None,
    offline: bool = False,
    requests: RequestLimits | None = None,
    progress: Progress = silent,
    **settings: Any,
) -> TextattackVictim:
    """A model of ours as TextAttack's `ModelWrapper`, fine-tuned on or shown examples of this data set as a run would.

    Give it to a recipe's `build`; its `dataset` holds the test examples as TextAttack's `Dataset`. Further keywords are
    fields of `Settings`. Raises RobustEvalError subclasses; RecipeError where the package textattack is not installed.
    """
    checked = _settings((model,), (), ("noisy",), dataset, settings)
    imported("textattack", TEXTATTACK_REMEDY)
    from robust_eval.attack.textattack_victim import victim_of

    folder = cache_folder(None if cache_dir is None else str(cache_dir))
    splits, _ = read_data(checked, ())
    account = Account(requests or RequestLimits())
    context = model_context(checked, splits, folder, offline, progress, account)
    victim = load_model(model, "model", context)
    return victim_of(victim, splits.test, PredictionCache.open(folder))


def make_panel(
    baseline: Names,
    *,
    dataset: str,
    shift: Names = "domain",
    out: str | Path | None = None,
    more: Panel | str | Path | None = None,
    cache_dir: str | Path | None = None,
    offline: bool = False,
    progress: Progress = silent,
    **settings: Any,
) -> Panel:
    """Baselines measured for a reference line, each at every `train_size` (a list) and of `seeds` seeds.

    `more` is a panel, or its file, whose members come first; `out` is the file to write. Further keywords are fields
    of `Settings`, as for `evaluate`, which takes the result as `panel`. Raises RobustEvalError subclasses.
    """
    known = read_panel(Path(more)) if isinstance(more, str | Path) else more
    made = measured(
        _settings(_names(baseline), (), _names(shift), dataset, settings),
        Output(cache_dir=None if cache_dir is None else str(cache_dir), offline=offline),
        more=known,
        name="" if out is None else default_name(Path(out)),
        progress=progress,
    )
    if out is not None:
        write_panel(Path(out), made)
    return made


def _settings(
    models: tuple[str, ...],
    baselines: tuple[str, ...],
    shifts: tuple[str, ...],
    dataset: str,
    settings: Mapping[str, Any],
) -> Settings:
    """Settings from keywords, checked. Raises UsageError for a keyword that is none, with the nearest one."""
    known = {f.name for f in dataclasses.fields(Settings)} - {"models", "baselines", "shifts"}
    if unknown := sorted(set(settings) - known):
        raise UsageError(f"unknown setting {unknown[0]!r}{did_you_mean(unknown[0], known)}")
    values: dict[str, Any] = {
        name: tuple(value.items()) if isinstance(value, Mapping) else value
        for name, value in settings.items()
    }
    for one, several in (("train_size", "train_sizes"), ("shots", "shot_counts")):
        if isinstance(values.get(one), Sequence):
            numbers = tuple(values[one])
            values |= {one: largest(numbers), several: numbers if len(numbers) > 1 else ()}
    return Settings(models=models, baselines=baselines, shifts=shifts, dataset=dataset, **values)


def _names(names: Names) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def _frame(records: Sequence[Any]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame([_flat(dataclasses.asdict(record)) for record in records])


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """Estimates become three columns: the figure and its bounds."""
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, dict) and "low" in value:
            flat |= {
                name: value["value"],
                f"{name}_low": value["low"],
                f"{name}_high": value["high"],
            }
        else:
            flat[name] = value
    return flat
