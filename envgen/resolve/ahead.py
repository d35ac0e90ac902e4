"""Reading ahead: what a solve will ask for is asked for while Debian is read, which tells the full version of Python.

What a lock holds is mostly locked again. Without a lock, the newest wheels that the minor version of Python allows are
mostly those that the full version allows.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct, field

from envgen.errors import ArtifactError, EnvgenError
from envgen.solve.foresee import foresee
from envgen.structs import replace

if TYPE_CHECKING:
    from collections.abc import Collection

    from envgen.lock.model import Lock
    from envgen.metadata import WheelMetadata
    from envgen.names import NameTable, ProjectName
    from envgen.packages import Wheel
    from envgen.resolve.upgrade import Upgrade
    from envgen.solve.task import IndexFile, IndexPage, SolveTask, WheelSource


class Foreseen(Protocol):
    """An index that is asked once; later callers get the same answer."""

    async def ask_ahead(self, wheel: Wheel, *, metadata: bool) -> None:
        """Request what a solve will need of a wheel; see `WheelIndexes.ask_ahead`."""


class ReadAhead(Struct, frozen=True, kw_only=True):
    """Asks an index for what locks hold, in the background; the index answers a solve with what came.

    A solve goes from a wheel to those that it requires, a round trip each time, and begins when Debian was read.
    """

    index: Foreseen
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def start(self, lock: Lock, upgrade: Upgrade) -> None:
        """Ask for the pages of a lock's projects, and for METADATA of the wheels that are to be kept."""
        for wheel in lock.wheels:
            if not wheel.direct:
                self._tasks.add(asyncio.create_task(self._ask(wheel, keep=not upgrade.covers(wheel.project))))

    def foresee(self, task: SolveTask, recipes: Collection[str]) -> None:
        """Ask for the pages and METADATA that a solve begins with.

        Args:
            task: of the solve, without recipes.
            recipes: names of the packages that recipes may offer: no index is asked for those.
        """
        seen = _Seen(wheels=task.wheels, names=task.names, recipes=recipes)
        self._tasks.add(asyncio.create_task(_foresee(replace(task, wheels=seen))))

    async def close(self) -> None:
        """Cancel the requests that nothing waits for."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _ask(self, wheel: Wheel, *, keep: bool) -> None:
        with suppress(EnvgenError):  # the solve asks again where it needs the answer, and raises
            await self.index.ask_ahead(wheel, metadata=keep and not wheel.made)


async def _foresee(task: SolveTask) -> None:
    with suppress(EnvgenError):  # as above
        await foresee(task)


class _Seen(Struct, frozen=True, kw_only=True):
    """An index, less what a solve may turn out not to need: projects of recipes, and downloads of whole wheels."""

    wheels: WheelSource
    names: NameTable
    recipes: Collection[str]

    async def page(self, project: ProjectName) -> IndexPage | None:
        return None if self.names.conda_name(project) in self.recipes else await self.wheels.page(project)

    async def measured(self, file: Any) -> IndexFile:
        raise ArtifactError(f"the wheel index has no sha256 for `{file.filename}`")

    async def metadata(self, file: Any) -> WheelMetadata:
        return await self.wheels.metadata(file)
