"""Answers that keep coming, and those that drip."""

from __future__ import annotations

import io
from collections import deque
from typing import TYPE_CHECKING, Any

import pytest

from envgen.system.pace import DripError, PacedSocket

if TYPE_CHECKING:
    from collections.abc import Iterable

LARGE = 2 * io.DEFAULT_BUFFER_SIZE


class Line(io.RawIOBase):
    """A line on which each packet, or fault, takes some seconds; it keeps its own clock."""

    def __init__(self, packets: Iterable[bytes | Exception], *, seconds: float) -> None:
        super().__init__()
        self._packets = iter(packets)
        self._seconds = seconds
        self.now = 0.0

    def readinto(self, buffer: Any) -> int:
        self.now += self._seconds
        packet = next(self._packets, b"")
        if isinstance(packet, Exception):
            raise packet
        memoryview(buffer)[: len(packet)] = packet
        return len(packet)

    def socket(self) -> PacedSocket:
        return PacedSocket(self, clock=lambda: self.now)


def read(socket: PacedSocket, size: int) -> bytes:
    buffer = bytearray(size)
    return bytes(buffer[: socket.readinto(buffer)])


def test_large_pieces_are_full_until_the_end() -> None:
    socket = Line([b"a" * LARGE, b"b" * 10, b"c" * (LARGE - 10), b"d"], seconds=1).socket()
    found = [read(socket, LARGE) for _ in range(4)]
    assert found == [b"a" * LARGE, b"b" * 10 + b"c" * (LARGE - 10), b"d", b""]


def test_what_a_header_is_read_by_comes_at_once() -> None:
    socket = Line(
        [b"HTTP/1.1 304 Not Modified\r\n\r\n", RuntimeError("waits for the next request")], seconds=1
    ).socket()
    assert read(socket, io.DEFAULT_BUFFER_SIZE) == b"HTTP/1.1 304 Not Modified\r\n\r\n"


def test_what_came_before_a_fault_is_kept() -> None:
    socket = Line([b"a" * 100, ConnectionResetError("gone"), b"never"], seconds=1).socket()
    assert read(socket, LARGE) == b"a" * 100
    with pytest.raises(ConnectionResetError, match="gone"):
        read(socket, LARGE)


@pytest.mark.parametrize("size", [1, LARGE])
def test_a_drip_is_given_up(size: int) -> None:
    socket = Line([b"x"] * 1000, seconds=1).socket()
    with pytest.raises(DripError, match="60 bytes in 60 s"):
        deque(iter(lambda: read(socket, size), b""), maxlen=0)


def test_a_slow_line_is_not() -> None:
    socket = Line([b"x" * 20] * 500, seconds=1).socket()
    assert len(read(socket, 500 * 20)) == 500 * 20


def test_a_pause_of_ours_is_no_drip() -> None:
    line = Line([b"x"] * 100, seconds=0.1)
    socket = line.socket()
    for _ in range(100):
        line.now += 100  # the file is written meanwhile
        assert read(socket, 1) == b"x"


def test_closing_it_closes_the_connection() -> None:
    line = Line([], seconds=1)
    line.socket().close()
    assert line.closed
