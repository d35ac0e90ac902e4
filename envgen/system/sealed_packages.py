"""Packages of a store beside their seals: what is wrong with one, and whether a power failure can have hit it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from envgen.system.boots import read_synced, record_synced
from envgen.system.fs import explained
from envgen.system.seal import SEAL, adopt, confirm_seal, first_fault, read_seal, status_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from envgen.events import Reporter
    from envgen.system.boots import BootTime
    from envgen.system.seal import Seal

_SYNCED = "synced.json"

_SETTLED = 60 * 10**9
"""Nanoseconds after which Linux has written out most files by itself, so that waiting for the rest is short."""


class SealedPackages:
    """Packages of one store, compared with their seals.

    Args:
        root: of the store.
        reporter: hears when many files have to be read.
        clock: tells the boot and the time since.
    """

    def __init__(self, root: Path, *, reporter: Reporter, clock: Callable[[], BootTime]) -> None:
        self._root = root
        self._reporter = reporter
        self._clock = clock
        self._synced: dict[str, int] | None = None
        self._unsynced = self._told_boot = False

    def fault(self, folder: Path, *, read: bool) -> str | None:
        """Name what is wrong with a package; reads its files only where their status does not settle it."""
        if not folder.is_dir():
            return None
        with explained(self._root):
            seal = read_seal(folder)
            if seal is None:
                return None if adopt(folder) else SEAL
            if not read and self._outlived(seal) and seal.status == status_of(folder):
                return None
            fault = first_fault(folder, seal)
        if fault is None:
            with suppress(OSError):  # a store on a read-only file system serves all the same
                confirm_seal(folder, seal, boot=self._clock().boot)
        return fault

    def _outlived(self, seal: Seal) -> bool:
        """Tell whether no power failure can have come between a package and the disk."""
        now = self._clock()
        if self._synced is None:
            self._synced = read_synced(self._root / _SYNCED)
        synced = seal.at < self._synced.get(seal.boot, 0)
        if seal.boot == now.boot:
            self._unsynced |= bool(seal.boot) and not synced and now.at - seal.at > _SETTLED
            return True
        if not synced and seal.boot and not self._told_boot:
            self._told_boot = True
            self._reporter.note("reading cached packages that were written before this machine was started, once")
        return synced or not seal.boot

    def sync(self) -> None:
        """Have the packages of this boot on the disk that were found so far, unless they were written just now."""
        if self._unsynced:
            self._unsynced = False
            with suppress(OSError):  # they are read again then
                record_synced(self._root / _SYNCED, self._clock())
