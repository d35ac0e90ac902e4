"""A short-lived package cache for `rattler.install`, made of links into the store.

Rattler takes `<cache>/<name>-<version>-<build>/` for an extracted package when a `.lock` file of the right form lies
beside it, follows a symbolic link there, and makes hard links of the files behind it. This is not documented: it was
tried with py-rattler 0.28 and `tests/unit/prefix/test_view.py` holds it.
"""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

from envgen.packages import Wheel
from envgen.prefix.contents import ENTRY_POINT, read_link, read_paths, without, without_entry_points

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from envgen.prefix.contents import Contents, LinkPackage

_REVISION = (1).to_bytes(8, "big")
"""Rattler's count of how often a cache entry was filled; then come 32 bytes of the archive's sha256, where known."""


def build_view(view: Path, contents: Iterable[Contents], clobbered: Mapping[str, frozenset[str]]) -> None:
    """Fill an empty folder with an entry for each package.

    Args:
        view: the folder, on the store's file system.
        contents: what the packages hold.
        clobbered: name -> paths in the prefix that another package owns: the entry does not list them.
    """
    for content in contents:
        package = content.package
        entry = view / package.record.dist
        gone = clobbered.get(package.record.name)
        if gone:
            _trimmed(entry, package, frozenset(item.source for item in content.items if item.claim.path in gone))
        else:
            entry.symlink_to(package.directory, target_is_directory=True)
        (view / f"{package.record.dist}.lock").write_bytes(_REVISION + _archive_digest(package))


def _archive_digest(package: LinkPackage) -> bytes:
    origin = package.record.origin
    return b"" if isinstance(origin, Wheel) else bytes.fromhex(origin.sha256)


def _trimmed(entry: Path, package: LinkPackage, clobbered: frozenset[str]) -> None:
    """Link the package's top-level names into a real folder, with an `info/` that does not list the clobbered paths."""
    entry.mkdir()
    for path in package.directory.iterdir():
        if path.name != "info":
            _show(path, entry / path.name)
    info = entry / "info"
    info.mkdir()
    _link_all(package.directory / "info", info)
    _replace(info / "paths.json", without(read_paths(package), clobbered))
    commands = frozenset(source.removeprefix(ENTRY_POINT) for source in clobbered if source.startswith(ENTRY_POINT))
    if commands:
        _replace(info / "link.json", without_entry_points(read_link(package), commands))


def _show(path: Path, there: Path) -> None:
    """Make a top-level name of a package appear in a view: rattler follows links to folders, and links links to files.

    A symbolic link to a file would come into the prefix as it is, and lead into the store.
    """
    if path.is_symlink():
        there.symlink_to(path.readlink())
    elif path.is_dir():
        there.symlink_to(path, target_is_directory=True)
    else:
        _same_file(path, there)


def _same_file(path: Path, there: Path) -> None:
    try:
        there.hardlink_to(path)
    except OSError:  # a file system without hard links, or with too many to this file: rattler copies there as well
        shutil.copy2(path, there)


def _link_all(source: Path, target: Path) -> None:
    for path in source.iterdir():
        (target / path.name).symlink_to(path, target_is_directory=path.is_dir())


def _replace(path: Path, document: object) -> None:
    path.unlink()
    path.write_text(json.dumps(document), encoding="utf-8")
