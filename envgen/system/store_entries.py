"""What a store holds, kind by kind: where each kind is, what it takes on the disk, and what of it is old."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.system.fs import TEMPORARY, tree_files

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping
    from pathlib import Path


class StoreKind(StrEnum):
    """What the store holds; `temporary` are views, logs of builds and leftovers of processes that died.

    Everything can be had again: what is downloaded from where the locks say, what is made from that. The `channel` is
    written again by `envgen build`; no environment and no lock of this machine needs it, but other people's files may.
    """

    ARTIFACTS = "artifacts"
    PACKAGES = "packages"
    BLOBS = "blobs"
    CACHE = "cache"
    REPODATA = "repodata"
    CHANNEL = "channel"
    TEMPORARY = "temporary"


class Usage(Struct, frozen=True, kw_only=True):
    """What one kind takes.

    Attributes:
        kind: which.
        entries: artifacts, packages, facts or folders, not files.
        size: bytes; a file with several names counts once.
        shared: those of them that environments hold by hard links too: removing them here frees nothing.
    """

    kind: StoreKind
    entries: int
    size: int
    shared: int


class DiskUse(Struct, frozen=True, kw_only=True):
    """What files take: bytes of all, and of those all of whose names are known, which removing them frees."""

    size: int
    own: int


class Cleaned(Struct, frozen=True, kw_only=True):
    """What `clean` did.

    Attributes:
        entries: kind -> how many were removed.
        freed: bytes that the disk has back.
        kept: packages that stay because environments hold their files.
    """

    entries: Mapping[StoreKind, int]
    freed: int
    kept: int = 0


_PATTERNS = {
    StoreKind.ARTIFACTS: "artifacts/*/*",
    StoreKind.PACKAGES: "packages/*",
    StoreKind.BLOBS: "blobs/*/*",
    StoreKind.CACHE: "cache/*/*/*",
    StoreKind.REPODATA: "repodata/*",
    StoreKind.CHANNEL: "channel/*",  # by subdir, for an index without its archives would lie
}

_LEFT = ("views/*", f"packages/{TEMPORARY}*", f"artifacts/*/{TEMPORARY}*")


def entries(root: Path, kind: StoreKind) -> list[Path]:
    """List the paths of a kind in the store at `root`, sorted."""
    if kind is StoreKind.TEMPORARY:
        patterns = ("logs/*", f"cache/*/*/{TEMPORARY}*", *_LEFT)
        return sorted(path for pattern in patterns for path in root.glob(pattern))
    return sorted(path for path in root.glob(_PATTERNS[kind]) if not path.name.startswith(TEMPORARY))


def leftovers(root: Path) -> list[Path]:
    """List what only a process that holds `locks/store` has, and what is therefore nobody's where none does."""
    return [path for pattern in _LEFT for path in root.glob(pattern)]


def to_remove(
    root: Path, kinds: Iterable[StoreKind], limit: float | None, *, keep_linked: bool
) -> tuple[dict[StoreKind, list[Path]], int]:
    """List by kind the entries that were last used before `limit`; leftovers of processes that died always are.

    Args:
        root: of the store.
        kinds: to list.
        limit: seconds since 1970; None lists all.
        keep_linked: pass over packages whose files have further names, which they have in environments.

    Returns:
        The entries, and how many packages were passed over.
    """
    found = {kind: [path for path in entries(root, kind) if _is_older(path, kind, limit)] for kind in kinds}
    linked = {path for path in found.get(StoreKind.PACKAGES, ()) if keep_linked and _is_linked(path)}
    return {kind: [path for path in paths if path not in linked] for kind, paths in found.items()}, len(linked)


def _is_older(path: Path, kind: StoreKind, limit: float | None) -> bool:
    return limit is None or kind is StoreKind.TEMPORARY or path.stat().st_mtime < limit


def _is_linked(path: Path) -> bool:
    return any(status.st_nlink > 1 for status in tree_files(path))


def measure(kind: StoreKind, paths: list[Path]) -> Usage:
    """Read the status of every file of the entries `paths`."""
    use = disk_use(paths)
    return Usage(kind=kind, entries=len(paths), size=use.size, shared=use.size - use.own)


def only_here(paths: list[Path]) -> int:
    """Sum the bytes of files whose hard links are all below `paths`."""
    return disk_use(paths).own


def disk_use(paths: list[Path]) -> DiskUse:
    """Read the status of every file at or below `paths`, each file once however many names it has."""
    names: Counter[tuple[int, int]] = Counter()
    inodes: dict[tuple[int, int], os.stat_result] = {}
    for path in paths:
        for status in tree_files(path):
            identity = (status.st_dev, status.st_ino)
            names[identity] += 1
            inodes[identity] = status
    own = sum(status.st_size for identity, status in inodes.items() if names[identity] >= status.st_nlink)
    return DiskUse(size=sum(status.st_size for status in inodes.values()), own=own)
