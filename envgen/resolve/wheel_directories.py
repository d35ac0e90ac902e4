"""Zip directories of chosen wheels, and what they bring, as far as that is the same for all platforms.

Directories come from the store, or by ranges from where the index has the wheel; they are kept for ever.
"""

from __future__ import annotations

import asyncio
import zipfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from msgspec import Struct, field

from envgen.convert.wheel_directory import WheelDirectory, read_wheel_directory
from envgen.convert.wheel_preflight import foretell
from envgen.errors import ArtifactError, NetworkError
from envgen.packages import Wheel
from envgen.system.http import RangeUnsupportedError

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator
    from typing import BinaryIO

    from envgen.convert.wheel_preflight import Preflight
    from envgen.digest import Sha256
    from envgen.names import ProjectName
    from envgen.platforms import PythonMinor
    from envgen.records import Record
    from envgen.sources.indexes import WheelIndexes
    from envgen.sources.pypi_page import ProjectFile
    from envgen.system.store import Store

_KIND = "wheel-directories"

_REQUESTS = 12
"""Wheels that are read at once: each takes one or two round trips."""


class Unread(Struct, frozen=True, kw_only=True):
    """A wheel whose directory cannot be had now, and why; "" where its server has no ranges, which is no fault."""

    filename: str
    why: str


class ReadWheel(Struct, frozen=True, kw_only=True):
    """What is known of a wheel before it is downloaded.

    Attributes:
        directory: of its zip.
        contents: what it brings, or why it cannot be converted.
    """

    directory: WheelDirectory
    contents: Preflight | ArtifactError


class Directories(Struct, frozen=True, kw_only=True):
    """Reads the directories of wheels; two platforms that chose one wheel share the work.

    Attributes:
        store: keeps wheels and directories.
        index: says where wheels are.
        python: the minor version of the spec.
        trusted: projects whose RECORDs need not fit.
    """

    store: Store
    index: WheelIndexes
    python: PythonMinor
    trusted: Container[ProjectName]
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(_REQUESTS, "directories"))
    _kept: set[Sha256] = field(default_factory=set)
    _asked: dict[Sha256, asyncio.Task[ReadWheel | Unread]] = field(default_factory=dict)

    async def read(self, wheel: Wheel) -> ReadWheel | Unread:
        """Return the directory of a wheel, and what it brings.

        Raises:
            ArtifactError: the wheel is not a zip, or one that must not be unpacked.
        """
        return await asyncio.shield(self._task(wheel))

    def begin(self, records: Iterable[Record]) -> None:
        """Begin to read the directories of the wheels among some records, for somebody who asks for them later."""
        for record in records:
            if isinstance(record.origin, Wheel):
                self._task(record.origin)

    def _task(self, wheel: Wheel) -> asyncio.Task[ReadWheel | Unread]:
        if wheel.sha256 not in self._asked:
            self._asked[wheel.sha256] = task = asyncio.ensure_future(self._read(wheel))
            task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())  # raised for who asks
        return self._asked[wheel.sha256]

    def keep(self, wheel: Wheel, directory: WheelDirectory) -> None:
        """Record a directory that was found to be that wheel's: ranges are not proved by the wheel's digest."""
        if wheel.sha256 not in self._kept:
            self._kept.add(wheel.sha256)
            self.store.put(_KIND, wheel.sha256, directory.pack())

    def close(self) -> None:
        """Stop the threads; what was not started is dropped."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _read(self, wheel: Wheel) -> ReadWheel | Unread:
        loop = asyncio.get_running_loop()
        if found := await loop.run_in_executor(self._pool, self._here, wheel):
            return found
        if wheel.made:
            return Unread(filename=wheel.filename, why="")  # built on another machine
        try:
            file = await self.index.find(wheel)
            if file is None:
                return Unread(filename=wheel.filename, why="the index no longer lists it")
            return await loop.run_in_executor(self._pool, self._there, wheel, file)
        except RangeUnsupportedError:
            return Unread(filename=wheel.filename, why="")
        except (NetworkError, zipfile.BadZipFile) as error:
            return Unread(filename=wheel.filename, why=str(error))

    def _here(self, wheel: Wheel) -> ReadWheel | None:
        raw = self.store.cached(_KIND, wheel.sha256)
        if raw and (found := WheelDirectory.unpack(raw)):
            self._kept.add(wheel.sha256)
            return self._with_contents(wheel, found)
        path = self.store.artifact(wheel.sha256)
        if path is None:
            return None
        with path.open("rb") as stream:
            found = read_wheel_directory(stream, what=wheel.filename, size=path.stat().st_size)
        return self._with_contents(wheel, found)

    def _with_contents(self, wheel: Wheel, directory: WheelDirectory) -> ReadWheel:
        try:
            found = foretell(wheel, directory, python=self.python, trusted=wheel.project in self.trusted)
        except ArtifactError as error:
            return ReadWheel(directory=directory, contents=error)
        return ReadWheel(directory=directory, contents=found)

    def _there(self, wheel: Wheel, file: ProjectFile) -> ReadWheel | Unread:
        remote = self.index.open(file)
        try:
            found = read_wheel_directory(cast("BinaryIO", remote), what=file.filename, size=remote.size)
        except ArtifactError as error:
            if isinstance(error.__cause__, zipfile.BadZipFile):  # a proxy that cuts ranges wrongly: the digest decides
                return Unread(filename=file.filename, why=str(error))
            raise
        return self._with_contents(wheel, found)


@contextmanager
def wheel_directories(
    store: Store, index: WheelIndexes, *, python: PythonMinor, trusted: Container[ProjectName]
) -> Iterator[Directories]:
    """Open the directories of wheels; the threads stop with the block."""
    found = Directories(store=store, index=index, python=python, trusted=trusted)
    try:
        yield found
    finally:
        found.close()
