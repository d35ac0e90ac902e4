"""What every tar that is written here shares: headers, the padding of bytes, and its end."""

from __future__ import annotations

import tarfile

MTIME = 315_532_800
"""Modification time of everything in an image: 1980-01-01T00:00:00Z, the first that zip files can hold.

With 0, building a wheel from files of the image fails: "ZIP does not support timestamps before 1980".
"""

END = bytes(1024)
"""Two blocks of zeros end a tar."""

BLOCK = 512
"""Bytes: headers have one block, files fill whole ones."""


_OCTAL = 8 << 30
"""Bytes that eleven octal digits cannot say any more."""


def padding(size: int) -> bytes:
    """Return the zeros that fill the last block of a file of `size` bytes."""
    return bytes(-size % BLOCK)


def header(name: str, size: int, *, mtime: int = MTIME) -> bytes:
    """Return the header of a regular file, mode 0644, of nobody.

    Args:
        name: ASCII, at most 100 characters.
        size: bytes; from 8 GiB on written in base 256, which every reader of the last twenty years knows.
        mtime: seconds since 1970.
    """
    info = tarfile.TarInfo(name)
    info.size, info.mtime = size, mtime
    return info.tobuf(tarfile.USTAR_FORMAT if size < _OCTAL else tarfile.GNU_FORMAT)
