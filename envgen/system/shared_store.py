"""Somebody's store that is only read: artifacts are copied from it, each with its digest computed.

The kernel forbids hard links to files of other users (`fs.protected_hardlinks`), so a file is cloned where the file
system can (`FICLONE`, which takes no space), and copied otherwise. Packages, layers and facts are not taken: they are
named by what they were made from, and nothing proves their bytes.
"""

from __future__ import annotations

import fcntl
import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from envgen.digest import Digest, Sha256, chunks
from envgen.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from envgen.events import Reporter

_FICLONE = 0x40049409
"""ioctl(2) of Linux, `linux/fs.h`: the target shares the blocks of the source until one of them is written."""

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedStore:
    """A store that is only read.

    Attributes:
        root: its folder.
        owners: user IDs whose files are taken.
        reporter: hears of files that are not used.
    """

    root: Path
    owners: frozenset[int]
    reporter: Reporter

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
                    self.reporter.warn(f"`{self._path(sha)}` is not used: it is not of a trusted owner")
                    return False
                if _copied(source, out, advance or (lambda _amount: None)) == sha:
                    return True
        except (FileNotFoundError, PermissionError):
            return False
        self.reporter.warn(f"`{self._path(sha)}` is damaged, and is not used")
        out.seek(0)
        out.truncate()
        return False

    def _path(self, sha: Sha256) -> Path:
        return self.root / "artifacts" / sha[:2] / sha

    def _is_trusted(self, status: os.stat_result) -> bool:
        return status.st_uid in self.owners and not status.st_mode & _OTHERS_WRITE


def _copied(source: BinaryIO, out: BinaryIO, advance: Callable[[int], None]) -> Sha256:
    """Clone or copy a file, and digest what was read."""
    with suppress(OSError):  # another file system, or one that cannot
        fcntl.ioctl(out.fileno(), _FICLONE, source.fileno())
        out.truncate(os.fstat(source.fileno()).st_size)  # tells a `HashedFile` that it was written past it
        advance(os.fstat(source.fileno()).st_size)
        return Sha256.of_stream(source)
    digest = Digest()
    for data in chunks(source):
        digest.update(data)
        out.write(data)
        advance(len(data))
    return digest.sha256
