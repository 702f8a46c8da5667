"""Presets: the settings of a whole study under one name. What is given beside the name replaces them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from robust_eval.errors import UsageError, did_you_mean

TRAINABLE: Final = ("hf:", "gguf:", "demo:")


@dataclass(frozen=True, slots=True)
class Preset:
    """Settings by the names that `robust_eval.evaluate` gives them.

    `methods` are those by which every model is also fine-tuned, where no baseline is named.
    """

    name: str
    summary: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    methods: tuple[str, ...] = ()

    def baselines(self, models: Sequence[str]) -> tuple[str, ...]:
        """Each model fine-tuned by each method. Raises UsageError for one without weights here."""
        for model in models:
            if self.methods and not model.startswith(TRAINABLE):
                raise UsageError(
                    f"preset {self.name!r} fine-tunes the very model that is prompted, and {model!r} is "
                    "no local language model; give one (hf:, gguf: or demo:), or name a --baseline"
                )
        return tuple(f"{method}:{model}" for model in models for method in self.methods)

    def options(self) -> dict[str, Any]:
        """The settings as the command line writes them, by the names of its parameters."""
        named = {"train_size": "train_sizes", "shots": "shot_counts", "shift": "shifts"}
        return {named.get(name, name): _written(name, v) for name, v in self.settings.items()}


PRESETS: Final = {
    preset.name: preset
    for preset in (
        Preset(
            "head-to-head",
            "prompting against fine-tuning of the same weights: 0, 4 and 16 demonstrations, LoRA and all weights on "
            "16, 128 and all training examples, 3 draws and 3 seeds, equal budgets, noise and domain shift",
            {
                "shots": (0, 4, 16),
                "train_size": (16, 128, None),
                "draws": 3,
                "seeds": 3,
                "equal_budgets": True,
                "shift": ("mixed-noise@3", "domain"),
            },
            ("lora", "full"),
        ),
    )
}


def preset(name: str) -> Preset:
    """Raises UsageError for an unknown name."""
    if name not in PRESETS:
        raise UsageError(f"unknown preset {name!r}{did_you_mean(name, PRESETS)}")
    return PRESETS[name]


def describe_presets() -> list[tuple[str, ...]]:
    """Rows for `robust-eval list presets`: the name, what it is, and the options that it stands for."""
    return [(p.name, p.summary, _command(p)) for p in PRESETS.values()]


def _command(of: Preset) -> str:
    words = []
    for name, value in of.settings.items():
        option = f"--{name.replace('_', '-')}"
        if value is True:
            words.append(option)
        elif name == "shift":
            words += [f"{option} {shift}" for shift in value]
        else:
            words.append(f"{option} {_written(name, value)}")
    words += [f"--baseline {method}:MODEL" for method in of.methods]
    return " ".join(words)


def _written(name: str, value: Any) -> Any:
    if name == "shift" or isinstance(value, bool):
        return value
    if isinstance(value, tuple):
        return ",".join("all" if part is None else str(part) for part in value)
    return str(value)
