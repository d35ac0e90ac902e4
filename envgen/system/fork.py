"""Work shared with a fork of this process: many system calls made from Python, where threads wait for one another.

Each call of a thread hands the interpreter's lock over and back. To link 31,000 files takes 0.21 s in one thread,
0.23 s in two, and 0.13 s in two processes. A fork knows what this process knows, so that nothing is sent to it.
"""

from __future__ import annotations

import fcntl
import gc
import os
import pickle
import signal
import struct
import sys
import threading
import warnings
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Generic, TypeVar

from envgen.system.child import has_room

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import NoReturn

T = TypeVar("T")
R = TypeVar("R")

_NUMBER = struct.Struct("=L")


@contextmanager
def shared(
    items: Sequence[T], work: Callable[[T], R], advance: Callable[[int], object] = lambda _count: None
) -> Iterator[Callable[[], list[R]]]:
    """Do work on items in a fork while the block lasts, which can do something else meanwhile.

    Where this process has one processor, or cannot be forked, and in threads, it does all of them itself.

    Args:
        items: each is done once, by whoever is free; those of a fork that was killed are done again.
        work: what to do with one. It must not wait for a thread, for a fork has none of those of this process. Its
            result can be pickled.
        advance: told how many items more are done, or being done by the fork.

    Yields:
        A function that does its part of what is left, waits for the fork, and returns the results in the order of
        `items`. It raises what `work` raised, in whichever process. A block that ends without it ends the fork.
    """
    with ExitStack() as stack:
        try:
            one = stack.enter_context(_forked(items, work, advance)) if len(items) > 1 and _may_fork() else None
        except (OSError, RuntimeError):  # no more processes or files to be had, or a library refuses
            one = None
        yield one.finish if one else lambda: list(_alone(items, work, advance))


def _may_fork() -> bool:
    """Return whether a fork would help; one thread forks, for libraries refuse two at once (filelock)."""
    return sys.platform == "linux" and threading.current_thread() is threading.main_thread() and has_room()


def _alone(items: Sequence[T], work: Callable[[T], R], advance: Callable[[int], object]) -> Iterator[R]:
    for item in items:
        yield work(item)
        advance(1)


@contextmanager
def _forked(items: Sequence[T], work: Callable[[T], R], advance: Callable[[int], object]) -> Iterator[_Shared[T, R]]:
    with _memory_file("items") as queue, _memory_file("answers") as answers:
        one = _Shared(items, work, advance, queue, answers)
        try:
            one.start()
            yield one
        finally:
            one.close()


@contextmanager
def _memory_file(name: str) -> Iterator[int]:
    handle = os.memfd_create(name)
    try:
        yield handle
    finally:
        os.close(handle)


class _Shared(Generic[T, R]):
    """Items that two processes take turns at: both read their numbers from one file, whose position they share."""

    def __init__(
        self, items: Sequence[T], work: Callable[[T], R], advance: Callable[[int], object], queue: int, answers: int
    ) -> None:
        self._items = items
        self._work = work
        self._advance = advance
        self._queue = queue
        self._answers = answers
        self._parent = os.getpid()
        self._told = self._child = 0

    def start(self) -> None:
        with open(self._queue, "wb", closefd=False) as out:
            out.write(b"".join(map(_NUMBER.pack, range(len(self._items)))))
        os.lseek(self._queue, 0, os.SEEK_SET)
        with warnings.catch_warnings():
            # Python 3.12 warns that a fork may wait for a lock of a thread that it lacks: ours only asks the system
            warnings.simplefilter("ignore", DeprecationWarning)
            self._child = os.fork()
        if not self._child:
            self._serve()

    def finish(self) -> list[R]:
        found = {}
        for number, result in self._done():
            found[number] = result
            self._tell(os.lseek(self._queue, 0, os.SEEK_CUR) // _NUMBER.size)
        found |= self._answer()
        self._tell(len(self._items))
        return [found[n] if n in found else self._work(item) for n, item in enumerate(self._items)]

    def close(self) -> None:
        if self._child:
            with suppress(ProcessLookupError):
                os.kill(self._child, signal.SIGKILL)
            os.waitpid(self._child, 0)

    def _done(self) -> Iterator[tuple[int, R]]:
        # a fork whose parent has ended stops
        while self._parent in {os.getpid(), os.getppid()} and (number := self._take()) is not None:
            yield number, self._work(self._items[number])

    def _take(self) -> int | None:
        fcntl.lockf(self._queue, fcntl.LOCK_EX)  # reading moves the position, but of such a file not at one stroke
        try:
            raw = os.read(self._queue, _NUMBER.size)
        finally:
            fcntl.lockf(self._queue, fcntl.LOCK_UN)
        return int(_NUMBER.unpack(raw)[0]) if raw else None

    def _tell(self, taken: int) -> None:
        if taken > self._told:
            self._advance(taken - self._told)
            self._told = taken

    def _answer(self) -> dict[int, R]:
        status = os.waitpid(self._child, 0)[1]
        self._child = 0
        if status:
            return {}
        with open(self._answers, "rb", closefd=False) as stream:
            stream.seek(0)
            found: dict[int, R] | Exception = pickle.load(stream)  # noqa: S301  of our own fork
        if isinstance(found, Exception):
            raise found
        return found

    def _serve(self) -> NoReturn:
        """Work as the fork, and end without what the other process does at its end, such as closing connections."""
        code = 1
        try:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            gc.disable()  # a collection could end objects of libraries whose threads are not here
            with open(self._answers, "wb", closefd=False) as out:
                pickle.dump(self._attempt(), out, protocol=pickle.HIGHEST_PROTOCOL)
            code = 0
        finally:
            os._exit(code)

    def _attempt(self) -> dict[int, R] | Exception:
        try:
            return dict(self._done())
        except Exception as error:  # noqa: BLE001  the other process raises it
            return error
