"""What every test gets: no model hub, and a cache folder that is not the user's."""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from robust_eval import score
from robust_eval.records import (
    CLEAN,
    TASKS,
    Comparison,
    Dataset,
    Dose,
    Example,
    Gap,
    ModelCard,
    Prediction,
    RunRecord,
    ShiftedSet,
    Status,
    TaskKind,
)

# Before any test module imports a library that reads them.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

# A shell's background job ignores Ctrl-C and hands that on: the tests that send it would test nothing.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

MODELS = Path(__file__).parent / "models"


def _shared(name: str) -> None:
    """Makes a module of this folder importable by tests, which are no package."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)


_shared("servers")
_shared("hosted_runs")


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What touches models is tested on both majors of transformers, without anybody's remembering it."""
    for item in items:
        if item.path.is_relative_to(MODELS):
            item.add_marker("transformers")


@pytest.fixture(scope="session", autouse=True)
def cache_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Predictions and checkpoints of a test run never mix with the user's."""
    folder = tmp_path_factory.mktemp("robust-eval-cache")
    os.environ["ROBUST_EVAL_CACHE"] = str(folder)
    return folder


Answers = Mapping[tuple[str, str], str]
"""(model, set key) -> one letter an example: + right, - wrong, f failed, u unparsed, r refused, t truncated."""

STATUSES = {"f": Status.FAILED, "u": Status.UNPARSED, "r": Status.REFUSED, "t": Status.TRUNCATED}


@dataclass(frozen=True)
class InventedRun:
    """A classification run with labels a and b in turn, and everything scored."""

    dataset: Dataset
    sets: tuple[ShiftedSet, ...]
    models: tuple[ModelCard, ...]
    predictions: dict[tuple[str, str], tuple[Prediction, ...]]

    def scores(self):
        return score.score_all(self.dataset, self.sets, self.predictions)

    def record(self) -> RunRecord:
        """As a run leaves it, without figures."""
        return RunRecord(
            1, {}, self.dataset, {}, self.sets, self.models, self.predictions, self.scores(),
            (), (), {}, (), {}, {},
        )  # fmt: skip

    def gaps(self, level: float = 0.95) -> tuple[Gap, ...]:
        arguments = (self.dataset, self.sets, self.models, self.predictions, self.scores())
        return score.gaps(*arguments, level=level)

    def comparisons(self, level: float = 0.95) -> tuple[Comparison, ...]:
        arguments = (self.dataset, self.sets, self.models, self.predictions, self.scores())
        return score.comparisons(*arguments, level=level)

    def shuffled(self, order: Sequence[int]) -> InventedRun:
        """The same run with clean and paired examples in another order."""
        keys = {CLEAN, *(s.key for s in self.sets if s.paired)}
        return InventedRun(
            replace(self.dataset, examples=tuple(self.dataset.examples[i] for i in order)),
            tuple(
                replace(
                    s,
                    examples=tuple(s.examples[i] for i in order),
                    doses=tuple(s.doses[i] for i in order),
                )
                if s.paired
                else s
                for s in self.sets
            ),
            self.models,
            {
                (m, k): tuple(row[i] for i in order) if k in keys else row
                for (m, k), row in self.predictions.items()
            },
        )


def invent(
    answers: Answers,
    *,
    unpaired: Sequence[str] = (),
    unchanged: Sequence[int] = (),
    clusters: Sequence[str] | None = None,
    targets: str | None = None,
    cut: Sequence[tuple[str, str]] = (),
) -> InventedRun:
    """A run from letters. Models whose name starts with "b" are baselines; "shift@2" is of "shift"."""
    models = list(dict.fromkeys(model for model, _ in answers))
    keys = list(dict.fromkeys(key for _, key in answers if key != CLEAN))

    def examples(key: str) -> tuple[Example, ...]:
        n = len(answers[models[0], key])
        prefix = f"{key}-" if key in unpaired else ""
        return tuple(
            Example(
                f"{prefix}e{i:04}",
                {"text": f"text {i}"},
                targets[i] if targets else "ab"[i % 2],
                f"{prefix}{clusters[i] if clusters else f'e{i:04}'}",
            )
            for i in range(n)
        )

    clean = examples(CLEAN)
    sets = tuple(
        ShiftedSet(
            "domain" if key in unpaired else "noise",
            key.partition("@")[0],
            key,
            int(key.partition("@")[2]) if "@" in key else None,
            0,
            key not in unpaired,
            shifted := examples(key),
            ()
            if key in unpaired
            else tuple(Dose(0.1, 0, i not in unchanged) for i in range(len(shifted))),
        )
        for key in keys
    )
    by_key = {CLEAN: clean, **{s.key: s.examples for s in sets}}
    predictions = {
        (model, key): tuple(
            Prediction(
                example.id,
                label=example.target if letter == "+" else "wrong" if letter == "-" else None,
                status=STATUSES.get(letter, Status.OK),
                input_truncated=(model, key) in cut,
            )
            for letter, example in zip(letters, by_key[key], strict=True)
        )
        for (model, key), letters in answers.items()
    }
    cards = tuple(
        ModelCard(m, m, "baseline" if m.startswith("b") else "model", "scripted", m, True)
        for m in models
    )
    task = TASKS[TaskKind.CLASSIFICATION]
    dataset = Dataset("invented", task, ("a", "b"), clean, "0", "0")
    return InventedRun(dataset, sets, cards, predictions)


@pytest.fixture(scope="session")
def invented_run() -> Callable[..., InventedRun]:
    """The builder of invented runs."""
    return invent
