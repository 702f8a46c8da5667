"""What a record says of its own run, beside the figures."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from robust_eval.models.groups import Group
from robust_eval.recording import _read_before, _said_by_cards
from robust_eval.records import Example, ModelCard, ShiftedSet


def examples(prefix: str, count: int) -> tuple[Example, ...]:
    return tuple(
        Example(f"{prefix}{i}", {"text": f"{prefix} {i}"}, "x", f"{prefix}{i}")
        for i in range(count)
    )


class Reader:
    """Has read every text of a kind."""

    def __init__(self, known: str) -> None:
        self._known = known
        self.card = ModelCard("reader", "reader", "baseline", "fine-tuned", "0", True)

    def jobs(self, asked: Sequence[Example]) -> Any:
        return iter(())

    def read_before(self, asked: Sequence[Example]) -> int:
        return sum(e.inputs["text"].startswith(self._known) for e in asked)


class Other:
    card = ModelCard("other", "other", "model", "prompted", "0", True)


def lines(known: str) -> list[str]:
    clean = examples("clean", 3)
    sets = (
        ShiftedSet("noise", "typos", "typos@1", 1, 0, True, clean),
        ShiftedSet("domain", "far", "far", None, 0, False, (*examples("far", 2), *clean[:1])),
    )
    ready: Any = SimpleNamespace(
        splits=SimpleNamespace(test=SimpleNamespace(examples=clean)),
        groups=(Group("other", (Other(),)), Group("reader", (Reader(known),))),  # type: ignore[arg-type]
    )
    return _read_before(ready, sets)


def test_a_test_on_texts_that_a_base_has_read_is_told_set_by_set() -> None:
    clean, far = lines("clean")
    assert clean.startswith("reader: its base has read 3 of the 3 texts of 'clean' before")
    assert "1 of the 3 texts of 'far'" in far
    (far,) = lines("far")
    assert "2 of the 3 texts of 'far'" in far
    assert lines("nothing") == []


def card(name: str, *warnings: str, members: tuple[str, ...] = ()) -> ModelCard:
    return ModelCard(
        name,
        name,
        "baseline",
        "fine-tuned",
        "0",
        True,
        details={"warnings": warnings},
        members=members,
    )


def test_what_every_seed_of_a_group_says_stands_once_under_the_groups_name() -> None:
    group = card("lora", members=("lora, seed 0", "lora, seed 1"))
    members = (
        card("lora, seed 0", "no held-out part", "poor"),
        card("lora, seed 1", "no held-out part"),
    )
    assert _said_by_cards((card("bow", "small"), group), members) == [
        "bow: small",
        "lora: no held-out part",
        "lora, seed 0: poor",
    ]
