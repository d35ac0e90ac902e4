"""Several wheel indexes as one source: each project is asked for at the one index that it comes from."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from envgen.sources.pypi_page import file_project

if TYPE_CHECKING:
    from collections.abc import Callable

    from envgen.metadata import WheelMetadata
    from envgen.names import ProjectName
    from envgen.packages import Wheel
    from envgen.sources.pypi import WheelIndex
    from envgen.sources.pypi_metadata import RangeFile
    from envgen.sources.pypi_page import ProjectFile, ProjectPage


class WheelIndexes:
    """The indexes of a spec or lock, with the interface of one.

    What an index does not have is not there: no other index is asked.

    Args:
        open_index: opens the index of a name; called once for each that is needed.
        route: names the index that a project comes from.
    """

    def __init__(self, *, open_index: Callable[[str], WheelIndex], route: Callable[[ProjectName], str]) -> None:
        self._open = open_index
        self._route = route
        self._lock = threading.Lock()
        self._opened: dict[str, WheelIndex] = {}

    async def page(self, project: ProjectName) -> ProjectPage | None:
        """Fetch what the index of a project lists for it; see `WheelIndex.page`."""
        return await self._of(project).page(project)

    async def measured(self, file: ProjectFile) -> ProjectFile:
        """Return a listed file with its digest; see `WheelIndex.measured`."""
        return await self._of_file(file).measured(file)

    async def metadata(self, file: ProjectFile) -> WheelMetadata:
        """Read what a listed wheel says of itself; see `WheelIndex.metadata`."""
        return await self._of_file(file).metadata(file)

    async def find(self, wheel: Wheel) -> ProjectFile | None:
        """Return what the index of a chosen wheel lists of it, None for one from elsewhere; see `WheelIndex.find`."""
        return None if wheel.direct else await self._named(wheel.index).find(wheel)

    async def ask_ahead(self, wheel: Wheel, *, metadata: bool) -> None:
        """Ask for the page of a wheel's project and, where the wheel is listed, perhaps for its METADATA.

        Raises:
            NetworkError, ArtifactError: as `page` and `metadata` of the index; the next one who asks gets the same.
        """
        index = self._of(wheel.project)
        file = await index.find(wheel)
        if metadata and file is not None:
            await index.metadata(file)

    async def offers(self, wheel: Wheel) -> bool:
        """Return whether the index that the wheel's project comes from now has the wheel."""
        return bool(wheel.direct) or await self._of(wheel.project).find(wheel) is not None

    def open(self, file: ProjectFile) -> RangeFile:
        """Open a listed wheel to be read by ranges; see `WheelIndex.open`."""
        return self._of_file(file).open(file)

    def locate(self, wheel: Wheel) -> str:
        """Return the URL of a locked wheel at the index that it is locked from; see `WheelIndex.locate`."""
        return self._named(wheel.index).locate(wheel)

    @property
    def took_recent(self) -> bool:
        """Return whether METADATA was taken that was read a while ago and that no digest proves."""
        return any(index.took_recent for index in self._opened.values())

    def close(self) -> None:
        """Stop the threads of all indexes."""
        for index in self._opened.values():
            index.close()

    def _of(self, project: ProjectName) -> WheelIndex:
        return self._named(self._route(project))

    def _of_file(self, file: ProjectFile) -> WheelIndex:
        return self._of(file_project(file.filename))

    def _named(self, name: str) -> WheelIndex:
        with self._lock:
            if name not in self._opened:
                self._opened[name] = self._open(name)
            return self._opened[name]
