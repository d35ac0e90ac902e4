"""The wheels of locks at their indexes: where each is, and what each says of itself."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from envgen.errors import ArtifactError, OfflineError
from envgen.indexes import DEFAULT, NamedIndex, index_of
from envgen.manifest.select import load
from envgen.prepare.source_trees import direct_url
from envgen.sources import metadata_cache
from envgen.sources.indexes import WheelIndexes
from envgen.sources.pypi import WheelIndex
from envgen.together import together
from envgen.urls import without_login

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from envgen.digest import Sha256
    from envgen.lock.model import Lock
    from envgen.metadata import WheelMetadata
    from envgen.names import ProjectName
    from envgen.packages import Wheel
    from envgen.project.context import Context

_REQUESTS = 8
"""Project pages at once: enough to hide the way there and back."""


def locate(context: Context, locks: Iterable[Lock], *, known_only: bool = False) -> dict[Sha256, str]:
    """Find the address of every wheel, without any login in it: sha256 -> URL.

    Args:
        context: the world.
        locks: whose wheels.
        known_only: leave out wheels whose address is not known without the network, where it must not be used.

    Raises:
        GoneError: the index no longer offers one of them.
        NetworkError: the index cannot be reached.
    """
    locks = list(locks)
    wheels = _once(wheel for lock in locks for wheel in lock.wheels)
    label = "finding wheels"
    with (
        locked_indexes(context, locks) as index,
        context.reporter.progress(label, total=len(wheels), unit="wheels") as bar,
        ThreadPoolExecutor(_REQUESTS) as pool,
    ):

        def one(wheel: Wheel) -> str | None:
            try:
                url = direct_url(context, wheel.direct) if wheel.direct else index.locate(wheel)
            except OfflineError:
                if not known_only:
                    raise
                return None
            finally:
                bar.advance(1)
            return without_login(url)

        found = zip((wheel.sha256 for wheel in wheels), pool.map(one, wheels), strict=True)
        return {sha256: url for sha256, url in found if url is not None}


def metadata_of(context: Context, locks: Collection[Lock], *, fetch: bool) -> dict[Sha256, WheelMetadata]:
    """Read METADATA of the wheels of locks: sha256 -> what it says; without those that are gone or not valid.

    Args:
        context: the world.
        locks: of one spec or several.
        fetch: ask the index for what the cache lacks.

    Raises:
        NetworkError: the index cannot be reached.
    """
    every = _once(wheel for lock in locks for wheel in lock.wheels)
    read = {w.sha256: metadata_cache.known(context.store, w.sha256, w.project, w.version) for w in every}
    found = {sha: metadata for sha, metadata in read.items() if metadata is not None}
    missing = [wheel for wheel in every if wheel.sha256 not in found]
    if missing and fetch:
        found |= asyncio.run(_fetch_all(context, locks, missing))
    return found


async def _fetch_all(context: Context, locks: Iterable[Lock], wheels: Collection[Wheel]) -> dict[Sha256, WheelMetadata]:
    progress = context.reporter.progress("reading metadata of wheels", total=len(wheels), unit="wheels")
    with locked_indexes(context, locks) as index, progress as bar:

        async def one(wheel: Wheel) -> tuple[Sha256, WheelMetadata | None]:
            file = await index.find(wheel)
            try:
                return wheel.sha256, await index.metadata(file) if file else None
            except ArtifactError:
                return wheel.sha256, None
            finally:
                bar.advance(1)

        answers = await together(map(one, wheels))
    return {sha: metadata for sha, metadata in answers if metadata is not None}


@contextmanager
def wheel_indexes(
    context: Context,
    indexes: Mapping[str, NamedIndex],
    route: Callable[[ProjectName], str] | None = None,
    *,
    recent: bool = False,
) -> Iterator[WheelIndexes]:
    """Open the wheel indexes of a spec: the default one of this machine, and those that it names.

    Args:
        context: the world.
        indexes: of the spec, by name.
        route: names the index of a project; as the indexes say by default.
        recent: whether to take METADATA that was read a while ago and that no digest proves.
    """

    def open_index(name: str) -> WheelIndex:
        index = indexes.get(name, NamedIndex(name=name, url="", projects=()))
        base = context.mirrors.find_index(index, context.root).url if name else context.mirrors.resolve("ENVGEN_PYPI")
        return WheelIndex(
            http=context.http,
            store=context.store,
            base_url=base,
            warn=context.reporter.warn,
            name=name,
            undated=index.undated is not None,
            now=context.now,
            recent=recent,
            current=context.current_pages,
        )

    opened = WheelIndexes(open_index=open_index, route=route or partial(index_of, indexes=indexes))
    try:
        yield opened
    finally:
        opened.close()


@contextmanager
def locked_indexes(context: Context, locks: Iterable[Lock]) -> Iterator[WheelIndexes]:
    """Open the indexes that the wheels of locks come from; addresses stand in the spec, unless this machine sets them.

    Raises:
        SpecError: the spec has faults.
    """
    locks = list(locks)
    routes = {wheel.project: wheel.index for lock in locks for wheel in lock.wheels}
    with wheel_indexes(context, spec_indexes(context, locks), lambda project: routes.get(project, DEFAULT)) as index:
        yield index


def spec_indexes(context: Context, locks: Iterable[Lock]) -> dict[str, NamedIndex]:
    """Return the indexes of the specs of locks, as far as their wheels come from one; without those that are gone.

    Raises:
        SpecError: a spec has faults.
    """
    sources = {lock.source for lock in locks if any(wheel.index for wheel in lock.wheels)}
    found: dict[str, NamedIndex] = {}
    for path in (context.root / source for source in sorted(sources)):
        if path.is_file():
            found |= load(path).indexes
    return found


def _once(wheels: Iterable[Wheel]) -> list[Wheel]:
    """List each file once."""
    return list({wheel.sha256: wheel for wheel in wheels}.values())
