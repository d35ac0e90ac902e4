"""What a solve of one platform gives: the lock, and the text of both files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field

from envgen.digest import Sha256
from envgen.project.lock_files import LockPair

if TYPE_CHECKING:
    from pathlib import Path

    from envgen.lock.debian_lock import DebianLock
    from envgen.lock.model import Lock
    from envgen.records import Older


class Resolved(Struct, frozen=True, kw_only=True):
    """What will be written for one platform; `solved` is False where nothing changed and no index was asked."""

    lock: Lock
    debian: DebianLock | None
    text: str
    debian_text: str | None = field(default=None)
    older: tuple[Older, ...] = ()
    solved: bool = True

    def pair(self, path: Path) -> LockPair:
        """Return the two files as if they were read from `path` and beside it."""
        digest = Sha256.of(self.debian_text.encode()) if self.debian_text else None
        return LockPair(path=path, text=self.text, lock=self.lock, debian=self.debian, debian_digest=digest)
