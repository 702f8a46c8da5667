"""Prices from a dated table: the one that comes with the package, or the user's own."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any

from robust_eval.errors import UsageError, did_you_mean
from robust_eval.models.account import Price

MAX_BYTES = 1024**2
_TOP = {"date", "source", "models"}
_PRICE = {"prompt", "completion"}


def price_of(model: str, table: str | None, *, at_openai: bool) -> Price | None:
    """The model's price by the user's table, else by the built-in one, which holds at OpenAI only."""
    if table is not None and (price := read_prices(Path(table)).get(model)):
        return price
    return built_in().get(model) if at_openai else None


def built_in() -> dict[str, Price]:
    """Prices by model name at the provider's own address; they hold there only."""
    text = (files("robust_eval.models.api") / "prices.toml").read_text("utf-8")
    return _prices(tomllib.loads(text), "prices.toml")


def read_prices(path: Path) -> dict[str, Price]:
    """Prices by model name from a TOML file. Raises UsageError for what is not such a table."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise UsageError(f"--prices {path} is over 1 MiB; is it the right file?")
        table = tomllib.loads(raw.decode("utf-8"))
    except OSError as error:
        raise UsageError(
            f"--prices {path} cannot be read: {error.strerror or error}; check the path"
        ) from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"--prices {path} is not valid TOML: {error}") from error
    return _prices(table, str(path))


def _prices(table: Mapping[str, Any], where: str) -> dict[str, Price]:
    _known(table, _TOP, where)
    day = table.get("date")
    if not isinstance(day, date):
        raise UsageError(f"{where} has no date; write for instance: date = 2026-11-01")
    models = table.get("models")
    if not isinstance(models, dict) or not models:
        raise UsageError(f'{where} has no prices; write for instance: [models."my-model"]')
    prices = {}
    for name, row in models.items():
        if not isinstance(row, dict):
            raise UsageError(f"{where}: {name!r} needs prompt and completion, in dollars")
        _known(row, _PRICE, f"{where}, {name!r}")
        for key in sorted(_PRICE):
            value = row.get(key)
            if (
                isinstance(value, bool)
                or not isinstance(value, int | float)
                or not (math.isfinite(value) and value >= 0)
            ):
                raise UsageError(
                    f"{where}: {key} of {name!r} must be dollars per million tokens, not {value!r}"
                )
        prices[name] = Price(float(row["prompt"]), float(row["completion"]), day.isoformat())
    return prices


def _known(table: Mapping[str, Any], keys: set[str], where: str) -> None:
    if wrong := sorted(set(table) - keys):
        raise UsageError(f"unknown key {wrong[0]!r} in {where}{did_you_mean(wrong[0], keys)}")
