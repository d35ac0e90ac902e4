"""What every tar of an image shares: the time of its members, the padding of their bytes, and its end."""

from __future__ import annotations

MTIME = 315_532_800
"""Modification time of everything in an image: 1980-01-01T00:00:00Z, the first that zip files can hold.

With 0, building a wheel from files of the image fails: "ZIP does not support timestamps before 1980".
"""

END = bytes(1024)
"""Two blocks of zeros end a tar."""

_BLOCK = 512


def padding(size: int) -> bytes:
    """Return the zeros that fill the last block of a file of `size` bytes."""
    return bytes(-size % _BLOCK)
