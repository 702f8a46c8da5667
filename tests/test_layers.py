"""Imports point one way: the order is the one that docs/architecture.md draws."""

from __future__ import annotations

import ast
import itertools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "robust_eval"

# Lower first; those of one line do not import one another.
ORDER = (
    ("measures",),
    ("figures", "line_figures", "tasks"),
    ("records", "errors"),
    ("rng", "files", "decode"),
    ("stats",),
    ("data",),
    ("perturb",),
    ("models",),
    ("validity", "rewriting"),
    ("recipe_values", "recipe_files"),
    ("attack",),
    ("recipes",),
    ("build",),
    ("score",),
    ("gate", "panels"),
    ("store",),
    ("report",),
    ("audit",),
    ("settings", "estimate", "presets"),
    ("contenders",),
    ("preparation",),
    ("recording",),
    ("run", "plan", "gallery", "panel_making"),
    ("api", "doctor"),
    ("cli", "pytest_plugin"),
    ("__main__",),
)
LEVEL = {name: level for level, names in enumerate(ORDER) for name in names}
HEAVY = {"torch", "transformers", "pandas", "numpy", "datasets", "scipy", "sklearn", "pyarrow"}


def layer_files() -> list[tuple[str, Path]]:
    """(layer, file) of every module; the package's own `__init__` belongs to no layer."""
    return [
        (path.relative_to(PACKAGE).parts[0].removesuffix(".py"), path)
        for path in sorted(PACKAGE.rglob("*.py"))
        if path != PACKAGE / "__init__.py"
    ]


def imported_layers(path: Path) -> Iterator[tuple[int, str]]:
    """(line, layer) of every import of the package's own, those inside functions included."""
    package = ("robust_eval", *path.relative_to(PACKAGE).parts[:-1])
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*base, node.module or "")).rstrip(".")
            # `from robust_eval import store` names a module, `... import __version__` does not.
            names = [f"{module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            parts = name.split(".")
            if parts[0] != "robust_eval" or len(parts) < 2 or parts[1] == "__version__":
                continue
            yield node.lineno, parts[1]


def test_every_module_has_a_place_in_the_order() -> None:
    assert {layer for layer, _ in layer_files()} <= set(LEVEL)


@pytest.mark.parametrize("layer", sorted({layer for layer, _ in layer_files()}))
def test_no_import_points_back(layer: str) -> None:
    back = [
        f"{path.relative_to(ROOT)}:{line} imports {target}"
        for owner, path in layer_files()
        if owner == layer
        for line, target in imported_layers(path)
        if target != layer and LEVEL.get(target, len(ORDER)) >= LEVEL.get(layer, 0)
    ]
    assert not back, "\n".join(back)


def test_the_report_is_rendered_from_the_record_alone() -> None:
    targets = {
        target
        for layer, path in layer_files()
        if layer == "report"
        for _, target in imported_layers(path)
    }
    assert targets <= {"report", "records", "errors"}


def test_the_walk_sees_every_form_of_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    path = folder / "made_up.py"
    path.write_text(
        "import robust_eval.cli\n"
        "from robust_eval import store, __version__\n"
        "from robust_eval.run import evaluate\n"
        "from .. import score\n"
        "from ..report.text import escape\n"
        "from . import context\n"
        "import numpy\n"
        "def late():\n"
        "    from robust_eval.build import build_sets\n"
    )
    monkeypatch.setattr(sys.modules[__name__], "PACKAGE", tmp_path)
    assert [target for _, target in sorted(imported_layers(path))] == [
        "cli",
        "store",
        "run",
        "score",
        "report",
        "models",
        "build",
    ]


def test_the_architecture_page_names_every_layer() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    drawn = next(
        block for block in page.split("\n\n") if "records, errors" in block and "<-" in block
    )
    named = [[name.strip() for name in level.split(",")] for level in drawn.split("<-")]
    place = {name: level for level, names in enumerate(named) for name in names}
    shared = [name for names in ORDER for name in names if name in place]
    assert len(shared) >= 13
    for lower, higher in itertools.pairwise(shared):
        assert place[lower] <= place[higher], f"{lower} stands after {higher} in the drawing"


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["perturb", "--help"], ["lst"]])
def test_the_command_line_answers_without_a_heavy_import(arguments: list[str]) -> None:
    code = (
        "import sys; from robust_eval.cli.entry import run_command; "
        f"run_command({arguments!r}); print('loaded:', *sorted(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    loaded = done.stdout.rpartition("loaded:")[2].split()
    assert "robust_eval.cli.root" in loaded
    assert not HEAVY & set(loaded)
