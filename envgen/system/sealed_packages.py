"""Packages of a store beside their seals: what is wrong with one, and whether a power failure can have hit it."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from envgen.errors import ArtifactError
from envgen.system.boots import BootTime, read_synced, record_synced
from envgen.system.fork import shared
from envgen.system.os_faults import explained
from envgen.system.seal import (
    SEAL,
    confirm_seal,
    first_fault,
    is_own,
    is_unsealed,
    listed_bytes,
    observe,
    read_seal,
    write_seal,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from envgen.events import Reporter
    from envgen.system.seal import Seal, Statuses

_SYNCED = "synced.json"

_SETTLED = 60 * 10**9
"""Nanoseconds after which Linux has written out most files by itself, so that waiting for the rest is short."""


def refuse_unproven(package: Path) -> None:
    """Raise an ArtifactError: nothing but a seal tells what a package is."""
    raise ArtifactError(f"`{package.name}` has no seal")


class SealedPackages:
    """Packages of one store, compared with their seals.

    Args:
        root: of the store.
        reporter: hears when many files have to be read.
        clock: tells the boot and the time since.
        prove: raises an ArtifactError unless a package that was stored without a seal is what it says of itself.
    """

    def __init__(
        self,
        root: Path,
        *,
        reporter: Reporter,
        clock: Callable[[], BootTime],
        prove: Callable[[Path], object],
    ) -> None:
        self._root = root
        self._reporter = reporter
        self._clock = clock
        self._prove = prove
        self._observed: dict[str, tuple[Statuses, str]] = {}
        self._compared: dict[str, Statuses] = {}
        self._synced: dict[str, int] | None = None
        self._unsynced = self._told_boot = False

    @contextmanager
    def observing(self, folders: Sequence[Path]) -> Iterator[None]:
        """Read the status of the files of packages whose `fault` is asked next, in two processes.

        The block can use the time of this one.
        """
        ordered = sorted(folders, key=listed_bytes, reverse=True)  # neither process is left with a large one at the end
        with shared(ordered, observe) as finish:
            yield
            with explained(self._root):
                self._observed = dict(zip((folder.name for folder in ordered), finish(), strict=True))

    def fault(self, folder: Path, *, read: bool) -> str | None:
        """Describe what is wrong with a package; reads its files only where their status does not settle it."""
        observed = self._observed.pop(folder.name, None)
        if not folder.is_dir():
            return None
        with explained(self._root):
            seal = read_seal(folder)
            if seal is None:
                return self._adopt(folder)
            if not read and self._outlived(seal):
                statuses, digest = observed or observe(folder)
                if digest == seal.status:
                    self._compared[folder.name] = statuses
                    return None
            fault = first_fault(folder, seal)
        if fault is None:
            with suppress(OSError):  # a store on a read-only file system serves all the same
                confirm_seal(folder, seal, boot=self._clock().boot)
        return fault and _changed(fault)

    def statuses(self, key: str) -> Statuses:
        """Return the status of each file of a package as it fitted its seal; nothing where that was not asked."""
        return self._compared.get(key, {})

    def _adopt(self, folder: Path) -> str | None:
        """Seal a package that was stored without a seal and is proven now; say what is wrong with another one."""
        if not (is_unsealed(folder) and is_own(folder)):
            return _changed(SEAL)
        try:
            self._prove(folder)
        except ArtifactError as error:
            return f"was stored by another version of envgen and is not as it has to be ({error})"
        with suppress(OSError):  # a store on a read-only file system serves all the same
            write_seal(folder, BootTime(boot="", at=0), replace_seal=True)
        return None

    def _outlived(self, seal: Seal) -> bool:
        """Return whether no power failure can have come between a package and the disk."""
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
        """Sync the packages of this boot that were found so far, unless they were written just now."""
        if self._unsynced:
            self._unsynced = False
            with suppress(OSError):  # they are read again then
                record_synced(self._root / _SYNCED, self._clock())


def _changed(path: str) -> str:
    return f"was changed or damaged (`{path}`)"
