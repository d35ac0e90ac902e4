"""Files of a package become folders with their bytes, joined and cut until they can be looked at."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from envgen.report.model import ReportedFolder

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_SHARE = 2000
"""Folders below this part of all bytes are left out: at 1280 pixels that is less than a square of 15 pixels."""


def folders_of(sizes: Mapping[str, int], *, total: int) -> tuple[ReportedFolder, ...]:
    """Return the folders of files, largest first.

    Args:
        sizes: path of a file -> bytes.
        total: bytes of everything that is shown beside them.
    """
    return _folders(((tuple(path.split("/")), size) for path, size in sizes.items()), least=max(1, total // _SHARE))


def _folders(files: Iterable[tuple[tuple[str, ...], int]], *, least: int) -> tuple[ReportedFolder, ...]:
    """Group files by the first part of their path; a large file counts as a folder without any."""
    inside: dict[str, list[tuple[tuple[str, ...], int]]] = defaultdict(list)
    for parts, size in files:
        inside[parts[0]].append((parts[1:], size))
    found = (_folder(name, some, least=least) for name, some in inside.items())
    return tuple(sorted((f for f in found if f.size >= least), key=lambda f: (-f.size, f.name)))


def _folder(name: str, files: list[tuple[tuple[str, ...], int]], *, least: int) -> ReportedFolder:
    size = sum(size for _parts, size in files)
    folders = _folders((file for file in files if file[0]), least=least) if size >= least else ()
    if len(folders) == 1 and folders[0].size == size:
        return ReportedFolder(name=f"{name}/{folders[0].name}", size=size, folders=folders[0].folders)
    return ReportedFolder(name=name, size=size, folders=folders)
