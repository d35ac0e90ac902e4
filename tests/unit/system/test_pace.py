"""Bodies that keep coming, and those that drip."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from envgen.system.pace import paced
from envgen.system.retry import TransientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def line(pieces: list[bytes], *, seconds: float) -> tuple[Callable[[int], bytes], Callable[[], float]]:
    """Make a line on which each piece takes some seconds, and its clock."""
    now = [0.0]
    waiting: Iterator[bytes] = iter(pieces)

    def read(size: int) -> bytes:
        now[0] += seconds
        piece = next(waiting, b"")
        assert len(piece) <= size
        return piece

    return read, lambda: now[0]


def test_pieces_are_full_until_the_end() -> None:
    read, clock = line([b"ab", b"cd", b"e"], seconds=1)
    reader = paced(read, what="it", clock=clock)
    assert [reader(4), reader(4), reader(4)] == [b"abcd", b"e", b""]


def test_a_drip_is_given_up() -> None:
    read, clock = line([b"x"] * 1000, seconds=1)
    with pytest.raises(TransientError, match="https://a/b sent 60 bytes in 60 s"):
        paced(read, what="https://a/b", clock=clock)(1000)


def test_a_slow_line_is_not() -> None:
    read, clock = line([b"x" * 20] * 500, seconds=1)
    assert len(paced(read, what="it", clock=clock)(10_000)) == 10_000


def test_a_pause_of_ours_is_no_drip() -> None:
    read, clock = line([b"x" * 4096] * 4, seconds=100)
    reader = paced(read, what="it", clock=clock)
    assert [len(reader(4096)) for _ in range(5)] == [4096] * 4 + [0]
