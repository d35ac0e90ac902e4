"""In which order, and how many at once, packages are fetched.

A wheel of 900 MB is work for the machine, which threads share; one of two thousand small files is work for Python,
which one thread does at a time. So one thread takes the smallest ones while others take the largest: with the small
ones last, all wait for Python in the end. Of pt28-accel on two cores, that is 27.1 s instead of 27.9 s.

Many threads slow each other down, and the largest wheel ends last: with six it took 30 to 31 s. But they fill a slow
line, so threads are added while the machine is idle.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

T = TypeVar("T")

WATCHED = 1.0
"""Seconds over which the time of processors is measured."""

_BUSY = 0.5
"""Share of the time of all cores: two threads that unpack what a fast line brings take 0.9 on two cores."""


class Turns(Generic[T]):
    """Hands out items to several threads.

    Args:
        items: what takes longest first.
        at_once: how many threads may have one.
    """

    def __init__(self, items: Iterable[T], *, at_once: int) -> None:
        self._waiting = deque(items)
        self._lock = threading.Lock()
        self._free = threading.Semaphore(at_once)
        self._small = False

    @contextmanager
    def next(self) -> Iterator[T]:
        """Yield the last item while no other thread has one from that end, else the first; each once.

        Raises:
            IndexError: there is none left.
        """
        with self._free:
            with self._lock:
                is_small, self._small = not self._small, True
                item = self._waiting.pop() if is_small else self._waiting.popleft()
            try:
                yield item
            finally:
                if is_small:
                    with self._lock:
                        self._small = False

    def widen(self) -> None:
        """Allow one more thread to have an item."""
        self._free.release()


class Load:
    """How busy this process keeps the machine.

    Args:
        cores: of the machine.
        clock: seconds.
        spent: seconds of processors that this process took.
    """

    def __init__(
        self,
        cores: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        spent: Callable[[], float] = time.process_time,
    ) -> None:
        self._cores = cores
        self._clock, self._spent = clock, spent
        self._since, self._before = clock(), spent()

    def is_low(self) -> bool:
        """Return whether cores were idle since the last measurement; False where it was less than a second ago."""
        now, spent = self._clock(), self._spent()
        if now - self._since < WATCHED:
            return False
        share = (spent - self._before) / ((now - self._since) * self._cores)
        self._since, self._before = now, spent
        return share < _BUSY
