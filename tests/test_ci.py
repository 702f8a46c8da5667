"""The build fails on a test that was skipped without leave."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[1]

ALLOWED = {
    "test_gpu": "import pytest\ndef test_it(): pytest.skip('GPU: none here')\n",
    "test_key": "import pytest\ndef test_it(): pytest.skip('key: OPENAI_API_KEY is not set')\n",
    "test_hub": "import pytest\n@pytest.mark.skipif(True, reason='hub: offline')\ndef test_it(): pass\n",
    "test_file": "import pytest\npytest.skip('GPU: the whole file', allow_module_level=True)\n",
}
REFUSED = {
    "test_data": "import pytest\ndef test_it(): pytest.skip('test data: folder is not set')\n",
    "test_browser": "import pytest\n@pytest.mark.skipif(True, reason='Chromium: no')\ndef test_it(): 1\n",
    "test_bare": "import pytest\n@pytest.mark.skip\ndef test_it(): pass\n",
    "test_whole": "import pytest\npytest.skip('not today', allow_module_level=True)\n",
    "test_import": "import pytest\npytest.importorskip('no_such_module_anywhere')\n",
    "test_xfail": "import pytest\n@pytest.mark.xfail\ndef test_it(): assert False\n",
    "test_near": "import pytest\ndef test_it(): pytest.skip('GPUs are dear')\n",
}


def load_check() -> ModuleType:
    spec = importlib.util.spec_from_file_location("check_skips", ROOT / ".ci" / "check_skips.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


check_skips = load_check()


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The JUnit file that pytest itself writes for a suite with every kind of skip."""
    folder = tmp_path_factory.mktemp("suite")
    for name, suite in (ALLOWED | REFUSED | {"test_fine": "def test_it(): pass\n"}).items():
        (folder / f"{name}.py").write_text(suite)
    (folder / "pytest.ini").write_text("[pytest]\n")
    file = folder / "results.xml"
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", f"--junit-xml={file}"],
        cwd=folder,
        env={k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
        | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        timeout=120,
        check=False,
    )
    return file


def without(results: Path, unwanted: set[str]) -> Path:
    """The same file without the tests of these modules."""
    tree = ElementTree.parse(results)
    for suite in tree.iter("testsuite"):
        for case in list(suite):
            if {case.get("classname"), case.get("name")} & unwanted:
                suite.remove(case)
    smaller = results.with_name(f"without-{len(unwanted)}.xml")
    tree.write(smaller)
    return smaller


def test_the_check_sees_every_skip(results: Path) -> None:
    total, found = check_skips.skips(results)
    assert total == len(ALLOWED) + len(REFUSED) + 1
    assert len(found) == len(ALLOWED) + len(REFUSED)


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_one_skip_without_leave_fails_the_build(
    results: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = without(results, set(REFUSED) - {name})
    assert check_skips.main([str(file)]) == 1
    said = capsys.readouterr().out
    refused = [line for line in said.splitlines() if "skipped without leave" in line]
    assert len(refused) == 1
    assert name in refused[0]
    assert "5 skipped, 1 without leave" in said


def test_what_no_build_machine_has_may_be_skipped(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = without(results, set(REFUSED))
    assert check_skips.main([str(file)]) == 0
    said = capsys.readouterr().out
    assert "skipped 1 times: GPU: the whole file" in said
    assert "5 tests, 4 skipped, 0 without leave" in said


def test_a_suite_that_ran_nothing_fails_the_build(results: Path) -> None:
    file = without(results, {*ALLOWED, *REFUSED, "test_fine"})
    assert check_skips.skips(file) == (0, [])
    assert check_skips.main([str(file)]) == 1


def test_one_bad_file_among_several_fails_the_build(results: Path) -> None:
    good = without(results, set(REFUSED))
    assert check_skips.main([str(results), str(good)]) == 1
    assert check_skips.main([]) == 1


def test_the_ci_script_is_executable_and_parses() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert subprocess.run(["bash", "-n", str(script)], check=False).returncode == 0
