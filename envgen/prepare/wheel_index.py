"""The wheels of locks at their index: where each is, and what each says of itself."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

from envgen.errors import ArtifactError
from envgen.sources import metadata_cache
from envgen.sources.pypi import WheelIndex
from envgen.together import together
from envgen.urls import without_login

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from envgen.digest import Sha256
    from envgen.lock.model import Lock
    from envgen.metadata import WheelMetadata
    from envgen.packages import Wheel
    from envgen.project.context import Context

_REQUESTS = 8
"""Project pages at once: enough to hide the way there and back."""


def locate(context: Context, locks: Iterable[Lock]) -> dict[Sha256, str]:
    """Find the address of every wheel, without any login in it: sha256 -> URL.

    Raises:
        GoneError: the index no longer offers one of them.
        NetworkError: the index cannot be reached.
    """
    wheels = _once(wheel for lock in locks for wheel in lock.wheels)
    label = "finding wheels"
    with (
        wheel_index(context) as index,
        context.reporter.progress(label, total=len(wheels), unit="wheels") as bar,
        ThreadPoolExecutor(_REQUESTS) as pool,
    ):

        def one(wheel: Wheel) -> str:
            url = index.locate(wheel)
            bar.advance(1)
            return without_login(url)

        return dict(zip((wheel.sha256 for wheel in wheels), pool.map(one, wheels), strict=True))


def metadata_of(context: Context, wheels: Iterable[Wheel], *, fetch: bool) -> dict[Sha256, WheelMetadata]:
    """Read METADATA of wheels: sha256 -> what it says; without those that cannot be had or say nothing valid.

    Args:
        context: the world.
        wheels: any, some perhaps twice.
        fetch: ask the index for what the cache lacks.

    Raises:
        NetworkError: the index cannot be reached.
    """
    every = _once(wheels)
    read = {w.sha256: metadata_cache.known(context.store, w.sha256, w.project, w.version) for w in every}
    found = {sha: metadata for sha, metadata in read.items() if metadata is not None}
    missing = [wheel for wheel in every if wheel.sha256 not in found]
    if missing and fetch:
        found |= asyncio.run(_fetch_all(context, missing))
    return found


async def _fetch_all(context: Context, wheels: Collection[Wheel]) -> dict[Sha256, WheelMetadata]:
    label = "reading metadata of wheels"
    with wheel_index(context) as index, context.reporter.progress(label, total=len(wheels), unit="wheels") as bar:

        async def one(wheel: Wheel) -> tuple[Sha256, WheelMetadata | None]:
            page = await index.page(wheel.project)
            file = next((f for f in page.all_files() if f.sha256 == wheel.sha256), None) if page else None
            try:
                return wheel.sha256, await index.metadata(file) if file else None
            except ArtifactError:
                return wheel.sha256, None
            finally:
                bar.advance(1)

        answers = await together(map(one, wheels))
    return {sha: metadata for sha, metadata in answers if metadata is not None}


@contextmanager
def wheel_index(context: Context) -> Iterator[WheelIndex]:
    """Open the wheel index of this machine."""
    base_url = context.mirrors.resolve("ENVGEN_PYPI")
    index = WheelIndex(http=context.http, store=context.store, base_url=base_url, warn=context.reporter.warn)
    try:
        yield index
    finally:
        index.close()


def _once(wheels: Iterable[Wheel]) -> list[Wheel]:
    """List each file once."""
    return list({wheel.sha256: wheel for wheel in wheels}.values())
