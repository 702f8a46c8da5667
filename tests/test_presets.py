"""Presets: settings under a name, from both front ends, with whatever is given by hand before them."""

from __future__ import annotations

from typing import Any

import click
import pytest

from robust_eval import api
from robust_eval.cli.evaluate import settings_of
from robust_eval.cli.root import robust_eval
from robust_eval.errors import UsageError
from robust_eval.presets import PRESETS, describe_presets, preset
from robust_eval.settings import Settings

MODEL = "demo:gemma-3-270m"


def from_command_line(*words: str) -> Settings:
    with robust_eval.make_context("robust-eval", list(words)) as ctx:
        return settings_of(ctx.params)[0]


def from_python(monkeypatch: pytest.MonkeyPatch, **given: Any) -> Settings:
    asked: list[Settings] = []

    def run_once(settings: Settings, *_: Any, **__: Any) -> Any:
        asked.append(settings)
        return None, None

    monkeypatch.setattr(api, "run_once", run_once)
    api.evaluate(MODEL, dataset="demo:rotten-tomatoes", **given)
    return asked[0]


def test_the_head_to_head_pits_a_model_against_itself_fine_tuned() -> None:
    settings = from_command_line("--preset", "head-to-head", "--model", MODEL, "--dataset", "d.csv")
    assert settings.baselines == (f"lora:{MODEL}", f"full:{MODEL}")
    assert (settings.shot_counts, settings.shots) == ((0, 4, 16), 16)
    assert (settings.train_sizes, settings.train_size) == ((16, 128, None), None)
    assert (settings.draws, settings.seeds, settings.equal_budgets) == (3, 3, True)
    assert settings.shifts == ("mixed-noise@3", "domain")


def test_options_replace_those_of_the_preset_wherever_they_stand() -> None:
    settings = from_command_line(
        *("--seeds", "5", "--preset", "head-to-head", "--model", MODEL, "--dataset", "d.csv"),
        *("--shots", "16", "--train-size", "16,256", "--shift", "noisy", "--baseline", "bow"),
    )
    assert settings.baselines == ("bow",)
    assert (settings.seeds, settings.draws) == (5, 3)
    assert (settings.shots, settings.shot_counts) == (16, ())
    assert (settings.train_sizes, settings.shifts) == ((16, 256), ("noisy",))


@pytest.mark.parametrize("name", PRESETS)
def test_both_front_ends_mean_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("--preset", name, "--model", MODEL, "--dataset", "demo:rotten-tomatoes")
    assert from_python(monkeypatch, preset=name) == from_command_line(*words)
    assert from_python(monkeypatch, preset=name, shots=4, shift="noisy") == from_command_line(
        *words, "--shots", "4", "--shift", "noisy"
    )


@pytest.mark.parametrize("name", PRESETS)
def test_the_options_that_the_list_shows_are_those_that_the_preset_sets(name: str) -> None:
    (shown,) = [row[2] for row in describe_presets() if row[0] == name]
    plain = ("--model", MODEL, "--dataset", "d.csv")
    by_hand = from_command_line(*plain, *shown.replace(":MODEL", f":{MODEL}").split())
    assert by_hand == from_command_line("--preset", name, *plain)


def test_without_a_preset_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = from_command_line("--model", MODEL, "--dataset", "demo:rotten-tomatoes")
    assert plain == from_python(monkeypatch) == Settings(models=(MODEL,), dataset=plain.dataset)


def test_what_cannot_be_is_refused_with_the_remedy() -> None:
    with pytest.raises(UsageError, match="did you mean 'head-to-head'"):
        preset("head-2-head")
    with pytest.raises(UsageError, match="did you mean 'head-to-head'"):
        from_command_line("--preset", "headtohead", "--model", MODEL, "--dataset", "d.csv")
    with pytest.raises(UsageError, match="'openai:gpt' is no local language model"):
        from_command_line("--preset", "head-to-head", "--model", "openai:gpt", "--dataset", "d.csv")


def test_a_subcommand_takes_the_preset_after_its_name() -> None:
    plan = robust_eval.commands["plan"]
    assert any(isinstance(p, click.Option) and p.name == "preset" for p in plan.params)
