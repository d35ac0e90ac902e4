"""`env:` and `description:` of a spec, from the lock to a shell."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.functional.conftest import SPEC

if TYPE_CHECKING:
    from tests.builders.registries import Registries
    from tests.command import Command, Project

ENV = 'description: for training\nenv:\n  OMP_NUM_THREADS: 8\n  DATA: "${prefix}/data $$HOME `id`"\n'


@pytest.fixture
def created(locked: Project, cli: Command, registries: Registries) -> Path:
    """Create `demo` without variables, then add some to its spec."""
    cli("create").succeeded()
    locked.spec("demo", SPEC + ENV)
    return Path(cli.variables["CONDA_ENVS_PATH"]) / "demo"


def test_variables_move_no_lock(created: Path, locked: Project, cli: Command) -> None:
    before = locked.locks()
    cli("lock", "--check").succeeded()
    cli("lock").succeeded()
    assert locked.locks() == before


def test_create_writes_changes_and_removes_them(created: Path, locked: Project, cli: Command) -> None:
    value = f"{created}/data $HOME `id`"
    planned = cli("create", "--dry-run")
    assert f"  variables to set: DATA={value}, OMP_NUM_THREADS=8\n" in planned.err
    assert not (created / "conda-meta/state").exists()
    answer = cli("create", "--json").succeeded().json()
    assert answer["variables"] == {"DATA": value, "OMP_NUM_THREADS": "8"}
    assert cli("create").succeeded().err.endswith("up to date, nothing to do\n")
    cli("verify").succeeded()
    (created / "conda-meta/state").write_text('{"env_vars": {"OMP_NUM_THREADS": "2", "MINE": "x"}}')
    assert cli("verify").out == (
        "conda-meta/state: variable `DATA` is missing; variable `MINE` is not in the spec; "
        "variable `OMP_NUM_THREADS`: expected '8', got '2'\n"
    )
    cli("create").succeeded()
    locked.spec("demo", SPEC + 'env: {OMP_NUM_THREADS: "4"}\n')
    said = cli("create").succeeded().err
    assert "  variables to set: OMP_NUM_THREADS=4\n" in said
    assert "  variables to remove: DATA\n" in said
    assert json.loads((created / "conda-meta/state").read_text())["env_vars"] == {"MINE": "x", "OMP_NUM_THREADS": "4"}


def test_run_and_shells_have_them(created: Path, cli: Command) -> None:
    cli("create").succeeded()
    printed = cli.process("run", "--", "/usr/bin/printenv", "DATA").succeeded().out
    assert printed == f"{created}/data $HOME `id`\n"
    hook = cli("shell-hook", "--shell", "bash", OMP_NUM_THREADS="2").succeeded().out
    script = f"{hook}\nprintenv OMP_NUM_THREADS DATA; deactivate; printenv OMP_NUM_THREADS DATA; true"
    bash = ["/bin/bash", "--norc", "-c", script]
    done = subprocess.run(bash, env={**cli.variables, "OMP_NUM_THREADS": "2"}, capture_output=True, check=True)
    assert done.stdout.decode().splitlines() == ["8", f"{created}/data $HOME `id`", "2"]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_have_them(created: Path, cli: Command, shell: str) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"needs {shell}")
    cli("create").succeeded()
    hook = cli("shell-hook", "--shell", shell, OMP_NUM_THREADS="2").succeeded().out
    script = f"{hook}\nprintenv OMP_NUM_THREADS DATA; deactivate; printenv OMP_NUM_THREADS DATA; true"
    given = {**cli.variables, "OMP_NUM_THREADS": "2"}
    done = subprocess.run([program, "-c", script], env=given, capture_output=True, check=True)
    assert done.stdout.decode().splitlines() == ["8", f"{created}/data $HOME `id`", "2"]


def test_what_affects_every_program_is_said(locked: Project, cli: Command) -> None:
    locked.spec("demo", SPEC + 'env: {LD_PRELOAD: "${prefix}/lib/libjemalloc.so.2"}\n')
    said = cli("create", "--dry-run").succeeded().err
    assert "`env` sets `LD_PRELOAD` to `${prefix}/lib/libjemalloc.so.2`, which affects every program" in said


def test_what_conda_changes_in_fish_is_named(locked: Project, cli: Command) -> None:
    values = "{DOLLAR: a$$b, PAIR: 'a\\\\b', END: 'a\\', SLASH: 'c:\\new', PLAIN: '${prefix}/x'}"
    locked.spec("demo", f"{SPEC}env: {values}\n")
    said = cli("create", "--dry-run").succeeded().err
    named = [name for name in ("DOLLAR", "PAIR", "END", "SLASH", "PLAIN") if f"`env` sets `{name}` to" in said]
    assert named == ["DOLLAR", "PAIR", "END"]


def test_spaces_and_nothing_are_values(locked: Project, cli: Command, registries: Registries) -> None:
    locked.spec("demo", SPEC + "env: {SPACES: '  a  b ', EMPTY: ''}\n")
    answer = cli("create", "--json").succeeded().json()
    assert answer["variables"] == {"SPACES": "  a  b ", "EMPTY": ""}
    assert cli.process("run", "--", "/usr/bin/printenv", "SPACES", "EMPTY").succeeded().out == "  a  b \n\n"


def test_list_has_the_description(created: Path, cli: Command) -> None:
    assert "demo (for training) for linux-64: " in cli("list").succeeded().err


def test_a_state_that_cannot_be_read_is_an_error(created: Path, cli: Command) -> None:
    (created / "conda-meta/state").write_text("{")
    outcome = cli("create")
    assert outcome.code != 0
    assert "failed to read variables from" in outcome.err
    assert "traceback" not in outcome.err.lower()
