"""The wheel is whole: it runs from another folder, in an environment without the checkout."""

from __future__ import annotations

import ast
import csv
import importlib.metadata
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PROJECT_VERSION = importlib.metadata.version("robust-eval")
DATA_SUFFIXES = {".toml", ".tsv", ".txt", ".j2", ".css", ".js", ".json", ".html", ".svg", ".typed"}


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[\s<>=!~;\[]", name)[0]).lower()


# --- what is declared ----------------------------------------------------------------------------


def imported_distributions(folder: Path, own: set[str]) -> dict[str, set[str]]:
    """Each third-party module that the folder imports, with the distributions that provide it."""
    provides = importlib.metadata.packages_distributions()
    found: dict[str, set[str]] = {}
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                modules = [node.module or ""]
            else:
                continue
            for module in {name.partition(".")[0] for name in modules} - own:
                if module not in sys.stdlib_module_names:
                    found[module] = {normalised(name) for name in provides.get(module, [module])}
    return found


def extras(*names: str) -> set[str]:
    return {normalised(line) for name in names for line in PROJECT["optional-dependencies"][name]}


def test_everything_that_the_package_imports_is_declared() -> None:
    declared = {normalised(line) for line in PROJECT["dependencies"]}
    declared |= extras(*set(PROJECT["optional-dependencies"]) - {"test", "lint"})
    imported = imported_distributions(ROOT / "src", {"robust_eval"})
    assert {"torch", "click", "pandas"} <= set(imported)
    assert not {module: names for module, names in imported.items() if not names & declared}


def test_everything_that_the_tests_import_is_declared() -> None:
    declared = {normalised(line) for line in PROJECT["dependencies"]}
    declared |= extras("demo", "nlpaug", "textattack", "test")
    own = {"robust_eval"} | {path.stem for path in (ROOT / "tests").rglob("*.py")}
    imported = imported_distributions(ROOT / "tests", own)
    assert "pytest" in imported
    assert not {module: names for module, names in imported.items() if not names & declared}


@pytest.mark.parametrize(
    ("file", "names"),
    [
        ("constraints.txt", ("demo", "nlpaug", "test", "lint")),
        ("constraints-textattack.txt", ("demo", "nlpaug", "textattack", "test")),
    ],
)
def test_every_declared_package_is_pinned(file: str, names: tuple[str, ...]) -> None:
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    pinned = {normalised(line) for line in lines if not line.startswith("#")}
    needed = {normalised(line) for line in PROJECT["dependencies"]} | extras(*names)
    assert not needed - pinned, "run `make lock`"


# --- what the wheel holds ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        capture_output=True,
        timeout=120,
        check=True,
    )
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_every_module_and_every_file_they_read(wheel: Path) -> None:
    held = set(zipfile.ZipFile(wheel).namelist())
    package = ROOT / "src" / "robust_eval"
    wanted = {
        f"robust_eval/{path.relative_to(package).as_posix()}"
        for path in package.rglob("*")
        if path.suffix in DATA_SUFFIXES | {".py"} and "__pycache__" not in path.parts
    }
    assert any(name.endswith(".j2") for name in wanted)
    assert wanted <= held, wanted - held


def test_the_wheel_holds_the_recipes_and_tables(wheel: Path) -> None:
    held = set(zipfile.ZipFile(wheel).namelist())
    folder = ROOT / "perturbations"
    wanted = {
        f"robust_eval/_perturbations/{path.relative_to(folder).as_posix()}"
        for path in folder.rglob("*")
        if path.is_file()
    }
    for recipe in ("noisy", "noisy-full", "domain", "all", "smoke"):
        assert f"robust_eval/_perturbations/{recipe}.toml" in wanted
    assert wanted <= held, wanted - held


def test_the_wheel_holds_nothing_else(wheel: Path) -> None:
    for name in zipfile.ZipFile(wheel).namelist():
        top, _, rest = name.partition("/")
        assert top in {"robust_eval", f"robust_eval-{PROJECT_VERSION}.dist-info"}, name
        assert "__pycache__" not in rest
        assert not re.match(r"tests?(?:/|$)|test_|conftest", rest), name


def test_the_source_archive_holds_what_the_tests_and_the_pages_point_to(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        timeout=120,
        check=True,
    )
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        held = {name.partition("/")[2] for name in opened.getnames()}
    tracked = [
        *(ROOT / "pretraining").glob("*.py"),
        *(ROOT / "pretraining" / "results").iterdir(),
        *(ROOT / "reports" / "examples").glob("*/run.json"),
        *(ROOT / "benchmarks").glob("*.py"),
        ROOT / "src" / "robust_eval" / "models" / "roberta_mini" / "model.safetensors",
    ]
    assert {path.relative_to(ROOT).as_posix() for path in tracked} <= held
    assert not any(name.startswith(("pretraining/work", "dist", ".venv")) for name in held)


def test_the_wheel_says_what_it_is(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    folder = f"robust_eval-{PROJECT_VERSION}.dist-info"
    metadata = archive.read(f"{folder}/METADATA").decode()
    assert "License-Expression: Apache-2.0" in metadata
    assert f"{folder}/licenses/LICENSE" in archive.namelist()
    scripts = archive.read(f"{folder}/entry_points.txt").decode()
    assert "robust-eval = robust_eval.__main__:main" in scripts


# --- what it does --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Installation:
    """A virtual environment that holds the wheel and sees this one's other packages."""

    folder: Path
    work: Path

    def run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.folder / "bin" / program), *arguments],
            cwd=self.work,
            env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
            | {"ROBUST_EVAL_CACHE": str(self.work / "cache"), "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )


@pytest.fixture(scope="module")
def installation(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    folder = tmp_path_factory.mktemp("clean") / "environment"
    venv.create(folder, with_pip=False, symlinks=True)
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install"),
            *("--quiet", "--disable-pip-version-check", "--no-deps", "--no-index", str(wheel)),
        ],
        capture_output=True,
        timeout=120,
        check=True,
    )
    # The dependencies are this environment's. A folder named in a .pth file is searched, but its
    # own .pth files are not read: the editable installation of the checkout stays out of sight.
    (site,) = folder.glob("lib/python3*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    work = tmp_path_factory.mktemp("elsewhere")
    with (work / "reviews.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(("id", "text", "label"))
        for i in range(160):
            word, label = (("delightful", "good"), ("dreadful", "bad"))[i % 2]
            rows.writerow(
                (f"r{i}", f"review number {i} calls the film {word} from end to end", label)
            )
    return Installation(folder, work)


def test_the_installed_package_is_the_wheel_and_not_the_checkout(
    installation: Installation,
) -> None:
    done = installation.run("python", "-c", "import robust_eval; print(robust_eval.__file__)")
    assert Path(done.stdout.strip()).is_relative_to(installation.folder), done.stderr


def test_the_installed_command_lists_the_recipes(installation: Installation) -> None:
    done = installation.run("robust-eval", "list", "recipes")
    assert done.returncode == 0, done.stderr
    for recipe in ("noisy", "noisy-full", "domain", "all", "smoke"):
        assert recipe in done.stdout


def test_the_installed_command_runs_the_smoke_recipe(installation: Installation) -> None:
    done = installation.run(
        *("robust-eval", "--model", "scripted:noisy?accuracy=0.8", "--baseline", "bow"),
        *("--dataset", "reviews.csv", "--shift", "smoke", "--limit", "40", "--out", "run"),
    )
    assert done.returncode == 0, done.stderr
    page = installation.work / done.stdout.splitlines()[-1]
    assert page.name == "report.html"
    assert page.read_text(encoding="utf-8").lower().startswith("<!doctype html>")


def test_the_installed_command_perturbs_a_file(installation: Installation) -> None:
    done = installation.run(
        *("robust-eval", "perturb", "reviews.csv", "noisy.csv", "--shift", "smoke", "--seed", "3")
    )
    assert done.returncode == 0, done.stderr
    assert (installation.work / "noisy.csv").stat().st_size > 1000
