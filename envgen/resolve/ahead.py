"""Reading ahead: what a lock holds is mostly locked again, so it is asked for before the solve comes to it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from envgen.errors import EnvgenError

if TYPE_CHECKING:
    from envgen.lock.model import Lock
    from envgen.packages import Wheel
    from envgen.resolve.upgrade import Upgrade


class Foreseen(Protocol):
    """An index that is asked once; later callers get the same answer."""

    async def ask_ahead(self, wheel: Wheel, *, metadata: bool) -> None:
        """Request what a solve will need of a wheel; see `WheelIndexes.ask_ahead`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadAhead:
    """Asks an index for what locks hold, in the background; the index answers a solve with what came.

    A solve goes from a wheel to those that it requires, a round trip each time, and begins when Debian was read.
    """

    index: Foreseen
    _tasks: set[asyncio.Task[None]] = field(init=False, default_factory=set)

    def start(self, lock: Lock, upgrade: Upgrade) -> None:
        """Ask for the pages of a lock's projects, and for METADATA of the wheels that are to be kept."""
        for wheel in lock.wheels:
            if not wheel.direct:
                self._tasks.add(asyncio.create_task(self._ask(wheel, keep=not upgrade.covers(wheel.project))))

    async def close(self) -> None:
        """Cancel the requests that nothing waits for."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _ask(self, wheel: Wheel, *, keep: bool) -> None:
        with suppress(EnvgenError):  # the solve asks again where it needs the answer, and raises
            await self.index.ask_ahead(wheel, metadata=keep and not wheel.made)
