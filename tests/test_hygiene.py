"""What holds for every tracked file: nothing of one machine, nothing that runs what it reads."""

from __future__ import annotations

import ast
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import robust_eval

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
LONGEST = 400  # lines; a file is meant to stay under about 300


def project_files() -> list[Path]:
    """Text files that git tracks or would track; in an unpacked sdist, every text file."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode == 0:
        paths = [ROOT / os.fsdecode(name) for name in listed.stdout.split(b"\0") if name]
    else:
        paths = [path for path in ROOT.rglob("*") if "__pycache__" not in path.parts]
    files = [path for path in paths if path.is_file() and not path.is_symlink()]
    return [path for path in files if b"\0" not in path.read_bytes()[:8192]]


def joined(*parts: str) -> str:
    return "".join(parts)  # in two pieces, so that this file does not hold what it looks for


FORBIDDEN = {
    "a package registry's host": "|".join(
        re.escape(host)
        for host in (
            joined("py", "pi.org"),
            joined("python", "hosted.org"),
            joined("registry.npm", "js.org"),
            joined("deb.deb", "ian.org"),
            joined("archive.ubu", "ntu.com"),
            joined("download.pyt", "orch.org"),
        )
    ),
    "an index option": joined("--(?:extra-)?index", "-url|--find", "-links"),
    "a path of one machine": joined(
        r"(?<![\w.~$}])/(?:wo", "rk|ro", "ot|tm", "p|hom", r"e/\w+)/\w"
    ),
    "a promise": joined(r"\b(?:TO", "DO|FIX", r"ME|XX", r"X)\b"),
}


@pytest.mark.parametrize("what", sorted(FORBIDDEN))
def test_no_file_holds(what: str) -> None:
    pattern = re.compile(FORBIDDEN[what])
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:120]}"
        for path in project_files()
        for number, line in enumerate(path.read_text("utf-8", "replace").splitlines(), 1)
        if pattern.search(line)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("what", "line"),
    [
        ("a path of one machine", joined('open("/tm', 'p/x.csv")')),
        ("a path of one machine", joined("cd /wo", "rk/main")),
        ("a package registry's host", joined("see https://py", "pi.org/project/x")),
        ("an index option", joined("pip install --extra-index", "-url X")),
        ("a promise", joined("# TO", "DO: later")),
    ],
)
def test_the_look_for_forbidden_words_finds_them(what: str, line: str) -> None:
    assert re.search(FORBIDDEN[what], line)


# --- nothing that runs what it reads -------------------------------------------------------------

UNSAFE_MODULES = {"pickle", "cPickle", "joblib", "dill", "cloudpickle", "marshal", "shelve"}
UNSAFE_NAMES = {"eval", "exec", "compile", "__import__"}
UNSAFE_CALLS = {
    "yaml.load",
    "yaml.unsafe_load",
    "yaml.full_load",
    "os.system",
    "os.popen",
    "torch.load",
    "pandas.read_pickle",
    "pd.read_pickle",
    "tempfile.mktemp",
}
UNSAFE_FLAGS = {"trust_remote_code", "allow_pickle", "shell"}


def unsafe(source: str) -> Iterator[str]:
    """`line: what` for each construct that could run what it is given."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] in UNSAFE_MODULES:
                    yield f"{node.lineno}: import {alias.name}"
        elif isinstance(node, ast.ImportFrom):
            if (node.module or "").split(".")[0] in UNSAFE_MODULES:
                yield f"{node.lineno}: from {node.module}"
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in UNSAFE_NAMES | UNSAFE_CALLS:
                yield f"{node.lineno}: {called}()"
            for keyword in node.keywords:
                off = isinstance(keyword.value, ast.Constant) and not keyword.value.value
                if keyword.arg in UNSAFE_FLAGS and not off:
                    yield f"{node.lineno}: {keyword.arg}="


def test_no_source_runs_what_it_reads() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{what}"
        for path in SOURCES
        for what in unsafe(path.read_text(encoding="utf-8"))
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from joblib import load",
        "eval(text)",
        "yaml.load(file)",
        "torch.load(path)",
        "AutoModel.from_pretrained(name, trust_remote_code=True)",
        "AutoModel.from_pretrained(name, trust_remote_code=flag)",
        "numpy.load(path, allow_pickle=True)",
        "subprocess.run(command, shell=True)",
    ],
)
def test_the_look_for_unsafe_code_finds_it(source: str) -> None:
    assert list(unsafe(source))


def test_what_only_looks_unsafe_is_let_through() -> None:
    safe = "model.eval(); re.compile(p); run(c, shell=False); load(n, trust_remote_code=False)"
    assert not list(unsafe(safe))


# --- the project's own promises ------------------------------------------------------------------


def test_no_source_file_is_too_long() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}
    long = {str(path.relative_to(ROOT)): n for path, n in lengths.items() if n > LONGEST}
    assert not long


def test_the_changelog_begins_with_this_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## \[(\d[^\]]*)\]", text, flags=re.MULTILINE)
    assert versions[0] == robust_eval.__version__


def makefile_targets() -> dict[str, str]:
    """Target and its comment, of every target that a person types."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    rules = re.findall(r"^([a-z][a-z-]*):(?!=)([^\n]*)", text, flags=re.MULTILINE)
    return {name: rest.partition("## ")[2] for name, rest in rules}


def test_every_make_target_says_what_it_does() -> None:
    targets = makefile_targets()
    assert {"demo", "test", "test-textattack", "lint", "bench", "clean", "lock"} <= set(targets)
    assert not [name for name, comment in targets.items() if len(comment) < 10]


def test_no_make_target_can_be_hidden_by_a_file_of_its_name() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = set(re.findall(r"^\.PHONY: (\S+)$", text, flags=re.MULTILINE))
    assert phony == set(makefile_targets())


def test_make_help_lists_every_target() -> None:
    shown = subprocess.run(
        ["make", "--no-print-directory", "help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        env={name: value for name, value in os.environ.items() if not name.startswith("MAKE")},
    ).stdout
    assert {line.split()[0] for line in shown.splitlines()} == set(makefile_targets())


@pytest.mark.parametrize("name", ["constraints.txt", "constraints-textattack.txt"])
def test_constraints_pin_one_version_each_and_no_build_of_one_machine(name: str) -> None:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert len(pins) > 80
    assert [
        line for line in pins if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][0-9a-z.]*", line)
    ] == []
    names = [re.sub(r"[-_.]+", "-", line.split("==")[0]).lower() for line in pins]
    assert len(names) == len(set(names))
    assert "torch==2.13.0" in pins


def relative_links(text: str) -> list[str]:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", text)
    return [link for link in links if not re.match(r"[a-z]+:", link)]


def test_links_between_pages_lead_somewhere() -> None:
    pages = [path for path in project_files() if path.suffix == ".md"]
    dead = [
        f"{page.relative_to(ROOT)}: {link}"
        for page in pages
        if "examples" not in page.parts  # reports of real runs
        for link in relative_links(page.read_text(encoding="utf-8"))
        if not (page.parent / link).exists()
    ]
    assert not dead, "\n".join(dead)
