"""Files named by their digest, hashed once by each process: what was hashed is known by inode and size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.digest import Sha256

if TYPE_CHECKING:
    from pathlib import Path


class ProvenFiles:
    """Files whose bytes were seen to have a digest; safe in several threads, of which two may hash one file."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[int, ...]] = {}

    def add(self, path: Path) -> None:
        """Mark a file as proven, by the caller that hashed what was written to it."""
        self._known[path] = _identity(path)

    def has(self, path: Path, sha: Sha256) -> bool:
        """Return whether a file has a digest; reads it unless it is as it was when it was proven.

        Raises:
            OSError: it cannot be read.
        """
        identity = _identity(path)
        if self._known.get(path) == identity:
            return True
        with path.open("rb") as stream:
            if Sha256.of_stream(stream) != sha:
                return False
        self._known[path] = identity
        return True


def _identity(path: Path) -> tuple[int, ...]:
    status = path.stat()
    return (status.st_ino, status.st_size)  # times say when a file of the store was used last
