"""Settings: checked once, hashed, and read back from a run folder."""

from __future__ import annotations

import dataclasses
import json

import pytest

from robust_eval.errors import UsageError
from robust_eval.settings import Settings, pairs


def settings_of(**changes: object) -> Settings:
    return Settings(**{"models": ("scripted:oracle",), "dataset": "demo:rotten-tomatoes"} | changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"models": ()}, "no model"),
        ({"dataset": " "}, "no data set"),
        ({"shifts": ()}, "no shift"),
        ({"models": ("a", "a")}, "'a' is given twice"),
        ({"baselines": ("scripted:oracle",)}, "both a model and a baseline"),
        ({"task": "clasification"}, "did you mean 'classification'?"),
        ({"scoring": "label"}, "did you mean 'labels'?"),
        ({"base_url": "127.0.0.1:8080"}, "no http or https address"),
        ({"endpoint": "chats"}, "did you mean 'chat'?"),
        ({"dtype": "fp32"}, "unknown dtype 'fp32'"),
        ({"limit": 0}, "--limit must be at least 1, not 0"),
        ({"shots": -1}, "--shots must be at least 0"),
        ({"level": 95.0}, "--level is a share"),
        ({"learning_rate": float("nan")}, "--learning-rate"),
        ({"seeds": 0}, "--seeds must be at least 1"),
        ({"train_sizes": (10, None)}, "--train-size 2000 is not the largest of 10, all"),
        ({"shots": 4, "shot_counts": (4, 4)}, "--shots names a number twice"),
        ({"layer_decay": 0.0}, "--layer-decay must be over 0"),
        ({"prompting": "chain"}, "unknown --prompting 'chain'"),
        ({"select": "simlar"}, "did you mean 'similar'?"),
        ({"temperature": float("inf")}, "--temperature must be from 0 to 10"),
        ({"samples": 101}, "--samples must be at most 100"),
        ({"truncation": "tial"}, "did you mean 'tail'?"),
        ({"class_weights": "yes"}, "unknown --class-weights 'yes'"),
    ],
)
def test_wrong_settings_name_the_option_the_value_and_the_remedy(changes: dict, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        settings_of(**changes)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_settings_survive_json_and_keep_their_signature() -> None:
    settings = settings_of(ood=(("imdb", "x=y,z.csv"),), label_map=(("0", "negative"),))
    again = Settings.from_dict(json.loads(json.dumps(settings.as_dict())))
    assert again == settings
    assert again.signature() == settings.signature()


@pytest.mark.parametrize("field", [f.name for f in dataclasses.fields(Settings)])
def test_every_field_is_part_of_the_signature(field: str) -> None:
    changed = {
        "task": "pair", "scoring": "generate", "dtype": "float32", "endpoint": "completions", "base_url": "http://127.0.0.1:1", "level": 0.9, "learning_rate": 1e-3,
        "length_normalised": True, "calibrate": True, "limit": None, "epochs": 4, "train_batch_size": 4,
        "prompting": "cot", "select": "random", "vote": "complexity", "temperature": 0.7, "prompt_source": "target", "chat": "off",
        "truncation": "tail", "layer_decay": 0.5, "class_weights": "off", "mixed_precision": "on",
        "gradient_checkpointing": "off", "validity": "words", "train_sizes": (10, 2000), "shot_counts": (0, 4),
    }.get(field)  # fmt: skip
    if field not in ("limit",) and changed is None:
        current = getattr(settings_of(), field)
        if isinstance(current, tuple):
            changed = (
                (("a", "b"),)
                if field in ("ood", "columns", "label_map", "label_words")
                else ("other",)
            )
        elif isinstance(current, int):
            changed = current + 9
        else:
            changed = 64 if field == "batch_size" else "other"
    assert settings_of(**{field: changed}).signature() != settings_of().signature()


def test_unknown_keys_of_a_run_folder_are_refused() -> None:
    with pytest.raises(UsageError, match="did you mean 'shots'"):
        Settings.from_dict({"models": ["a"], "dataset": "d", "shotz": 3})


def test_the_default_name_is_safe_as_a_folder_name() -> None:
    name = settings_of(dataset="../../etc/pass wd", models=("hf:a/b",)).default_name()
    assert "/" not in name
    assert not name.startswith(".")
    assert ".." not in name.split("-")


def test_pairs_split_on_commas_only_where_asked() -> None:
    assert pairs("--label-map", ("0=neg,1=pos",)) == (("0", "neg"), ("1", "pos"))
    assert pairs("--ood", ("x=a,b=c.csv",), commas=False) == (("x", "a,b=c.csv"),)
    with pytest.raises(UsageError, match="takes name=value, not 'neg'"):
        pairs("--label-map", ("neg",))
    with pytest.raises(UsageError, match="names 'a' twice"):
        pairs("--label-map", ("a=1,a=2",))
