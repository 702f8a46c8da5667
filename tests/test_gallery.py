"""The page of perturbations at work is up to date, shows every perturbation, and holds against hostile texts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from robust_eval.cli.entry import run_command
from robust_eval.errors import DataError, RecipeError
from robust_eval.gallery import MOST_BYTES, MOST_TEXTS, gallery, read_texts
from robust_eval.perturb import REGISTRY

PAGE = Path(__file__).parents[1] / "docs" / "perturbations.html"


def shown(page: str) -> str:
    """What the page says; the style of all pages may move on without it."""
    return page[page.index("<body>") :]


def test_the_committed_page_is_up_to_date() -> None:
    assert shown(PAGE.read_text("utf-8")) == shown(gallery()), "make pages"


def test_every_perturbation_is_shown_at_work_at_every_severity() -> None:
    sections = re.split(r'<h3 id="([^"]+)">', gallery())
    found = dict(zip(sections[1::2], sections[2::2], strict=True))
    assert set(found) == set(REGISTRY)
    for name, section in found.items():
        assert all(f"severity {s}, " in section for s in range(1, 6)), name


def test_own_texts_and_chosen_perturbations(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = tmp_path / "texts.txt"
    texts.write_text(
        "\ufeffThe <script>alert(1)</script> plot \u202e was thin.\n\n  Second text. \n", "utf-8"
    )
    out = tmp_path / "page.html"
    code = run_command(["gallery", "upper-case", "--texts", str(texts), "--out", str(out)])
    assert code == 0
    page = out.read_text("utf-8")
    assert page.count("<h3 id=") == 1
    assert "<script" not in page
    assert "\u202e" not in page
    assert "Second" in page
    assert str(out) in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["upper-csae"], "did you mean 'upper-case'"),
        (["--texts", "nothing.txt"], "cannot read nothing.txt"),
        (["--out", "kept.html"], "--overwrite"),
    ],
)
def test_mistakes_end_in_one_line(
    arguments: list[str],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("kept.html").write_text("mine", "utf-8")
    assert run_command(["gallery", "--out", "page.html", *arguments]) == 2
    error = capsys.readouterr().err.strip()
    assert says in error
    assert "\n" not in error
    assert Path("kept.html").read_text("utf-8") == "mine"
    assert not Path("page.html").exists()


def test_files_that_are_no_texts(tmp_path: Path) -> None:
    path = tmp_path / "texts.txt"
    for content, says in (
        (b"\xff\xfe\x00", "not UTF-8"),
        (b" \n\n", "holds no text"),
        (b"a\n" * (MOST_TEXTS + 1), "at most"),
        (b"a" * (MOST_BYTES + 1), "bytes"),
    ):
        path.write_bytes(content)
        with pytest.raises(DataError, match=says):
            read_texts(path)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(RecipeError, match="no native perturbation 'nothing'"):
        gallery(["nothing"])
