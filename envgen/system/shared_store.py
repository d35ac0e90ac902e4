"""Somebody's store that is only read: artifacts and packages are copied from it, each with its digests computed.

The kernel forbids hard links to files of other users (`fs.protected_hardlinks`), so a file is cloned where the file
system can (`FICLONE`, which takes no space), and copied otherwise. An artifact is proved by its name. A package is
named by what it was made from: its files are compared with the digests that its owner recorded, who is trusted for
that. Layers and facts are not taken.
"""

from __future__ import annotations

import os
import shutil
import stat
from threading import Lock
from typing import TYPE_CHECKING, BinaryIO

from msgspec import Struct, field

from envgen.digest import Digest, Sha256, chunks
from envgen.errors import UserError
from envgen.system.reflink import reflink
from envgen.system.seal import SEAL, first_fault, read_seal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from envgen.events import Reporter
    from envgen.system.seal import Seal

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


class SharedStore(Struct, frozen=True, kw_only=True):
    """A store that is only read.

    Attributes:
        root: its folder.
        owners: user IDs whose files are taken.
        reporter: hears of files that are not used.
        turn: held while a package is copied: thousands of small files are slower from several threads than from one.
    """

    root: Path
    owners: frozenset[int]
    reporter: Reporter
    turn: Lock = field(default_factory=Lock)

    def check(self) -> None:
        """Raise where the folder is not what it should be.

        Raises:
            UserError: it is not there, or others than its owner may write to it.
        """
        try:
            status = self.root.stat()
        except OSError as error:
            raise UserError(f"`shared-cache`: failed to open `{self.root}`: {error.strerror}") from error
        if not self._is_trusted(status):
            raise UserError(
                f"`shared-cache`: `{self.root}` belongs to user {status.st_uid}, or others may write to it",
                hint="name its owner with `shared-cache-owner`, and remove write access for everybody else",
            )

    def has(self, sha: Sha256) -> bool:
        """Return whether it has an artifact, whatever its bytes are."""
        return self._path(sha).is_file()

    def copy(self, sha: Sha256, out: BinaryIO, *, advance: Callable[[int], None] | None = None) -> bool:
        """Write an artifact to an empty file; return whether it is there, of a trusted owner, and has its digest."""
        try:
            with self._path(sha).open("rb") as source:
                if not self._is_trusted(os.fstat(source.fileno())):
                    self.reporter.warn(f"`{self._path(sha)}` is not used: its owner is not trusted")
                    return False
                if _copied(source, out, advance or (lambda _amount: None)) == sha:
                    return True
        except (FileNotFoundError, PermissionError):
            return False
        self.reporter.warn(f"`{self._path(sha)}` is damaged, and is not used")
        out.seek(0)
        out.truncate()
        return False

    def has_package(self, key: str) -> bool:
        """Return whether it has an extracted package, whatever is in it."""
        return (self._package(key) / SEAL).is_file()

    def copy_package(self, key: str, target: Path) -> bool:
        """Copy a package into an empty folder; return whether it is there, of trusted owners, and as it was sealed.

        The copy is what is compared, which nobody else can change meanwhile. Where it is not used, the folder holds
        what was copied.
        """
        source = self._package(key)
        try:
            with self.turn:
                seal = self._seal(source)
                _copy_tree(source, target, self._is_trusted)
                _refuse_damage(target, seal)
        except (FileNotFoundError, PermissionError):
            return False  # its owner cleans the store, or keeps the package private
        except _UnusableError as error:
            self.reporter.warn(f"package `{key}` of `shared-cache` is not used: {error}")
            return False
        return True

    def _seal(self, package: Path) -> Seal:
        if not self._is_trusted(package.parent.lstat()):
            raise _UnusableError("its folder is not of a trusted owner, or others may write to it")
        if seal := read_seal(package, owners=self.owners):
            return seal
        raise _UnusableError("it has no seal of a trusted owner")

    def _package(self, key: str) -> Path:
        return self.root / "packages" / key

    def _path(self, sha: Sha256) -> Path:
        return self.root / "artifacts" / sha[:2] / sha

    def _is_trusted(self, status: os.stat_result) -> bool:
        return status.st_uid in self.owners and not status.st_mode & _OTHERS_WRITE


class _UnusableError(Exception):
    """A package is damaged, or somebody who is not trusted could have written something of it."""


def _refuse_damage(package: Path, seal: Seal) -> None:
    if fault := first_fault(package, seal):
        raise _UnusableError(f"it was changed or damaged (`{fault}`)")


def _copy_tree(source: Path, target: Path, is_trusted: Callable[[os.stat_result], bool]) -> None:
    """Copy files with their modes and times, folders and links, but no seal.

    Raises:
        _UnusableError: somebody else could have written something of it, or it is neither file, folder nor link.
        FileNotFoundError, PermissionError: something is gone meanwhile, or private.
    """
    waiting = [""]
    while waiting:
        below = waiting.pop()
        if not is_trusted(os.lstat(source / below)):
            raise _UnusableError(f"`{below or '.'}` is not of a trusted owner, or others may write to it")
        with os.scandir(source / below) as entries:
            for entry in entries:
                path = f"{below}{entry.name}"
                if entry.is_symlink():
                    (target / path).symlink_to((source / path).readlink())
                elif entry.is_dir(follow_symlinks=False):
                    (target / path).mkdir(mode=0o755)
                    waiting.append(f"{path}/")
                elif path != SEAL:
                    _copy_file(source / path, target / path, is_trusted)


def _copy_file(source: Path, target: Path, is_trusted: Callable[[os.stat_result], bool]) -> None:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with open(os.open(source, flags), "rb", buffering=0) as there, target.open("xb", buffering=0) as here:  # noqa: PTH123
        status = os.fstat(there.fileno())
        if not (stat.S_ISREG(status.st_mode) and is_trusted(status)):
            raise _UnusableError(f"`{source.name}` is not a file of a trusted owner, or others may write to it")
        if not reflink(there, here):
            shutil.copyfileobj(there, here)
        os.fchmod(here.fileno(), stat.S_IMODE(status.st_mode) & 0o755)
        os.utime(here.fileno(), ns=(status.st_mtime_ns, status.st_mtime_ns))


def _copied(source: BinaryIO, out: BinaryIO, advance: Callable[[int], None]) -> Sha256:
    """Clone or copy a file, and digest what was read."""
    if reflink(source, out):
        out.truncate(os.fstat(source.fileno()).st_size)  # tells a `HashedFile` that it was written past it
        advance(os.fstat(source.fileno()).st_size)
        return Sha256.of_stream(source)
    digest = Digest()
    for data in chunks(source):
        digest.update(data)
        out.write(data)
        advance(len(data))
    return digest.sha256
