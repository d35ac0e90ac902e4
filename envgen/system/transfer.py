"""One download as far as it has come: what to ask for next, and what its bytes digest to."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, BinaryIO

from envgen import limits
from envgen.digest import Digest, Sha256
from envgen.errors import IntegrityError
from envgen.system.fs import HashedFile
from envgen.system.retry import TransientError

if TYPE_CHECKING:
    from collections.abc import Callable

    from envgen.system.streamed_response import StreamedResponse


class Transfer:
    """Bytes on their way into `out`, which is empty at first and seekable.

    Progress is told once for each byte, also where the transfer has to start again.

    Attributes:
        done: bytes that `out` holds.
        resumed: whether they came in more than one answer.
        etag: the strong one of the file, where the server sends one.
    """

    def __init__(
        self, out: BinaryIO, *, what: str, size: int | None = None, advance: Callable[[int], None] | None = None
    ) -> None:
        self.done = 0
        self.resumed = False
        self.etag: str | None = None
        self._told = 0
        self._out = out
        self._what = what
        self._size = size
        self._advance = advance
        self._digest = Digest()

    @property
    def complete(self) -> bool:
        """Return whether all bytes are there, where their number is known."""
        return self.done == self._size

    @property
    def short(self) -> bool:
        """Return whether bytes are known to be missing."""
        return self.missing > 0

    @property
    def missing(self) -> int:
        """Return how many bytes are known to be missing."""
        return max(0, (self._size or 0) - self.done)

    def request_headers(self) -> dict[str, str]:
        """Return headers that request the missing bytes, and all bytes if the file has changed meanwhile."""
        if not self.done:
            return {}
        return {"Range": f"bytes={self.done}-"} | ({"If-Range": self.etag} if self.etag else {})

    def take(self, answer: StreamedResponse) -> None:
        """Append the bytes of a response: go on where they follow ours, else start again.

        Raises:
            TransientError: the file is shorter than what we have of it, so it has changed.
            IntegrityError: there are more bytes than there should be.
        """
        if answer.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            self.restart()
            raise TransientError(f"{self._what} changed during the download")
        if self.done and not self._follows(answer):
            self.restart()
        self.resumed = self.done > 0
        etag = answer.headers.get("etag", "")
        self.etag = None if etag.startswith("W/") else etag  # RFC 9110, 13.1.5: If-Range wants a strong one
        for data in answer.pieces():
            self.append(data)

    def _follows(self, answer: StreamedResponse) -> bool:
        begins = answer.headers.get("content-range", "").startswith(f"bytes {self.done}-")
        return answer.status == HTTPStatus.PARTIAL_CONTENT and begins

    def append(self, data: bytes) -> None:
        """Add the next bytes.

        Raises:
            IntegrityError: there are more than there should be.
        """
        if self._size is not None and self.done + len(data) > self._size:
            raise IntegrityError(f"{self._what} has more than the expected {self._size} bytes")
        if self.done + len(data) > limits.ARTIFACT:
            raise IntegrityError(f"{self._what} has more than {limits.ARTIFACT} bytes")
        self._out.write(data)
        if not isinstance(self._out, HashedFile):
            self._digest.update(data)
        self.done += len(data)
        if self._advance and self.done > self._told:
            self._advance(self.done - self._told)
        self._told = max(self._told, self.done)

    def restart(self) -> None:
        """Delete the bytes received so far."""
        if self.done:
            self._out.seek(0)
            self._out.truncate()
        self.done = 0
        self.resumed = False
        self._digest = Digest()

    def sha256(self) -> Sha256:
        """Digest the bytes."""
        return self._out.sha256() if isinstance(self._out, HashedFile) else self._digest.sha256
