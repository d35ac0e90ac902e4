"""Taking files out of a prefix, with what Python made of them and the folders that are then empty."""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

PYCACHE = "__pycache__"


def remove_paths(prefix: Path, paths: Iterable[str]) -> None:
    """Remove files and links; what is not there is fine, so an interrupted removal can be run again.

    Compiled files of removed sources go too. They would keep a package's folder alive, which Python then imports as
    a namespace package; and a source that is replaced by one of the same size and time would be taken for unchanged.

    Args:
        prefix: the environment.
        paths: relative to it, with forward slashes.
    """
    folders: set[str] = set()
    sources: dict[str, set[str]] = defaultdict(set)
    for path in paths:
        folder, _slash, name = path.rpartition("/")
        folders.add(folder)
        if name.endswith(".py"):
            sources[folder].add(name.removesuffix(".py"))
        _unlink(prefix / path)
    for folder, stems in sources.items():
        _remove_compiled(prefix / folder / PYCACHE, stems)
    _remove_empty(prefix, folders)


def _unlink(path: Path) -> None:
    try:
        path.unlink()
    except (FileNotFoundError, NotADirectoryError):
        return
    except (IsADirectoryError, PermissionError):
        # somebody made a folder of it, which is not ours (POSIX: unlink of a folder gives EPERM, on Linux EISDIR)
        if path.is_symlink() or not path.is_dir():
            raise


def _remove_compiled(cache: Path, stems: set[str]) -> None:
    if cache.is_symlink():  # it may lead out of the prefix, and Python makes none
        return
    try:
        names = os.listdir(cache)  # noqa: PTH208  names only
    except (FileNotFoundError, NotADirectoryError):
        return
    for name in names:  # module.cpython-311.opt-1.pyc
        if name.endswith(".pyc") and name.rpartition(".cpython-")[0] in stems:
            (cache / name).unlink(missing_ok=True)
    _rmdir(cache)


def _remove_empty(prefix: Path, folders: Iterable[str]) -> None:
    every = {
        str(parent) for folder in folders for parent in (PurePosixPath(folder), *PurePosixPath(folder).parents)
    } - {"."}
    for folder in sorted(every, key=lambda name: (-name.count("/"), name)):
        if not (prefix / folder).is_symlink():
            _rmdir(prefix / folder)


def _rmdir(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        return  # not empty, or gone: both are as they should be
