"""Policy files and limits of the command line: what they may say, and what is refused with which words."""

from __future__ import annotations

from pathlib import Path

import pytest

from robust_eval.errors import UsageError
from robust_eval.gate import Limits, Policy, limits_from_options, read_policy

WHOLE = """
name = "release"
level = 0.9
minimum_n = 200
required = ["imdb"]
[limits]
max_drop = 0.05
max_drop_vs_baseline = 0
[family.noise]
max_drop = 0.08
[shift.keyboard-typos]
max_drop = 0.03
[shift."mixed-noise@5"]
max_relative_drop = 0.2
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "policy.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_nearest_limit_of_each_kind_counts(tmp_path: Path) -> None:
    policy = read_policy(written(tmp_path, WHOLE))
    assert (policy.name, policy.level, policy.minimum_n) == ("release", 0.9, 200)
    assert policy.limit("max-drop", "keyboard-typos", "noise") == 0.03
    assert policy.limit("max-drop", "ocr-confusions", "noise") == 0.08
    assert policy.limit("max-drop", "imdb", "domain") == 0.05
    assert policy.limit("max-drop-vs-baseline", "keyboard-typos", "noise") == 0
    assert policy.limit("max-relative-drop", "imdb", "domain") is None
    assert policy.named() == ("imdb", "keyboard-typos", "mixed-noise@5")


def test_options_give_the_policy_that_a_file_would() -> None:
    policy = limits_from_options(
        {"max-drop": ("0.05", "family:noise=0.08", "imdb=0.1"), "max-relative-drop": ("imdb=0.2",)},
        level=0.95,
    )
    assert policy.everywhere == Limits(max_drop=0.05)
    assert policy.families == (("noise", Limits(max_drop=0.08)),)
    assert policy.shifts == (("imdb", Limits(max_drop=0.1, max_relative_drop=0.2)),)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[limits]\nmax_drp = 0.1", "did you mean 'max_drop'"),
        ("[limit]\nmax_drop = 0.1", "did you mean 'limits'"),
        ("[limits]\nmax_drop = 5", "write 0.05 for 5 points"),
        ("[limits]\nmax_drop = -0.1", "from 0 to under 1"),
        ("[limits]\nmax_drop = nan", "must be a number"),
        ("[limits]\nmax_drop = true", "must be a number"),
        ('[limits]\nmax_drop = "0.1"', "must be a number"),
        ("limits = 3", "a table of limits"),
        ("[family.nose]\nmax_drop = 0.1", "did you mean 'noise'"),
        ("minimum_n = 10", "no limit to judge by"),
        ("minimum_n = 1.5\n[limits]\nmax_drop = 0.1", "a whole number"),
        ("minimum_n = -1\n[limits]\nmax_drop = 0.1", "at least 0"),
        ("level = 95\n[limits]\nmax_drop = 0.1", "a share such as 0.95"),
        ('required = "imdb"\n[limits]\nmax_drop = 0.1', "a list of shifts"),
        ("name = 3\n[limits]\nmax_drop = 0.1", "must be a text"),
        ("[limits", "not valid TOML"),
        ("x = [" * 2000, "not valid TOML"),
        ("[limits]\nmax_drop = 0.1\n#" + "x" * 300_000, "larger than"),
    ],
)
def test_a_wrong_policy_is_one_line_with_the_value(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        read_policy(written(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no policy file"):
        read_policy(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="not valid TOML"):
        read_policy(tmp_path / "bad.toml")


@pytest.mark.parametrize(
    ("value", "said"),
    [("five", "a share such as"), ("=0.1", "NAME=SHARE"), ("5", "write 0.05"), ("nan", "from 0")],
)
def test_wrong_limits_on_the_command_line_are_refused(value: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        limits_from_options({"max-drop": (value,)}, level=0.95)


def test_two_limits_for_one_place_are_refused() -> None:
    with pytest.raises(UsageError, match="two limits"):
        limits_from_options({"max-drop": ("0.1", "0.2")}, level=0.95)


def test_a_policy_without_limits_is_refused() -> None:
    with pytest.raises(UsageError, match="no limit"):
        Policy()
