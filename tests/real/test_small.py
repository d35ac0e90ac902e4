"""A small environment from the real registries: Python from Debian, numpy and click from the wheel index, 40 MB."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from envgen.prefix.verify import verify_prefix
from tests.command import REPOSITORY, Project

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.real

TIMEOUT = 300.0
"""Seconds for one command: mirrors can be slow."""

SPEC = """\
python: "3.11"
platforms: {linux-64: {glibc: "2.36"}, linux-aarch64: {glibc: "2.36"}}
dependencies: [python]
pypi: [numpy ==2.3.4, click ==8.3.0, pip]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """This machine as it is, with a cache and a place for environments of its own."""

    project: Project
    place: Path

    @property
    def prefix(self) -> Path:
        return self.place / "envs" / "small"

    def envgen(self, *words: str, cache: str = "cache") -> str:
        """Run a command of envgen in the project and return its data."""
        own = {"ENVGEN_CACHE": str(self.place / cache), "CONDA_ENVS_PATH": str(self.place / "envs")}
        path = {"PYTHONPATH": str(REPOSITORY)}
        return self._run([sys.executable, "-m", "envgen", *words], own | path)

    def python(self, *words: str) -> str:
        """Run the environment's Python with nothing of this machine's settings."""
        return self._run([str(self.prefix / "bin/python"), *words], {"PYTHONPATH": ""})

    def program(self, *argv: str) -> str:
        """Run a program with nothing of this machine's settings for libraries."""
        return self._run(list(argv), {"LD_LIBRARY_PATH": ""})

    def _run(self, argv: list[str], variables: dict[str, str]) -> str:
        done = subprocess.run(
            argv,
            cwd=self.project.root,
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """Lock and create, once for all tests here."""
    place = tmp_path_factory.mktemp("real")
    project = Project(root=place / "project")
    project.spec("small", SPEC)
    made = Machine(project=project, place=place)
    made.envgen("lock")
    made.envgen("create")
    return made


def test_wheels_import(machine: Machine) -> None:
    code = "import click, numpy; print(numpy.__version__, (numpy.eye(3) @ numpy.ones(3)).sum())"
    assert machine.python("-c", code).split() == ["2.3.4", "3.0"]


def test_standard_library_is_whole(machine: Machine) -> None:
    modules = "ssl, sqlite3, ctypes, lzma, bz2, readline, curses, zlib, hashlib, uuid, dbm, zoneinfo, decimal"
    assert machine.python("-c", f"import {modules}; print(ctypes.CDLL(None) is not None)").strip() == "True"


def test_prefix_is_the_environment(machine: Machine) -> None:
    code = "import sys; print(sys.prefix, *(path for path in sys.path if path.endswith('-packages')))"
    prefix = str(machine.prefix)
    assert machine.python("-c", code).split() == [prefix, f"{prefix}/lib/python3.11/site-packages"]


def test_pip_finds_nothing_broken(machine: Machine) -> None:
    assert machine.python("-m", "pip", "check").strip() == "No broken requirements found."


def test_venv_works_inside(machine: Machine, tmp_path: Path) -> None:
    machine.python("-m", "venv", str(tmp_path / "venv"))
    done = subprocess.run(
        [tmp_path / "venv/bin/python", "-m", "pip", "--version"], capture_output=True, text=True, check=True
    )
    assert str(tmp_path) in done.stdout


def test_run_activates(machine: Machine) -> None:
    code = "import os, ssl; print(os.environ['CONDA_PREFIX']); ssl.create_default_context()"
    assert machine.envgen("run", "--", "python", "-c", code).strip() == str(machine.prefix)


def test_conda_meta_is_complete_and_true(machine: Machine) -> None:
    assert verify_prefix(machine.prefix) == ()


def test_locking_with_an_empty_cache_gives_the_same_bytes(machine: Machine) -> None:
    first = machine.project.locks()
    assert len(first) == 4
    for path in (machine.project.root / "locks").iterdir():
        path.unlink()
    machine.envgen("lock", cache="fresh")
    assert machine.project.locks() == first


EMBEDDED = """\
#include <Python.h>
int main(void) {
    Py_Initialize();
    int failed = PyRun_SimpleString("import sys, pyexpat; print(sys.prefix)");
    return Py_FinalizeEx() || failed;
}
"""


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
@pytest.mark.parametrize("flags", ["$(python3.11-config --embed --ldflags)", "-L$E/lib -lpython3.11 -Wl,-rpath,$E/lib"])
def test_a_program_that_embeds_python(machine: Machine, tmp_path: Path, flags: str) -> None:
    (tmp_path / "main.c").write_text(EMBEDDED)
    script = (
        f'cd "$2" && E=$1 && PATH=$E/bin:$PATH && gcc main.c -o main $(python3.11-config --includes) {flags} && ./main'
    )
    loaded = f"{script} && LD_TRACE_LOADED_OBJECTS=1 ./main"
    printed = machine.program("sh", "-c", loaded, "sh", str(machine.prefix), str(tmp_path)).splitlines()
    assert printed[0] == str(machine.prefix)
    found = [line for line in printed if "libpython" in line or "libexpat" in line]
    assert len(found) == 2
    assert all(f"=> {machine.prefix}/" in line for line in found)
