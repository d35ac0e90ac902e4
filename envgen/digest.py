"""Digests: a type that proves the form of a sha256, and the one class that hashes bytes as they pass."""

from __future__ import annotations

import hashlib
import os
import re
from typing import TYPE_CHECKING, BinaryIO, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from io import BytesIO
    from typing import Self

    Data = bytes | bytearray | memoryview

_HEX = re.compile(r"[0-9a-f]{64}")

STRONG = ("sha256", "sha384", "sha512")
"""Algorithms that prove what a file is; the wheel specification permits no weaker ones in RECORD."""

FIXED_SIZE = frozenset(hashlib.algorithms_guaranteed) - {"shake_128", "shake_256"}
"""Algorithms that every Python has and whose digests have one size."""

_PIECE = 1 << 17
"""Bytes of a file read at once: they stay in the processor's cache while they are digested."""

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
        """Digest what is left of a binary stream, by one buffer that stays in the processor's cache."""
        return cls(hashlib.file_digest(cast("BytesIO", stream), "sha256").hexdigest())

    @classmethod
    def of_file(cls, descriptor: int) -> Self:
        """Digest what is left of an open file; of tens of thousands of small ones none gets a buffer of its own."""
        state = hashlib.sha256()
        while data := os.read(descriptor, _PIECE):
            state.update(data)
        return cls(state.hexdigest())

    @classmethod
    def of_pieces(cls, pieces: Iterable[Data]) -> Self:
        """Digest bytes that come in pieces."""
        state = hashlib.sha256()
        for piece in pieces:
            state.update(piece)
        return cls(state.hexdigest())

    @property
    def raw(self) -> bytes:
        """The 32 bytes."""
        return bytes.fromhex(self)


class Digest:
    """Hash and count bytes as they pass.

    Args:
        algorithm: a name that `hashlib` knows.
        sink: receives the same bytes.

    Attributes:
        size: bytes so far.
    """

    __slots__ = ("_sink", "_state", "size")

    def __init__(self, algorithm: str = "sha256", *, sink: Callable[[Data], object] | None = None) -> None:
        self._state = hashlib.sha256() if algorithm == "sha256" else _other(algorithm)
        self._sink = sink
        self.size = 0

    @property
    def name(self) -> str:
        """Name of the algorithm."""
        return self._state.name

    @property
    def sha256(self) -> Sha256:
        """Return the digest; the algorithm must be sha256."""
        return Sha256(self._state.hexdigest())

    def update(self, data: Data) -> None:
        """Hash and count the next bytes, and pass them on."""
        self._state.update(data)
        self.size += len(data)
        if self._sink:
            self._sink(data)

    def through(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Iterate over pieces, each hashed before it is yielded."""
        for piece in pieces:
            self.update(piece)
            yield piece

    def hexdigest(self) -> str:
        """Return the digest of the bytes so far as lower-case hexadecimal digits."""
        return self._state.hexdigest()

    def digest(self) -> bytes:
        """Return the digest of the bytes so far."""
        return self._state.digest()

    def copy(self) -> Digest:
        """Return another one at the same point, to continue from there."""
        other = Digest(self.name, sink=self._sink)
        other._state, other.size = self._state.copy(), self.size
        return other


def _other(algorithm: str) -> hashlib._Hash:
    # what conda-lock's models and old RECORDs ask for beside strong ones proves nothing here
    return hashlib.new(algorithm, usedforsecurity=algorithm in STRONG)


def chunks(stream: BinaryIO, size: int = CHUNK) -> Iterator[bytes]:
    """Yield what is left of a stream, at most `size` bytes at a time."""
    while data := stream.read(size):
        yield data


def copy_hashed(source: BinaryIO, target: BinaryIO, advance: Callable[[int], None] | None = None) -> tuple[Sha256, int]:
    """Copy a stream and digest it on the way.

    Returns:
        The sha256 and the number of bytes copied.
    """
    digest = Digest(sink=target.write)
    for chunk in chunks(source):
        digest.update(chunk)
        if advance:
            advance(len(chunk))
    return digest.sha256, digest.size
