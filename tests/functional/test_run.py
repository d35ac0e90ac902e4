"""`envgen run`, `shell-hook`, `list`, `build` and `clean`."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.functional.test_create import make, needs_311

if TYPE_CHECKING:
    from pathlib import Path

    from tests.command import Command, Project


@needs_311
def test_run_finds_the_environments_programs(locked: Project, cli: Command) -> None:
    prefix = make(cli)
    outcome = cli.process("run", "--", "spam", "a b", "--help").succeeded()
    assert outcome.out == "spam with eggs 1.1 a b --help\n"
    code = "import os, sys; print(os.environ['CONDA_PREFIX'], sys.prefix)"
    assert cli.process("run", "--", "python", "-c", code).succeeded().out.split() == [str(prefix)] * 2


@needs_311
def test_run_passes_the_exit_code_on(locked: Project, cli: Command) -> None:
    make(cli)
    assert cli.process("run", "--", "python", "-c", "raise SystemExit(7)").code == 7


def test_run_before_create_says_so(locked: Project, cli: Command) -> None:
    outcome = cli("run", "--", "python")
    assert outcome.code == 1
    assert "envgen create" in outcome.err


def test_run_of_an_unknown_program(locked: Project, cli: Command) -> None:
    make(cli)
    outcome = cli.process("run", "--", "no-such-program")
    assert outcome.code in (1, 127)
    assert "no-such-program" in outcome.err
    assert "Traceback" not in outcome.err


@needs_311
@pytest.mark.parametrize("shell", ["bash", "sh"])
def test_shell_hook_activates(shell: str, locked: Project, cli: Command) -> None:
    prefix = make(cli)
    hook = cli("shell-hook").succeeded().out
    script = hook + "\nset -u\ncommand -v spam\nspam\n"
    done = subprocess.run([shell, "-c", script], env=cli.variables, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [str(prefix / "bin/spam"), "spam with eggs 1.1"]


def test_list_tells_what_is_locked(locked: Project, cli: Command) -> None:
    outcome = cli("list").succeeded()
    assert "spam" in outcome.out
    assert "eggs" in outcome.out


def test_build_writes_archives_and_their_digests(locked: Project, cli: Command, tmp_path: Path) -> None:
    first = cli("build", "--json").succeeded()
    assert "spam" in first.out
    second = cli("build", "--json", ENVGEN_CACHE=str(tmp_path / "fresh")).succeeded()
    assert second.json() == first.json()


def test_clean_shows_the_cache_and_removes_it(locked: Project, cli: Command) -> None:
    make(cli)
    cache = cli.directory.parent / "home" / "cache"
    assert any((cache / "packages").iterdir())
    cli("clean").succeeded()
    assert any((cache / "packages").iterdir())
