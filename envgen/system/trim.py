"""The bound of a store: what was not used for longest goes, and nothing that environments share with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.errors import UserError
from envgen.system.fs import file_lock, remove_tree
from envgen.system.os_faults import explained
from envgen.system.store_entries import Cleaned, StoreKind, disk_use, entries

if TYPE_CHECKING:
    from pathlib import Path

_KINDS = (StoreKind.ARTIFACTS, StoreKind.PACKAGES, StoreKind.BLOBS)
"""What takes space: facts are small, and the channel is somebody's own."""


class Trimmed(Struct, frozen=True, kw_only=True):
    """What was removed, and what is left: bytes."""

    removed: Cleaned
    left: int


class _StoredThing(Struct, frozen=True, kw_only=True):
    kind: StoreKind
    path: Path
    used: float
    size: int
    shared: bool


def trim(root: Path, *, limit: int, unused_since: float) -> Trimmed | None:
    """Remove what was not used for longest until a store is no larger than its bound.

    Packages stay whose files environments link: they would be made again for the next environment, and removing them
    frees nothing.

    Args:
        root: of the store.
        limit: bytes.
        unused_since: seconds since 1970; what was used later stays.

    Returns:
        What was removed; None where nothing had to be, or another process uses the store.
    """
    if not (root / "locks").is_dir():
        return None
    try:
        with explained(root), file_lock(root / "locks/store", timeout=0):
            return _trim(root, limit, unused_since)
    except UserError:  # in use: the next command does it
        return None


def _trim(root: Path, limit: int, unused_since: float) -> Trimmed | None:
    every = [_entry(kind, path) for kind in _KINDS for path in entries(root, kind)]
    left = sum(entry.size for entry in every)
    if left <= limit:
        return None
    counts, freed = dict.fromkeys(_KINDS, 0), 0
    for entry in sorted(every, key=lambda entry: (entry.used, entry.path)):
        if left > limit and not entry.shared and entry.used < unused_since:
            remove_tree(entry.path)
            counts[entry.kind] += 1
            freed += entry.size
            left -= entry.size
    return Trimmed(removed=Cleaned(entries=counts, freed=freed), left=left)


def _entry(kind: StoreKind, path: Path) -> _StoredThing:
    use = disk_use([path])
    return _StoredThing(kind=kind, path=path, used=path.stat().st_mtime, size=use.size, shared=use.own < use.size)
