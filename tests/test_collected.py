"""Every file of tests is collected, whatever a folder is called and whatever pytest leaves out by default."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command import REPOSITORY

_TESTS = REPOSITORY / "tests"
_PLUGIN = """
import pytest

class Empty(pytest.File):
    def collect(self):
        return ()

@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makemodule(module_path, parent):
    print(f"collected {module_path}")
    return Empty.from_parent(parent, path=module_path)
"""
"""Names the files that pytest would read, and reads none, which takes a second instead of ten."""


def collected(tmp_path: Path, *words: str) -> set[Path]:
    """List the files that pytest collects, by the repository's configuration, when it is called with some words."""
    (tmp_path / "names_files.py").write_text(_PLUGIN)
    options = ["--collect-only", "-s", "-q", "-p", "names_files", "-p", "no:cacheprovider"]
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    variables["PYTHONPATH"] = os.pathsep.join([str(tmp_path), *filter(None, [variables.get("PYTHONPATH")])])
    command = [sys.executable, "-m", "pytest", *options, *words]
    done = subprocess.run(command, cwd=REPOSITORY, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == pytest.ExitCode.NO_TESTS_COLLECTED, done.stdout + done.stderr
    marked = (line.removeprefix("collected ") for line in done.stdout.splitlines() if line.startswith("collected "))
    return {Path(line) for line in marked}


def holds_tests(path: Path) -> bool:
    """Return whether a file has tests: by its name, or by functions and classes that pytest would run in it."""
    if path.name.startswith("test_"):
        return True
    body = ast.parse(path.read_bytes()).body
    functions = (node.name for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    classes = (node.name for node in body if isinstance(node, ast.ClassDef))
    return any(name.startswith("test_") for name in functions) or any(name.startswith("Test") for name in classes)


def test_every_file_and_folder_of_tests_is_collected(tmp_path: Path) -> None:
    files = {path for path in _TESTS.rglob("*.py") if holds_tests(path)}
    assert _TESTS / "full/test_stack.py" in files  # left out by a marker, and collected all the same
    assert files - collected(tmp_path) == set()


def test_no_file_of_tests_lies_where_nobody_looks() -> None:
    places = ("envgen", "recipes", "environments")
    assert [path for place in places for path in (REPOSITORY / place).rglob("test_*.py")] == []


def test_a_folder_is_collected_whatever_its_name(tmp_path: Path) -> None:
    names = ("build", "dist", "venv", "data", "node_modules")
    files = {tmp_path / "tests" / name / "test_one.py" for name in names}
    for file in files:
        file.parent.mkdir(parents=True)
        file.write_text("")
    settings = ["-c", str(REPOSITORY / "pyproject.toml"), "--rootdir", str(tmp_path), str(tmp_path / "tests")]
    assert collected(tmp_path, *settings) == files
