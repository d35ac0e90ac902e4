"""The whole of pt28-accel, once for all tests of this folder, from the committed locks.

`ENVGEN_FULL_CACHE` and `ENVGEN_FULL_PREFIX` name a store and an environment to use again; without them both are made
in a temporary folder, which takes 14 GB and 4.8 GB of downloads.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.home import fill_home

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """The environment of the whole stack, and the store behind it."""

    prefix: Path
    environment: Mapping[str, str]

    def envgen(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run envgen in the repository."""
        command = [sys.executable, "-m", "envgen", *words]
        return subprocess.run(
            command, cwd=REPOSITORY, env=self.environment, capture_output=True, text=True, check=False
        )

    def run(self, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a command inside the environment."""
        command = [sys.executable, "-m", "envgen", "run", "--prefix", str(self.prefix), "--", *words]
        environment = {**self.environment, **variables}
        return subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)

    def python(self, code: str, **variables: str) -> str:
        """Run Python code inside the environment and return what it printed."""
        done = self.run("python", "-c", code, **variables)
        assert done.returncode == 0, done.stderr
        return done.stdout


def _run(command: Sequence[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """Create the environment from the committed lock; an environment that is there already is brought up to it."""
    base = tmp_path_factory.mktemp("full")
    prefix = Path(os.environ.get("ENVGEN_FULL_PREFIX") or base / "pt28-accel")
    cache = os.environ.get("ENVGEN_FULL_CACHE") or str(base / "cache")
    home = base / "home"
    home.mkdir()
    fill_home(home)
    made = Stack(prefix=prefix, environment={**os.environ, "ENVGEN_CACHE": cache, "HOME": str(home)})
    done = made.envgen("create", "pt28-accel", "--prefix", str(prefix))
    assert done.returncode == 0, done.stderr
    return made
