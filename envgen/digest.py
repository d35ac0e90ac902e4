"""sha256 digests: a type that proves its form, and hashing while copying."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Self

_HEX = re.compile(r"[0-9a-f]{64}")

CHUNK = 1 << 20
"""Bytes moved at once: large enough that Python's share of the time vanishes, small enough to stay flat."""


class Sha256(str):
    """A sha256 as 64 lower-case hexadecimal digits.

    The constructor trusts its argument; `parse` checks it.
    """

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Check and take a digest, with or without a leading `sha256:`.

        Raises:
            ValueError: `text` is not 64 hexadecimal digits.
        """
        digits = text.removeprefix("sha256:").lower()
        if not _HEX.fullmatch(digits):
            raise ValueError(f"not a sha256: {text!r}")
        return cls(digits)

    @classmethod
    def of(cls, data: bytes) -> Self:
        """Digest bytes that are already in memory."""
        return cls(hashlib.sha256(data).hexdigest())

    @classmethod
    def of_stream(cls, stream: BinaryIO) -> Self:
        """Digest what is left of a binary stream."""
        state = hashlib.sha256()
        for chunk in chunks(stream):
            state.update(chunk)
        return cls(state.hexdigest())


def chunks(stream: BinaryIO, size: int = CHUNK) -> Iterator[bytes]:
    """Yield what is left of a stream, at most `size` bytes at a time."""
    while data := stream.read(size):
        yield data


def copy_hashed(source: BinaryIO, target: BinaryIO, advance: Callable[[int], None] | None = None) -> tuple[Sha256, int]:
    """Copy a stream and digest it on the way.

    Returns:
        The sha256 and the number of bytes copied.
    """
    state = hashlib.sha256()
    total = 0
    for chunk in chunks(source):
        state.update(chunk)
        target.write(chunk)
        total += len(chunk)
        if advance:
            advance(len(chunk))
    return Sha256(state.hexdigest()), total
