"""Extra fields of zip headers: what a header holds beyond the name, as fields of id and data (APPNOTE.TXT 4.5)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ZIP64 = 0xFFFFFFFF
"""A size of 32 bits that stands for one in an extra field."""

_ZIP64_FIELD, _PATH_FIELD = 0x1, 0x7075
"""Extra fields (APPNOTE.TXT 4.5.3 and 4.6.9): sizes of 64 bits, and the path in UTF-8 after a version and a CRC-32."""

_PATH_START = 5


def other_names(extra: bytes) -> Iterator[str]:
    """Yield what else a member is called: Python before 3.12 goes by the directory, later ones by these."""
    for kind, data in _fields(extra):
        if kind == _PATH_FIELD and data[_PATH_START:]:
            yield data[_PATH_START:].decode("utf-8", "replace")


def zip64_sizes(extra: bytes, packed: int, size: int) -> tuple[int, int]:
    """Return the sizes that a local header states, of 64 bits where those of the header refer to them."""
    if ZIP64 not in (packed, size):
        return packed, size
    for kind, data in _fields(extra):
        if kind == _ZIP64_FIELD and len(data) >= 16:  # noqa: PLR2004 - both sizes must be there in a local header
            size, packed = struct.unpack_from("<QQ", data)
            break
    return packed, size


def _fields(extra: bytes) -> Iterator[tuple[int, bytes]]:
    """Split what a header holds beyond the name into fields: id and data."""
    while len(extra) >= 4:  # noqa: PLR2004 - a field's id and length
        kind, length = struct.unpack_from("<HH", extra)
        yield kind, extra[4 : 4 + length]
        extra = extra[4 + length :]
