"""The body of a file as it comes; a broken transfer goes on at the byte where it broke."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from envgen.system.credentials import display
from envgen.system.retry import TransientError
from envgen.system.streamed_response import RangeUnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping
    from contextlib import AbstractContextManager

    from envgen.system.retry import RetryPolicy
    from envgen.system.streamed_response import StreamedResponse

    Open = Callable[[Mapping[str, str]], AbstractContextManager[StreamedResponse]]


class Flow:
    """The pieces of one body, from a server that may fail now and then.

    Args:
        url: what is read, for messages.
        ask: opens an answer, given the headers of the request.
        size: bytes of the file.
    """

    def __init__(self, url: str, ask: Open, *, size: int) -> None:
        self._url = url
        self._ask = ask
        self._size = size
        self._done = 0
        self._etag = ""
        self._running: Generator[bytes, None, None] | None = None

    def pieces(self, retry: RetryPolicy, *, hint: str) -> Iterator[bytes]:
        """Yield the body in pieces.

        Raises:
            GoneError: the file is not there.
            NetworkError: no answer after all tries, or one that means failure.
            RangeUnsupportedError: the rest of it cannot be had alone, or it has changed meanwhile.
        """
        try:
            while self._done < self._size:
                piece = retry.call(self._next, hint=hint)
                self._done += len(piece)
                yield piece
        finally:
            self._stop()

    def _next(self) -> bytes:
        try:
            self._running = self._running or self._answer()
            return next(self._running)
        except TransientError:
            self._stop()
            raise

    def _answer(self) -> Generator[bytes, None, None]:
        with self._ask({"Accept-Encoding": "identity"} | self._rest()) as answer:
            answer.refuse_absent()
            self._check(answer)
            yield from answer.pieces()
        raise TransientError(f"{display(self._url)} ended after {self._done} bytes")

    def _rest(self) -> dict[str, str]:
        if not self._done:
            return {}
        return {"Range": f"bytes={self._done}-"} | ({"If-Range": self._etag} if self._etag else {})

    def _check(self, answer: StreamedResponse) -> None:
        begins = answer.headers.get("content-range", "").startswith(f"bytes {self._done}-")
        if self._done and not (answer.status == HTTPStatus.PARTIAL_CONTENT and begins):
            raise RangeUnsupportedError(f"{display(self._url)}: the transfer broke after {self._done} bytes")
        etag = answer.headers.get("etag", "")
        self._etag = "" if etag.startswith("W/") else etag  # RFC 9110, 13.1.5: If-Range wants a strong one

    def _stop(self) -> None:
        running, self._running = self._running, None
        if running is not None:
            running.close()
