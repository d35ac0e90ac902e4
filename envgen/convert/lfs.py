"""Pointers of Git LFS: what a checkout without git-lfs has in place of large files.

https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md
"""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_POINTER = b"version https://git-lfs.github.com/spec/v1\n"
"""First line of a pointer."""

_SMALL = 1024
"""Bytes: "Pointer files must be less than 1024 bytes in size"."""


def lfs_pointers(wheel: Path) -> tuple[str, ...]:
    """List the files of a wheel that are pointers, sorted."""
    with zipfile.ZipFile(wheel) as archive:
        small = (entry for entry in archive.infolist() if len(_POINTER) < entry.file_size < _SMALL)
        return tuple(sorted(entry.filename for entry in small if archive.read(entry).startswith(_POINTER)))
