"""Compressed bytes from outside become plain ones, up to a bound: 2 kB can hold 5 GB."""

from __future__ import annotations

import gzip
import io
import lzma
import zlib
from typing import TYPE_CHECKING, BinaryIO, cast

import zstandard
from isal import igzip, isal_zlib

from envgen import limits

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed import WriteableBuffer

_PACKED = 1 << 16
"""Compressed bytes read at once."""

_MOST = 1 << 20
"""Bytes that one step yields."""

_BROKEN = (
    gzip.BadGzipFile,
    lzma.LZMAError,
    zlib.error,
    cast("type[Exception]", isal_zlib.error),  # isal's stub calls it an instance
    zstandard.ZstdError,
    EOFError,
)
"""What the libraries raise for a damaged stream."""


class InflateError(ValueError):
    """A stream that is damaged, or holds more than its bound."""


class Inflated:
    """A compressed stream, read as what is in it.

    Args:
        raw: the compressed stream.
        ending: of its file's name: `.gz`, `.xz`, `.zst`, or nothing where it is not compressed.
        limit: bytes that it may hold.
    """

    def __init__(self, raw: BinaryIO, ending: str, *, limit: int) -> None:
        self._stream = _OPEN[ending](raw)
        self._limit = limit
        self._left = limit

    def read(self, size: int = -1, /) -> bytes:
        """Read up to `size` bytes, all that is left if negative.

        Raises:
            InflateError: the stream is damaged, or holds more than the limit.
        """
        if size < 0:
            return b"".join(iter(lambda: self.read(_MOST), b""))
        try:
            found = self._stream.read(size)
        except _BROKEN as error:
            raise InflateError(f"it is damaged: {error}") from error
        self._left -= len(found)
        if self._left < 0:
            raise InflateError(f"it unpacks to more than {self._limit} bytes")
        return found


class _Xz(io.RawIOBase):
    """A stream of xz. Unlike `lzma.LZMAFile` it bounds memory too: a header may ask for 4 GB."""

    def __init__(self, raw: BinaryIO) -> None:
        super().__init__()
        self._raw = raw
        self._decoder = self._new()
        self._pending = b""

    def readable(self) -> bool:
        return True

    def readinto(self, target: WriteableBuffer, /) -> int:
        view = memoryview(target)
        while not (self._decoder.eof and not self._next()):
            found = self._decoder.decompress(self._input(), max_length=len(view))
            if found:
                view[: len(found)] = found
                return len(found)
        return 0

    def _input(self) -> bytes:
        if not self._decoder.needs_input:
            return b""
        data = self._pending or self._raw.read(_PACKED)
        self._pending = b""
        if not data:
            raise EOFError("it ends early")
        return data

    def _next(self) -> bool:
        """Open the next stream of the file, if there is one; zeros may stand between."""
        self._pending = self._decoder.unused_data.lstrip(b"\0") or self._raw.read(_PACKED).lstrip(b"\0")
        self._decoder = self._new() if self._pending else self._decoder
        return bool(self._pending)

    @staticmethod
    def _new() -> lzma.LZMADecompressor:
        return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=limits.XZ_MEMORY)


class _Raw(io.RawIOBase):
    """A stream that has only `read`, as isal wants it: into a buffer of its own."""

    def __init__(self, raw: BinaryIO) -> None:
        super().__init__()
        self._raw = raw

    def readable(self) -> bool:
        return True

    def readinto(self, target: WriteableBuffer, /) -> int:
        view = memoryview(target)
        found = self._raw.read(len(view))
        view[: len(found)] = found
        return len(found)


_OPEN: dict[str, Callable[[BinaryIO], BinaryIO]] = {
    "": lambda raw: raw,
    ".gz": lambda raw: cast("BinaryIO", igzip.IGzipFile(fileobj=_Raw(raw), mode="rb")),  # type: ignore[no-untyped-call]  # as isal's stub has it
    ".xz": lambda raw: cast("BinaryIO", io.BufferedReader(_Xz(raw), _PACKED)),
    ".zst": lambda raw: zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True),
}
