"""What a shell completes; a fault is no reason to disturb somebody who types, so that then there is nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.errors import UserError
from envgen.manifest.select import find_root, spec_files

if TYPE_CHECKING:
    from pathlib import Path

_NAME = "- name: "
"""What precedes the name of a package in a lock: reading lines is faster than parsing YAML."""


def environment_names(directory: Path) -> tuple[str, ...]:
    """Return the names of the environments of the project at or above a folder."""
    try:
        return tuple(path.stem for path in spec_files(find_root(directory)))
    except UserError:
        return ()


def package_names(directory: Path) -> tuple[str, ...]:
    """Return the names of the packages that any lock of the project at or above a folder holds, sorted."""
    try:
        locks = sorted((find_root(directory) / "locks").glob("*-lock.yml"))
        lines = [line for path in locks for line in path.read_text(encoding="utf-8").splitlines()]
    except (UserError, OSError, UnicodeDecodeError):
        return ()
    return tuple(sorted({line.removeprefix(_NAME).strip("'") for line in lines if line.startswith(_NAME)}))
