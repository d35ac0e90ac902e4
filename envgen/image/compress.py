"""Compressors of layers: the same input gives the same bytes on every machine.

What decides a byte of the output is fixed here: levels, how the input is cut, no threads. libdeflate and zstd give
the same on every CPU that was tried; ISA-L does not (levels 0 to 2 differ on aarch64, level 3 among x86 CPUs), so it
only inflates. The releases are pinned, since another release may compress differently.
"""

from __future__ import annotations

import hashlib
import struct
from enum import StrEnum
from typing import TYPE_CHECKING, BinaryIO, Protocol

import deflate
import zstandard

from envgen.digest import Sha256

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_PIECE = 4 << 20
"""Bytes that are compressed at once: a gzip member each, or one call of zstd. Memory stays flat with it."""

_GZIP_LEVEL = 6
_ZSTD_LEVEL = 3

_GZIP_HEADER = bytes.fromhex("1f8b0800000000000000") [:9] + b"\xff"
"""RFC 1952: DEFLATE, no flags, no time, no extra flags, unknown operating system."""


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


class Encoder(Protocol):
    """Takes the uncompressed bytes of a layer in order."""

    def write(self, data: bytes) -> None:
        """Take bytes to compress."""

    def splice(self, *, crc: int, size: int) -> None:
        """Begin"""

    def close(self) -> None:
        """Write what is left."""
