"""The answer of a server, its body still to be read."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.errors import GoneError, NetworkError
from envgen.system.credentials import display

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

ABSENT = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})

_DOCUMENT_PIECE = 64 << 10
"""Bytes of a document read at once: larger pieces would each come from the system, see `memory`."""

_PIECE = 256 << 10
"""Bytes read at once. Measured on 888 MB: as cheap as reading into one buffer; 1 MiB costs a tenth more."""


class RangeUnsupportedError(NetworkError):
    """The server ignores range requests."""


class Response(Struct, frozen=True, kw_only=True):
    """An answer in full.

    Attributes:
        status: 200, 304 (where an ETag was given), or 404 (410 becomes 404); any where the document is optional.
        headers: lower-case names.
        body: decoded content.
        url: where it came from after redirects, without credentials; links in the body are relative to it.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str


class StreamedResponse(Struct, frozen=True, kw_only=True):
    """The head of an answer, with its body still to be read.

    Attributes:
        url: that answered, after redirects, without credentials.
        status: of HTTP.
        headers: lower-case names.
        read: returns further bytes of the body, none at its end: up to that many, or what came together of a large one.
    """

    url: str
    status: int
    headers: Mapping[str, str]
    read: Callable[[int], bytes]

    def pieces(self, size: int = _PIECE) -> Iterator[bytes]:
        """Yield the body in the pieces that `read` returns."""
        while data := self.read(size):
            yield data

    def body(self, limit: int) -> bytes:
        """Read the body.

        Raises:
            NetworkError: it has more than `limit` bytes.
        """
        found = bytearray()
        for piece in self.pieces(_DOCUMENT_PIECE):
            found += piece
            if len(found) > limit:
                raise NetworkError(f"{display(self.url)} returned more than {limit} bytes")
        return bytes(found)

    def refuse_absent(self) -> None:
        """Raise `GoneError` where the answer is that there is nothing."""
        if self.status in ABSENT:
            raise GoneError(f"{display(self.url)} does not exist (status {self.status})")

    def part(self, wanted: str, most: int) -> tuple[bytes, int]:
        """Read the answer to a range request.

        Args:
            wanted: the Range header of the request: `bytes=3-9` or `bytes=-7`.
            most: bytes that were asked for.

        Returns:
            The bytes, and the size of the whole file.

        Raises:
            RangeUnsupportedError: the answer is not the range asked for.
            NetworkError: it has more than `most` bytes.
        """
        shown = self.headers.get("content-range", "")
        found = re.fullmatch(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18})", shown)
        first = wanted.removeprefix("bytes=").partition("-")[0]
        if self.status != HTTPStatus.PARTIAL_CONTENT or not found or first not in {"", found[1]}:
            what = f"{display(self.url)} returned status {self.status} {shown}".rstrip()
            raise RangeUnsupportedError(f"{what} for a request of {wanted}")
        return self.body(most), int(found[2])
