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
from types import SimpleNamespace
from typing import TYPE_CHECKING, BinaryIO, Protocol, cast

import deflate
import zstandard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Data = bytes | bytearray | memoryview
    Write = Callable[[Data], object]

_MEMBER = 4 << 20
"""Bytes that become one gzip member. Memory stays flat with it."""

_CALL = 1 << 18
"""Bytes of one call of zstd: what a core's cache holds. They make no difference to what comes out."""

_PACKED = 2 * _CALL
"""Bytes of zstd's output that are collected: blocks that fit into them are written there without a copy."""

_GZIP_LEVEL = 1
"""Of 105 MB of Debian's libraries, level 1 makes 39.2 MB at 181 MB/s, level 6 makes 36.1 MB at 78 MB/s.

What wheels bring is not compressed again, so that all of pt28-accel grows by less than a hundredth.
"""

_ZSTD = zstandard.ZstdCompressionParameters.from_level(1, hash_log=17, window_log=23, write_checksum=True)
"""Level 1 with a larger table (512 kB, which a core's cache holds) and window (8 MB, which every decoder takes).

Of 957 MB of libraries, level 1 makes 475 MB in 1.6 s, level 3 makes 429 MB in 3.6 s, and this 429 MB in 2.1 s. Half
the table takes a tenth less time and makes all of pt28-accel 4.20 GB instead of 4.01.
"""

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
        """Return the media type of such a layer."""
        suffix = "" if self is Compression.NONE else f"+{self}"
        return f"application/vnd.oci.image.layer.v1.tar{suffix}"


COMPRESSORS = {
    Compression.GZIP: f"libdeflate {version('deflate')} {_GZIP_LEVEL}",
    Compression.ZSTD: f"zstd {zstandard.ZSTD_VERSION} 1 17 23",
    Compression.NONE: "none",
}
"""What decides the bytes of a compressed layer beside its content."""


class Encoder(Protocol):
    """Takes the bytes of a layer in order and writes them compressed."""

    def write(self, data: Data) -> None:
        """Compress bytes; the output does not depend on how they are split into calls."""

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


class _Pieces:
    """Hands on what it takes in pieces of one size, however it comes, at one copy."""

    def __init__(self, take: Callable[[memoryview], object], *, size: int) -> None:
        self._take = take
        self._held = memoryview(bytearray(size))
        self._count = 0

    def write(self, data: Data) -> None:
        rest = memoryview(data)
        while size := min(len(rest), len(self._held) - self._count):
            self._held[self._count : self._count + size] = rest[:size]
            self._count += size
            rest = rest[size:]
            if self._count == len(self._held):
                self.flush()

    def flush(self) -> None:
        if self._count:
            self._take(self._held[: self._count])
            self._count = 0


class GzipEncoder:
    """One gzip member after another; a DEFLATE stream that is there already becomes a member as it is.

    A gzip file is any number of members (RFC 1952, 2.2), and every reader of layers that was tried takes it so.
    """

    def __init__(self, out: Write) -> None:
        self._out = out
        self._pieces = _Pieces(lambda piece: out(deflate.gzip_compress(piece, _GZIP_LEVEL)), size=_MEMBER)
        self.write = self._pieces.write

    @contextmanager
    def member(self, *, crc: int, size: int) -> Iterator[Write]:
        """Yield a function that takes a DEFLATE stream, piece by piece.

        Args:
            crc: CRC-32 of what the stream inflates to.
            size: bytes of that.
        """
        self._pieces.flush()
        self._out(_MEMBER_HEADER)
        yield self._out
        self._out(_MEMBER_TRAILER.pack(crc, size & 0xFFFFFFFF))

    def close(self) -> None:
        """Write what is left."""
        self._pieces.flush()


class _ZstdEncoder:
    """One zstd frame, by one thread: with more, their number would show in the bytes."""

    def __init__(self, out: Write) -> None:
        sink = cast("BinaryIO", SimpleNamespace(write=out))
        frame = zstandard.ZstdCompressor(compression_params=_ZSTD)
        self._frame = frame.stream_writer(sink, write_size=_PACKED, closefd=False)
        self._pieces = _Pieces(self._frame.write, size=_CALL)

    def write(self, data: Data) -> None:
        if len(data) < _CALL // 4:
            self._pieces.write(data)
        else:  # spares the copy
            self._pieces.flush()
            self._frame.write(data)

    def close(self) -> None:
        self._pieces.flush()
        self._frame.flush(zstandard.FLUSH_FRAME)


class _NoEncoder:
    """Writes what it takes."""

    def __init__(self, out: Write) -> None:
        self._out = out

    def write(self, data: Data) -> None:
        self._out(data)

    def close(self) -> None:
        """Do nothing: no byte is buffered."""
