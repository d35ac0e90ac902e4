"""The body of an answer, as long as it keeps coming: a server that drips one byte a second would hold us for ever.

The time-out of a connection is for each packet, so it does not end that.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from envgen.system.retry import TransientError

if TYPE_CHECKING:
    from collections.abc import Callable

_WINDOW = 60.0
"""Seconds over which bytes are counted: lines stand still for some when a radio changes its cell."""

_LEAST = 10
"""Bytes a second, as `http.low-speed-limit` of cargo; less is no line that anything could be done with."""

_MOST = 1 << 16
"""Bytes asked for at once: TLS gives 16 KiB at most, and memory for each answer is set aside before it comes."""


def paced(
    read: Callable[[int], bytes], *, what: str, clock: Callable[[], float] = time.monotonic
) -> Callable[[int], bytes]:
    """Return a function that reads as `read` does, in full pieces, and gives up on what comes too slowly.

    Args:
        read: returns up to that many further bytes, as they come; none at the end.
        what: address for the message.
        clock: seconds.
    """
    since, came = clock(), 0

    def reader(size: int) -> bytes:
        nonlocal since, came
        found, left = list[bytes](), size
        while left and (piece := read(min(left, _MOST))):
            found.append(piece)
            left -= len(piece)
            came += len(piece)
            if (now := clock()) - since >= _WINDOW:
                if came < _LEAST * _WINDOW:
                    raise TransientError(f"{what} sent {came} bytes in {now - since:.0f} s")
                since, came = now, 0
        return b"".join(found)

    return reader
