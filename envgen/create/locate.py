"""Where an environment lives: by name, where the machine's conda would look for it, or at a path."""

from __future__ import annotations

import os
import re
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING

from envgen.create.condarc import Condarc, read_condarc
from envgen.errors import HostError, UserError
from envgen.prefix.conda_meta import META, record_files
from envgen.prefix.inventory import is_environment
from envgen.prefix.transaction import LOCK
from envgen.system.home import NO_HOME

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_NAME = re.compile(r"[^/\s:#\\~]+")
"""Conda refuses `/`, space, `:` and `#` in names (`conda.base.context.validate_prefix_name`)."""

_RESERVED = frozenset({"base", "root", ".", ".."})


def settings(environment: Mapping[str, str], *, home: Path, root: Path = Path("/")) -> Condarc:
    """Read where conda keeps environments, in the order in which it looks.

    That is what it was told (`read_condarc`), then `envs` of an installed conda or mamba if that may be written to,
    then `~/.conda/envs`.

    Args:
        environment: variables of the process.
        home: the user's home directory.
        root: of the file system.

    Raises:
        UserError: a settings file of conda cannot be read.
    """
    conda_root = find_conda_root(environment)
    told = read_condarc(environment, home=home, conda_root=conda_root, root=root)
    fixed = [home / ".conda/envs"] if home != NO_HOME else []
    if conda_root is not None:
        installed = conda_root / "envs"
        fixed = [installed, *fixed] if _may_write(conda_root) else [*fixed, installed]
    return Condarc(envs_dirs=tuple(dict.fromkeys((*told.envs_dirs, *fixed))), register=told.register)


def find_conda_root(environment: Mapping[str, str]) -> Path | None:
    """Find where conda or mamba is installed: its own variables first, then the `conda` in `PATH`.

    Conda's shell functions export `CONDA_EXE`, those of mamba `MAMBA_ROOT_PREFIX`.
    """
    if stated := environment.get("CONDA_ROOT_PREFIX"):
        return Path(stated)
    program = environment.get("CONDA_EXE") or which("conda", path=environment.get("PATH", ""))
    if program and (base := Path(program).resolve().parent.parent) and is_environment(base):  # <root>/bin/conda
        return base
    if mamba := environment.get("MAMBA_ROOT_PREFIX"):
        return Path(mamba)
    return None


def find(name: str, folders: Iterable[Path]) -> Path | None:
    """Find an environment that exists by its name; the first folder that has one wins."""
    return next((folder / name for folder in folders if is_environment(folder / name)), None)


def check_name(name: str) -> None:
    """Raise if conda would not take the name of an environment.

    Raises:
        UserError: it would not.
    """
    if not _NAME.fullmatch(name) or name in _RESERVED:
        raise UserError(f"{name!r} is not a valid environment name", hint="use letters, digits, `-`, `_` and `.`")


def place(name: str, folders: Iterable[Path]) -> Path:
    """Return where an environment is, or where it goes: the first folder that is writable.

    Raises:
        UserError: conda would not take the name.
        HostError: no folder may be written to.
    """
    check_name(name)
    every = tuple(folders)
    if found := find(name, every):
        return found
    writable = next((folder for folder in every if _may_write(folder)), None)
    if writable is None:
        listed = ", ".join(f"`{folder}`" for folder in every) or "none is known, and HOME is not set"
        raise HostError(
            f"no permission to write to any folder for environments: {listed}",
            hint="set CONDA_ENVS_DIRS to a writable folder, or use `--prefix`",
        )
    return writable / name


def check(prefix: Path) -> None:
    """Raise if an environment must not be created at `prefix`.

    Raises:
        UserError: there is something else, or an environment that another tool made, or the path is not UTF-8.
        HostError: it may not be written to.
    """
    try:
        str(prefix).encode()
    except UnicodeEncodeError:
        message = f"the path {str(prefix)!a} is not UTF-8, and records of conda are"
        raise UserError(message, hint="choose another `--prefix` or `--name`") from None
    if os.path.lexists(prefix) and not prefix.is_dir():
        what = "a file" if prefix.exists() else "a broken symbolic link"
        raise UserError(f"`{prefix}` is {what}, expected a folder", hint="choose another `--prefix` or `--name`")
    if not _may_write(prefix):
        raise HostError(f"no permission to write to `{prefix}`", hint="choose another `--prefix` or `--name`")
    if prefix.is_dir() and not (prefix / META).is_dir() and any(prefix.iterdir()):
        raise UserError(
            f"`{prefix}` is neither empty nor an environment: it has no `{META}`",
            hint="choose another `--prefix` or `--name`, or empty the folder",
        )
    if any(record_files(prefix)) and not (prefix / META / LOCK).exists():
        raise UserError(
            f"the environment `{prefix}` was created by another tool; packages not in the lock would be removed",
            hint="choose another `--prefix` or `--name`, or remove it first with `conda env remove`",
        )


def _may_write(path: Path) -> bool:
    """Return whether the path, or the nearest existing folder above, is writable; creates nothing."""
    # `Path.exists` would raise where one may not even look
    nearest = next(folder for folder in (path, *path.parents) if os.path.lexists(folder))
    return nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)
