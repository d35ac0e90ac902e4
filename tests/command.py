"""Whole commands of envgen, in this process or one of their own, in an environment with nothing else in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest

REPOSITORY = Path(__file__).parent.parent
TIMEOUT = 120.0
"""Seconds after which a command of a test has hung."""


class Outcome(Struct, frozen=True, kw_only=True):
    """What a command left behind: its exit code, its data (stdout) and its talk (stderr)."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Parse what `--json` printed."""
        return json.loads(self.out)

    def succeeded(self) -> Outcome:
        """Return itself, or fail the test with everything that the command said."""
        assert self.code == 0, f"exit code {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"
        return self


class Project(Struct, frozen=True, kw_only=True):
    """A project folder of somebody who uses envgen."""

    root: Path

    def write(self, path: str, text: str) -> Path:
        """Write a file of the project; folders are made."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    def spec(self, name: str, text: str) -> Path:
        """Write `environments/<name>.yaml`; `name:` is put before the text."""
        return self.write(f"environments/{name}.yaml", f"name: {name}\n{text}")

    def locks(self) -> dict[str, bytes]:
        """Read every lock: file name -> bytes."""
        return {p.name: p.read_bytes() for p in sorted((self.root / "locks").glob("*"))}


class Command(Struct, kw_only=True):
    """Runs envgen in a project folder.

    Attributes:
        variables: the whole environment of the command.
        directory: where it is started.
    """

    variables: dict[str, str]
    directory: Path
    capture: pytest.CaptureFixture[str]
    patch: pytest.MonkeyPatch

    def __call__(self, *arguments: str, cwd: Path | None = None, **variables: str) -> Outcome:
        """Run a command in this process."""
        from envgen.cli.main import run
        from envgen.lock.conda_lock_models import lockfile_model

        lockfile_model()  # imported once for all tests, not by a child of each
        self.capture.readouterr()
        with self.patch.context() as patch:
            patch.chdir(cwd or self.directory)
            _replace_environment(patch, self.variables | variables)
            code = run(arguments)
        out, err = self.capture.readouterr()
        return Outcome(code=code, out=out, err=err)

    def process(self, *arguments: str, cwd: Path | None = None, umask: int = -1, **variables: str) -> Outcome:
        """Run a command in a process of its own: `python -m envgen ARGUMENTS`."""
        done = subprocess.run(
            [sys.executable, "-m", "envgen", *arguments],
            cwd=cwd or self.directory,
            env=self.variables | variables,
            umask=umask,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
        return Outcome(code=done.returncode, out=done.stdout, err=done.stderr)


def clean_variables(home: Path) -> dict[str, str]:
    """Build an environment for commands: a home, a search path, and nothing of the machine that runs the tests.

    What is not Python asks a proxy that nobody runs, so that it cannot leave the machine either.
    """
    nobody = "http://127.0.0.1:9"
    return {
        "HOME": str(home),
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "ENVGEN_CACHE": str(home / "cache"),
        "CONDA_ENVS_PATH": str(home / "envs"),
        "PYTHONPATH": str(REPOSITORY),
        "HTTP_PROXY": nobody,
        "HTTPS_PROXY": nobody,
        "NO_PROXY": "127.0.0.1,localhost",
    }


def _replace_environment(patch: pytest.MonkeyPatch, variables: Mapping[str, str]) -> None:
    for name in list(os.environ):
        patch.delenv(name)
    for name, value in variables.items():
        patch.setenv(name, value)
