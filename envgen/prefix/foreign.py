"""Distributions in a prefix that no package owns: what pip and uv installed beside the lock, or over a locked package.

They are found by their `dist-info` in site-packages. What belongs to one stands in its RECORD, which is foreign text:
paths outside the prefix, and those that packages own, are passed over.
"""

from __future__ import annotations

import csv
import os
import posixpath
from typing import TYPE_CHECKING

from msgspec import Struct

from envgen import limits
from envgen.names import project_name
from envgen.paths import parse_prefix_path
from envgen.prefix.transaction import unfinished

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path

    from envgen.names import ProjectName
    from envgen.prefix.installed import InstalledPackage

_SITES = "lib/python3*/site-packages"
_ENDINGS = (".dist-info", ".egg-info", ".egg-link")
_NAME = 100
"""Characters of an installer's name that are read."""


class ForeignPackage(Struct, frozen=True, kw_only=True):
    """A distribution that no package owns.

    Attributes:
        project: its name.
        version: as its folder says; "" where that says none.
        installer: who installed it, as it says itself, or "".
        folder: of its metadata, relative to the prefix.
        files: what belongs to it, relative to the prefix, without what packages own; empty where that is not known.
        replaces: name of the installed package that it was installed over, or None.
    """

    project: ProjectName
    version: str
    installer: str
    folder: str
    files: tuple[str, ...]
    replaces: str | None


def find_foreign(prefix: Path, installed: Iterable[InstalledPackage]) -> tuple[ForeignPackage, ...]:
    """Find the distributions that no package owns, sorted by folder.

    What an interrupted change left is none of them: it goes when that change is finished.

    Raises:
        IntegrityError: the mark of an interrupted change cannot be read.
    """
    every = tuple(installed)
    owned, left = _metadata_folders(every), unfinished(prefix)
    going = {place for path in (left.paths if left else ()) for place in (path, posixpath.dirname(path))}
    projects = {_project(folder): name for folder, name in owned.items()}
    files: frozenset[str] | None = None
    found = []
    for folder in _folders(prefix):
        if folder in owned or folder in going:
            continue
        files = files or frozenset(path for have in every for path in have.files)
        found.append(
            ForeignPackage(
                project=_project(folder),
                version=_version(folder),
                installer=_installer(prefix / folder),
                folder=folder,
                files=_files(prefix, folder, owned=files),
                replaces=projects.get(_project(folder)),
            )
        )
    return tuple(found)


def find_uninstalled(prefix: Path, installed: Iterable[InstalledPackage]) -> frozenset[str]:
    """Find the packages none of whose metadata is left, as after `pip uninstall`: their names."""
    owned = _metadata_folders(installed)
    left = {name for folder, name in owned.items() if (prefix / folder).exists()}
    return frozenset(owned.values()) - left


def leftovers(prefix: Path, installed: Iterable[InstalledPackage], names: Collection[str]) -> tuple[str, ...]:
    """List what pip wrote for packages that it installed again: files of their dist-info, or in their RECORD.

    Args:
        prefix: the environment.
        installed: all of its packages.
        names: of those that will be linked again.

    Returns:
        Paths that no package owns, sorted.
    """
    every = tuple(installed)
    folders = [folder for folder, name in _metadata_folders(every).items() if name in names]
    owned = frozenset(path for have in every for path in have.files)
    return tuple(sorted({path for folder in folders for path in _files(prefix, folder, owned=owned)}))


def _metadata_folders(installed: Iterable[InstalledPackage]) -> dict[str, str]:
    """Return the folders of metadata that packages own: folder -> name of the package."""
    found = {}
    for have in installed:
        for path in have.files:
            if "-info" in path:
                folder, name = posixpath.split(path)
                if path.endswith(".egg-info"):
                    found[path] = have.name
                elif name in {"METADATA", "PKG-INFO"} and folder.endswith(_ENDINGS):
                    found[folder] = have.name
    return found


def _folders(prefix: Path) -> Iterator[str]:
    for site in sorted(prefix.glob(_SITES)):
        below = site.relative_to(prefix).as_posix()
        yield from (f"{below}/{name}" for name in sorted(os.listdir(site)) if name.endswith(_ENDINGS))  # noqa: PTH208


def _project(folder: str) -> ProjectName:
    return project_name(_stem(folder).partition("-")[0])


def _version(folder: str) -> str:
    return _stem(folder).partition("-")[2].partition("-py")[0]  # of an egg: `1.0-py3.11`


def _stem(folder: str) -> str:
    return posixpath.splitext(posixpath.basename(folder))[0]


def _installer(folder: Path) -> str:
    try:
        with (folder / "INSTALLER").open("rb") as stream:
            return stream.read(_NAME).decode("utf-8", "replace").strip()
    except OSError:
        return ""


def _files(prefix: Path, folder: str, *, owned: Collection[str]) -> tuple[str, ...]:
    """List what belongs to a distribution: what its RECORD lists, and all of its dist-info."""
    listed = list(_listed(prefix / folder / "RECORD", posixpath.dirname(folder)))
    if not listed:
        return ()
    start = f"{prefix}/"
    inside = (f"{above}/{name}".removeprefix(start) for above, _, names in os.walk(start + folder) for name in names)
    return tuple(sorted({*listed, *inside} - set(owned)))


def _listed(record: Path, site_packages: str) -> Iterator[str]:
    """Yield the paths of a RECORD that may be in a prefix; none where it cannot be read."""
    try:
        with record.open("rb") as stream:
            rows = list(csv.reader(stream.read(limits.DOCUMENT).decode("utf-8", "replace").splitlines()))
    except (OSError, csv.Error):
        return
    paths = (posixpath.normpath(posixpath.join(site_packages, row[0])) for row in rows if row and row[0])
    yield from filter(_is_allowed, paths)


def _is_allowed(path: str) -> bool:
    try:
        parse_prefix_path(path)
    except ValueError:
        return False
    return True
