"""Runs envgen, uv and the Python of an environment as a user of this machine would."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pypi_simple
from packaging.utils import canonicalize_name

from envgen.system.fs import remove_tree
from tests.command import REPOSITORY, Outcome, Project
from tests.stacks.comparison import Versions, parse_pins
from tests.stacks.stack import CUTOFF, Size, uv_platform

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.stacks.stack import Stack

_TIMEOUT = 900.0
"""Seconds for one command: downloads of a medium set over a slow mirror."""

_IMPORT_TIMEOUT = 180.0
"""Seconds for one import: nothing is compiled yet, and a test machine may have two cores."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What the lock of one platform holds.

    Attributes:
        python: its full version.
        wheels: project -> version.
        size: bytes of the wheels together.
    """

    python: str
    wheels: Versions
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """A place for scratch projects, and the cache that they share.

    Attributes:
        place: folder for everything else.
        cache: folder of envgen's cache and of uv's.
        keep: whether the cache outlives the session, so that nothing is removed from it.
    """

    place: Path
    cache: Path
    keep: bool
    _locks: dict[str, Outcome] = field(default_factory=dict, repr=False)

    def project(self, stack: Stack) -> Project:
        """Return the scratch project of a set."""
        return Project(root=self.place / stack.name)

    def prefix(self, stack: Stack) -> Path:
        """Return where the set's environment is made."""
        return self.place / "envs" / stack.name

    def lock(self, stack: Stack) -> Outcome:
        """Lock a set, once in a session."""
        if stack.name not in self._locks:
            self.project(stack).spec(stack.name, stack.spec())
            self._locks[stack.name] = self._envgen(stack, "lock")
        return self._locks[stack.name]

    def choices(self, stack: Stack) -> dict[str, Choice]:
        """Read what was locked: platform -> choice."""
        listed = self._envgen(stack, "list", "--json").succeeded().json()
        return {platform: _choice(packages) for platform, packages in listed.items()}

    def create(self, stack: Stack) -> Outcome:
        """Create the environment of a lock."""
        return self._envgen(stack, "create", "--prefix", str(self.prefix(stack)))

    def pip_check(self, stack: Stack) -> Outcome:
        """Run the environment's `pip check`."""
        return self._python(stack, "-m", "pip", "check")

    def imported(self, stack: Stack, module: str) -> Outcome:
        """Import a module in a process of its own."""
        return self._python(stack, "-c", f"import {module}")

    def uv(self, stack: Stack, platform: str, python: str) -> Versions:
        """Resolve with uv the same requirements, platform, Python and day, from the same index."""
        target = ["--python-version", python, "--python-platform", uv_platform(platform)]
        source = ["--exclude-newer", CUTOFF.isoformat(), "--default-index", pypi_simple.PYPI_SIMPLE_ENDPOINT]
        output = ["--quiet", "--no-header", "--no-annotate", "--no-config", "--cache-dir", str(self.cache / "uv")]
        uv = Path(sysconfig.get_path("scripts")) / "uv"
        text = "\n".join(stack.requirements)
        compiled = _run([str(uv), "pip", "compile", "-", *output, *target, *source], self.place, os.environ, text)
        return parse_pins(compiled.succeeded().out)

    def discard(self, stack: Stack) -> None:
        """Remove a set's environment, and its large files from a cache of this session."""
        remove_tree(self.prefix(stack))
        if not self.keep and stack.size is not Size.SMALL:
            self._envgen(stack, "clean", "--kind", "packages", "--kind", "artifacts")

    def _envgen(self, stack: Stack, verb: str, *options: str) -> Outcome:
        environment = () if verb == "clean" else (stack.name,)
        argv = [sys.executable, "-m", "envgen", verb, *environment, *options]
        own = {"ENVGEN_CACHE": str(self.cache / "envgen"), "PYTHONPATH": str(REPOSITORY)}
        return _run(argv, self.project(stack).root, {**os.environ, **own})

    def _python(self, stack: Stack, *words: str) -> Outcome:
        """Run the environment's Python with none of this machine's settings."""
        prefix, home = self.prefix(stack), self.place / "home"
        home.mkdir(exist_ok=True)
        variables = {"PATH": f"{prefix}/bin:/usr/bin:/bin", "HOME": str(home), "LANG": "C.UTF-8"}
        return _run([str(prefix / "bin/python"), *words], home, variables, timeout=_IMPORT_TIMEOUT)


def _choice(packages: Sequence[Mapping[str, object]]) -> Choice:
    wheels = [package for package in packages if package["from"] == "wheel"]
    return Choice(
        python=next(str(package["version"]) for package in packages if package["name"] == "python"),
        wheels={canonicalize_name(str(wheel["name"])): str(wheel["version"]) for wheel in wheels},
        size=sum(int(str(wheel["bytes"] or 0)) for wheel in wheels),
    )


def _run(
    argv: Sequence[str], directory: Path, variables: Mapping[str, str], text: str = "", *, timeout: float = _TIMEOUT
) -> Outcome:
    """Run a command; one that takes too long ends with 124, as `timeout` has it."""
    try:
        done = subprocess.run(
            argv, cwd=directory, env=variables, input=text, capture_output=True, text=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired:
        return Outcome(code=124, out="", err=f"no end after {timeout:.0f} s: {' '.join(argv)}")
    return Outcome(code=done.returncode, out=done.stdout, err=done.stderr)
