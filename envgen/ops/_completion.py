"""What a shell completes; a fault is no reason to disturb somebody who types, so that then there is nothing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from envgen.create import locate
from envgen.errors import UserError
from envgen.manifest.select import find_root, spec_files
from envgen.prefix.inventory import is_environment
from envgen.system.git import Repository
from envgen.system.home import find_home
from envgen.system.process import ProcessError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_NAME = "- name: "
"""What precedes the name of a package in a lock: reading lines is faster than parsing YAML."""


def environment_names(directory: Path) -> tuple[str, ...]:
    """Return the names of the environments of the project at or above a folder."""
    try:
        return tuple(path.stem for path in spec_files(find_root(directory)))
    except UserError:
        return ()


def machine_names(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of the environments of this machine that conda finds by name, sorted."""
    try:
        folders = locate.settings(environment, home=find_home(environment, os.getuid())).envs_dirs
        found = {
            path.name for folder in folders if folder.is_dir() for path in folder.iterdir() if is_environment(path)
        }
    except (UserError, OSError):
        return ()
    return tuple(sorted(found))


def revision_names(directory: Path, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return `HEAD`, branches and tags of the repository of the project at or above a folder."""
    try:
        return ("HEAD", *Repository.at(find_root(directory), environment).names())
    except (UserError, ProcessError):
        return ()


def package_names(directory: Path) -> tuple[str, ...]:
    """Return the names of the packages that any lock of the project at or above a folder holds, sorted."""
    try:
        locks = sorted((find_root(directory) / "locks").glob("*-lock.yml"))
        lines = [line for path in locks for line in path.read_text(encoding="utf-8").splitlines()]
    except (UserError, OSError, UnicodeDecodeError):
        return ()
    return tuple(sorted({line.removeprefix(_NAME).strip("'") for line in lines if line.startswith(_NAME)}))
