"""Panel files: read back as written, hostile ones refused in one line, embedded ones sound."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from robust_eval.errors import DataError, UsageError
from robust_eval.panels import choose_panel, embedded_names, read_embedded, read_panel, write_panel
from robust_eval.records import Panel, PanelMaking, PanelMember, PanelScore, PanelSet
from robust_eval.score import panel_line
from robust_eval.stats import line


def a_panel() -> Panel:
    members = tuple(
        PanelMember(
            f"bow {i} \u202e<b>", "bow", "floor", 32, i, None, f"{i}", PanelScore(10, i / 10),
            {"imdb": PanelScore(10, i / 10)},
        )
        for i in range(9)
    )  # fmt: skip
    return Panel(
        1, "mine", "classification", ("a", "b"), "accuracy", PanelSet("d", "f", "p", "clean", 10),
        (PanelSet("imdb", "r", "p", "domain", 10),), members,
        (PanelMaking("robust-eval panel FILE", {"limit": 10, "models": ["bow"]}, {"python": "3"}),),
    )  # fmt: skip


def test_a_panel_comes_back_as_it_was_written_with_a_line_a_member(tmp_path: Path) -> None:
    path = tmp_path / "panel.json"
    write_panel(path, a_panel())
    assert read_panel(path) == a_panel()
    lines = path.read_text(encoding="utf-8").splitlines()
    assert sum('"fingerprint"' in row for row in lines) == 9


def changed(**changes: Any) -> Any:
    def make(data: dict[str, Any]) -> None:
        data.update(changes)

    return make


def twice(data: dict[str, Any]) -> None:
    data["members"][1]["name"] = data["members"][0]["name"]


def scored(value: Any, n: Any = 10) -> Any:
    def make(data: dict[str, Any]) -> None:
        data["members"][0]["clean"] = {"n": n, "score": value}

    return make


def elsewhere(data: dict[str, Any]) -> None:
    data["members"][0]["shifted"] = {"other": {"n": 10, "score": 0.5}}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (changed(format=2), "panel format 2"),
        (changed(members=3), "should be a list"),
        (changed(surprise=1), "unknown key 'surprise'"),
        (twice, "two members named"),
        (scored(1.5), "1.5 on 10"),
        (scored(float("nan")), "nan on 10"),
        (scored(0.5, 0), "0.5 on 0"),
        (scored("high"), "should be a number"),
        (elsewhere, "has scores on other"),
    ],
)
def test_a_file_that_does_not_hang_together_is_refused_in_one_line(
    tmp_path: Path, change: Any, said: str
) -> None:
    path = tmp_path / "panel.json"
    write_panel(path, a_panel())
    data = json.loads(path.read_text(encoding="utf-8"))
    change(data)
    path.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(DataError, match=said) as refused:
        read_panel(path)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("content", ["", "[]", "{}", "null", "[" * 100_000, '{"members": '])
def test_what_is_no_panel_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "panel.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=r"panel\.json"):
        read_panel(path)


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="robust-eval panel FILE"):
        choose_panel(str(tmp_path / "none.json"))
    with pytest.raises(UsageError, match="no embedded panel"):
        read_embedded("../files")
    assert choose_panel("off") is None


def test_embedded_panels_give_a_line_and_say_how_they_were_made() -> None:
    assert "rotten-tomatoes-imdb" in embedded_names()
    for name in embedded_names():
        panel = read_embedded(name)
        assert panel.name == name
        assert len(panel.members) >= line.FEWEST
        assert all(isinstance(panel_line(panel, s.key), line.Line) for s in panel.shifts)
        assert panel.made
        assert all(m.command.startswith("robust-eval panel") and m.versions for m in panel.made)
