"""Machines that refuse: limits of a process, streams that are closed. Each ends in a message and no traceback."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.command import TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.command import Command, Project


def limited(kind: int, most: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(kind, (most, most))


def closed(*numbers: int) -> Callable[[], None]:
    def close() -> None:
        for number in numbers:
            os.close(number)

    return close


def run(cli: Command, *arguments: str, before: Callable[[], None]) -> tuple[int, str]:
    """Run a command in a process that `before` limits; return its exit code and what it said."""
    done = subprocess.run(
        [sys.executable, "-m", "envgen", *arguments],
        cwd=cli.directory,
        env=cli.variables | {"PYTHONDONTWRITEBYTECODE": "1"},  # Python writes what a limit leaves of it
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        preexec_fn=before,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("verb", "before", "said"),
    [
        ("lock", limited(resource.RLIMIT_FSIZE, 100), "it is larger than the file size limit"),
        ("lock", limited(resource.RLIMIT_NOFILE, 12), "too many open files: this process may open 12"),
        ("create", limited(resource.RLIMIT_FSIZE, 400), "it is larger than the file size limit"),
        ("create", limited(resource.RLIMIT_NOFILE, 24), "too many open files: this process may open 24"),
    ],
)
def test_a_limit_of_the_process_is_named(
    verb: str, before: Callable[[], None], said: str, locked: Project, cli: Command
) -> None:
    if verb == "lock":
        shutil.rmtree(locked.root / "locks")
    else:
        cli.variables["ENVGEN_CACHE"] = str(locked.root.parent / "cold")
    code, err = run(cli, verb, before=before)
    assert code == 1
    assert said in err
    assert cli(verb).succeeded(), "nothing half done is left"


def test_too_little_memory_is_told_beforehand(locked: Project, cli: Command) -> None:
    """A library that aborts the process says nothing that a person understands."""
    code, err = run(cli, "list", before=limited(resource.RLIMIT_AS, 300 << 20))
    assert (code, "may use 300 MB of memory (`ulimit -v`)" in err) == (0, True)
    assert "ulimit -v" not in run(cli, "list", before=limited(resource.RLIMIT_AS, 2 << 30))[1]


def test_a_lock_that_cannot_be_written_leaves_the_old_one(locked: Project, cli: Command) -> None:
    before = locked.locks()
    spec = locked.root / "environments/demo.yaml"
    spec.write_text(spec.read_text().replace("eggs <2", "eggs"))
    code, err = run(cli, "lock", before=limited(resource.RLIMIT_FSIZE, 100))
    assert (code, locked.locks()) == (1, before)
    assert "hint: " in err


@pytest.mark.parametrize("numbers", [(0,), (1,), (2,), (0, 1, 2)])
def test_closed_streams_change_nothing_for_who_prints_nothing(
    numbers: tuple[int, ...], locked: Project, cli: Command
) -> None:
    code, _ = run(cli, "create", before=closed(*numbers))
    assert code == 0
    assert cli("create", "--verify").succeeded()


def test_output_that_cannot_be_written_is_a_failure(locked: Project, cli: Command) -> None:
    code, err = run(cli, "list", before=closed(1))
    assert (code, err.splitlines()[-1]) == (1, "error: cannot write to standard output: Bad file descriptor")


def test_what_children_print_is_not_written_into_files(tmp_path: Path, locked: Project, cli: Command) -> None:
    code, _ = run(cli, "run", "--", "sh", "-c", f"echo wrong; echo right > {tmp_path}/told", before=closed(1))
    assert code in (0, 1), "there is no environment yet, or its program ran"
    for file in (locked.root.parent / "home").rglob("*"):
        assert not file.is_file() or file.is_symlink() or file.read_bytes() != b"wrong\n"
