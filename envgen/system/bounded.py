"""Work that may hang for ever, such as a DNS look-up or a driver, with a bound on the wait for it."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Attempt(Generic[T]):
    """A piece of work, begun at once in a thread of its own that does not keep the process alive.

    Args:
        work: returns something other than None.
    """

    def __init__(self, work: Callable[[], T]) -> None:
        self._began = time.monotonic()
        self._results: list[T] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._do, args=(work,), daemon=True)
        self._thread.start()

    def result(self, within: float) -> T | None:
        """Wait until the work is done, or has taken `within` seconds since it began: then None, and it is left alone.

        Raises:
            BaseException: what the work raised.
        """
        self._thread.join(max(0.0, self._began + within - time.monotonic()))
        if self._error:
            raise self._error
        return self._results[0] if self._results else None

    def _do(self, work: Callable[[], T]) -> None:
        try:
            self._results.append(work())
        except BaseException as error:  # noqa: BLE001  it is raised where somebody waits for the result
            self._error = error
