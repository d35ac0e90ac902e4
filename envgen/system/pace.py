"""Answers of a server, as long as they keep coming: one that drips one byte a second would hold us for ever.

The time-out of a connection is for each packet, so it does not end that. The library reads a body packet by packet, of
16 KiB at most where there is TLS, and each takes 20 us of Python: 4.8 GB take 6 s, while no other thread runs. Here
packets are put together below the library, which sees pieces as large as it asked for.
"""

from __future__ import annotations

import io
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_WINDOW = 60.0
"""Seconds of waiting in which bytes are counted: lines stand still for some when a radio changes its cell."""

_LEAST = 10
"""Bytes a second, as `http.low-speed-limit` of cargo; less is no line that anything could be done with."""


class DripError(Exception):
    """A server sends too slowly.

    Attributes:
        count: bytes that came.
        seconds: in which they came.
    """

    def __init__(self, count: int, seconds: float) -> None:
        super().__init__(f"{count} bytes in {seconds:.0f} s")
        self.count, self.seconds = count, seconds


class Pace:
    """Counts what comes, and how long it was waited for."""

    def __init__(self) -> None:
        self._came, self._waited = 0, 0.0

    def count(self, came: int, waited: float) -> None:
        """Count bytes that came in so many seconds.

        Raises:
            DripError: fewer than 600 bytes came in 60 seconds of waiting.
        """
        self._came += came
        self._waited += waited
        if self._waited < _WINDOW:
            return
        if self._came < _LEAST * _WINDOW:
            raise DripError(self._came, self._waited)
        self._came, self._waited = 0, 0.0


class PacedSocket(io.RawIOBase):
    """What a server sends, in pieces as large as the reader asks for; what comes too slowly is given up.

    Small pieces are returned as they come: the reader of a header may ask for more than is sent before its next
    request.

    Args:
        raw: of the connection.
        clock: seconds.
    """

    def __init__(self, raw: io.RawIOBase, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._raw = raw
        self._clock = clock
        self._pace = Pace()
        self._fault: Exception | None = None

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer; 0 at the end.

        Raises:
            DripError: as `Pace` says.
            OSError: as the connection says.
        """
        whole = memoryview(buffer)
        count = self._receive(whole)
        if len(whole) <= io.DEFAULT_BUFFER_SIZE:
            return count
        more = count
        while more and count < len(whole):
            try:
                more = self._receive(whole[count:])
            except Exception as fault:  # noqa: BLE001  raised by the next call: what came before is good
                self._fault = fault
                break
            count += more
        return count

    def close(self) -> None:
        """Close the connection's side of it."""
        self._raw.close()
        super().close()

    def _receive(self, buffer: memoryview) -> int:
        if self._fault:
            fault, self._fault = self._fault, None
            raise fault
        before = self._clock()
        count: int = self._raw.readinto(buffer)
        self._pace.count(count, self._clock() - before)
        return count
