"""Programs that other parts of a person's work need: which are there, and of which version."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.system.process import ProcessError, run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_PATIENCE = 4.0
"""Seconds: conda takes one on a cold disk. A program that takes longer is there, and its version is not told."""

_VERSION = re.compile(r"\d+(?:\.\d+)+")


class Program(Struct, frozen=True, kw_only=True):
    """A program: its path, and its version where it tells one."""

    name: str
    path: Path
    version: str | None


def probe_programs(names: Sequence[str], environment: Mapping[str, str]) -> tuple[Program, ...]:
    """Find those of some programs that are in `PATH`, in the order given, and ask each for its version."""
    path = environment.get("PATH", "")
    found = [(name, Path(place)) for name in names if (place := which(name, path=path))]
    with ThreadPoolExecutor() as pool:
        versions = pool.map(lambda item: _version(item[1], environment), found)
        return tuple(
            Program(name=name, path=place, version=version)
            for (name, place), version in zip(found, versions, strict=True)
        )


def parse_version(said: str) -> str | None:
    """Find the version in what a program says: `conda 24.7.1`, `Docker version 27.1.1, build 6312585`."""
    match = _VERSION.search(said)
    return match[0] if match else None


def _version(program: Path, environment: Mapping[str, str]) -> str | None:
    try:
        done = run([program, "--version"], env=environment, timeout=_PATIENCE)
    except ProcessError:
        return None
    return parse_version((done.stdout or done.stderr).decode(errors="replace"))
