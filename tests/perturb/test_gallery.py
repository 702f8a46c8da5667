"""The page of perturbations says what the code does."""

from __future__ import annotations

from pathlib import Path

from robust_eval.perturb import REGISTRY
from robust_eval.perturb.gallery import main, page

PAGE = Path(__file__).parents[2] / "docs" / "perturbations.md"


def test_the_committed_page_is_up_to_date() -> None:
    remedy = "make pages"
    assert PAGE.read_text("utf-8") == page(), remedy


def test_every_perturbation_has_a_section() -> None:
    text = page()
    for name in REGISTRY:
        assert f"\n### {name}\n" in text


def test_the_command_writes_the_page(tmp_path: Path) -> None:
    assert main([str(tmp_path / "page.md")]) == 0
    assert (tmp_path / "page.md").read_text("utf-8") == page()
