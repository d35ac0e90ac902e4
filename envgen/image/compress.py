"""Compressors of layers: the same input gives the same bytes on every machine.

What decides a byte of the output is fixed here: levels, how the input is cut, no threads. libdeflate and zstd give
the same on every CPU that was tried; ISA-L does not (levels 0 to 2 differ on aarch64, level 3 among x86 CPUs), so it
only inflates. The releases are pinned, since another release may compress differently.
"""

from __future__ import annotations

import struct
from contextlib import contextmanager
from enum import StrEnum
from importlib.metadata import version
from typing import TYPE_CHECKING, Protocol

import deflate
import zstandard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Data = bytes | memoryview
    Write = Callable[[Data], object]

_PIECE = 4 << 20
"""Bytes that are compressed at once: one gzip member, or one call of zstd. Memory stays flat with it."""

_GZIP_LEVEL = 6
_ZSTD_LEVEL = 3
"""pt28-accel, 9 GB, both cores: level 1 takes 13 s and gives 4.39 GB, level 3 takes 25 s and gives 3.85 GB."""

_MEMBER_HEADER = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
"""RFC 1952: DEFLATE, no flags, no time, no extra flags, an unknown operating system."""

_MEMBER_TRAILER = struct.Struct("<II")


class Compression(StrEnum):
    """How layers are compressed."""

    GZIP = "gzip"
    ZSTD = "zstd"
    NONE = "none"

    @property
    def media_type(self) -> str:
        """The media type of such a layer."""
        suffix = "" if self is Compression.NONE else f"+{self}"
        return f"application/vnd.oci.image.layer.v1.tar{suffix}"


COMPRESSORS = {
    Compression.GZIP: f"libdeflate {version('deflate')} {_GZIP_LEVEL}",
    Compression.ZSTD: f"zstd {zstandard.ZSTD_VERSION} {_ZSTD_LEVEL}",
    Compression.NONE: "none",
}
"""What decides the bytes of a compressed layer beside its content."""


class Encoder(Protocol):
    """Takes the bytes of a layer in order and writes them compressed."""

    def write(self, data: Data) -> None:
        """Take bytes; how they are cut into calls makes no difference to what comes out."""

    def close(self) -> None:
        """Write what is left."""


def encoder(compression: Compression, out: Write) -> Encoder:
    """Make the encoder of a layer that writes to `out`."""
    match compression:
        case Compression.GZIP:
            return GzipEncoder(out)
        case Compression.ZSTD:
            return _ZstdEncoder(out)
        case Compression.NONE:
            return _NoEncoder(out)


class GzipEncoder:
    """One gzip member after another; a DEFLATE stream that is there already becomes a member as it is.

    A gzip file is any number of members (RFC 1952, 2.2), and every reader of layers that was tried takes it so.
    """

    def __init__(self, out: Write) -> None:
        self._out = out
        self._waiting = bytearray()

    def write(self, data: Data) -> None:
        """Take bytes to compress."""
        self._waiting += data
        while len(self._waiting) >= _PIECE:
            self._flush(_PIECE)

    @contextmanager
    def member(self, *, crc: int, size: int) -> Iterator[Write]:
        """Yield a function that takes a DEFLATE stream, piece by piece.

        Args:
            crc: CRC-32 of what the stream inflates to.
            size: bytes of that.
        """
        self._flush(len(self._waiting))
        self._out(_MEMBER_HEADER)
        yield self._out
        self._out(_MEMBER_TRAILER.pack(crc, size & 0xFFFFFFFF))

    def close(self) -> None:
        """Write what is left."""
        self._flush(len(self._waiting))

    def _flush(self, count: int) -> None:
        if count:
            self._out(bytes(deflate.gzip_compress(bytes(self._waiting[:count]), _GZIP_LEVEL)))
            del self._waiting[:count]


class _ZstdEncoder:
    """One zstd frame, by one thread: with more, their number would show in the bytes."""

    def __init__(self, out: Write) -> None:
        self._out = out
        self._waiting = bytearray()
        self._frame = zstandard.ZstdCompressor(level=_ZSTD_LEVEL, write_checksum=True).compressobj()

    def write(self, data: Data) -> None:
        self._waiting += data
        while len(self._waiting) >= _PIECE:
            self._out(self._frame.compress(bytes(self._waiting[:_PIECE])))
            del self._waiting[:_PIECE]

    def close(self) -> None:
        self._out(self._frame.compress(bytes(self._waiting)))
        self._out(self._frame.flush())


class _NoEncoder:
    """Writes what it takes."""

    def __init__(self, out: Write) -> None:
        self._out = out

    def write(self, data: Data) -> None:
        self._out(data)

    def close(self) -> None:
        """Have nothing left."""
