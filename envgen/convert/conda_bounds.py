"""What a conda archive would unpack to, counted before anything is written: 2 kB can hold 5 GB."""

from __future__ import annotations

import bz2
import tarfile
import zipfile
from typing import TYPE_CHECKING, BinaryIO, cast

from envgen import limits
from envgen.inflate import Inflated

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_TAR_BLOCK = 512
"""Bytes of a header of tar (POSIX.1, ustar), what a member takes at least."""


def check_bounds(archive: Path) -> None:
    """Read a `.conda` or `.tar.bz2` to its end, and write nothing.

    Sparse files count as what they would fill. It costs a second for each GB that is packed.

    Raises:
        ValueError: it would unpack to more than `limits.PACKAGE` bytes or `limits.PACKAGE_FILES` files, or is damaged.
        OSError: it cannot be read, or its bzip2 is damaged.
    """
    total = files = 0
    try:
        for size in _sizes(archive):
            total, files = total + size, files + 1
            if total > limits.PACKAGE:
                raise ValueError(f"it unpacks to more than {limits.PACKAGE} bytes")
            if files > limits.PACKAGE_FILES:
                raise ValueError(f"it holds more than {limits.PACKAGE_FILES} files")
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, NotImplementedError, RuntimeError) as error:
        raise ValueError(str(error) or "it is damaged") from error


def _sizes(archive: Path) -> Iterator[int]:
    """Yield what each member takes."""
    if archive.suffix != ".conda":
        with bz2.open(archive) as packed:
            yield from _members(cast("BinaryIO", packed), "")
        return
    with zipfile.ZipFile(archive) as parts:
        for part in parts.infolist():
            if part.filename.endswith(".tar.zst"):
                with parts.open(part) as packed:
                    yield from _members(cast("BinaryIO", packed), ".zst")


def _members(packed: BinaryIO, ending: str) -> Iterator[int]:
    plain = cast("BinaryIO", Inflated(packed, ending, limit=limits.PACKAGE))
    with tarfile.open(fileobj=plain, mode="r|") as tar:
        for member in tar:
            tar.members = []  # type: ignore[attr-defined]  # it keeps every header that it saw
            yield member.size + _TAR_BLOCK
