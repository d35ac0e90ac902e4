"""What the wheel index says of locked wheels today: withdrawn files, and projects that are archived or quarantined.

What was seen is kept with its date, so that the same answer is there without a network.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.errors import NetworkError
from envgen.prepare.wheel_index import locked_indexes
from envgen.together import together

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from envgen.digest import Sha256
    from envgen.lock.model import Lock
    from envgen.names import ProjectName
    from envgen.packages import Wheel
    from envgen.project.context import Context
    from envgen.sources.pypi_page import ProjectPage

_KEPT = "wheel-status"
_ACTIVE = "active"
"""The status of a project that PEP 792 has for all others."""


class WheelStatus(Struct, frozen=True, kw_only=True):
    """What the index said of one wheel.

    Attributes:
        seen: when it said so, aware.
        yanked: why its authors withdrew it, empty where they do not say; None where they did not.
        status: of its project (PEP 792), such as `archived` or `quarantined`; None for an active one.
        is_offered: whether the index still lists it.
    """

    seen: dt.datetime
    yanked: str | None
    status: str | None
    is_offered: bool

    @property
    def reasons(self) -> tuple[str, ...]:
        """Return how the index marks the wheel, in words; empty where it does not."""
        yanked = f"yanked: {self.yanked}" if self.yanked else "yanked"
        return tuple(
            reason
            for reason, holds in (
                (yanked, self.yanked is not None),
                (f"its project is {self.status}", self.status is not None),
                ("the index no longer lists it", not self.is_offered),
            )
            if holds
        )


def statuses(
    context: Context, locks: Sequence[Lock], *, fetch: bool
) -> tuple[Mapping[Sha256, WheelStatus], str | None]:
    """Return what the index says of wheels, and why it could not be asked; without wheels that nothing is known of.

    Args:
        context: the world.
        locks: whose wheels.
        fetch: ask the index; what was seen before counts otherwise, and where the index cannot be reached.
    """
    failure: str | None = None
    wheels = {wheel.sha256: wheel for lock in locks for wheel in lock.wheels}.values()
    if fetch:
        try:
            return asyncio.run(_fetch(context, locks, wheels)), None
        except NetworkError as error:
            failure = error.message
    kept = {wheel.sha256: _kept(context, wheel) for wheel in wheels}
    return {sha: status for sha, status in kept.items() if status}, failure


async def _fetch(context: Context, locks: Sequence[Lock], wheels: Collection[Wheel]) -> dict[Sha256, WheelStatus]:
    by_project: dict[ProjectName, list[Wheel]] = {}
    for wheel in wheels:
        by_project.setdefault(wheel.project, []).append(wheel)
    progress = context.reporter.progress("asking the wheel index", total=len(by_project), unit="projects")
    with locked_indexes(context, locks) as index, progress as bar:

        async def one(project: ProjectName) -> dict[Sha256, WheelStatus]:
            page = await index.page(project)
            bar.advance(1)
            return {wheel.sha256: _status(page, wheel, context.now) for wheel in by_project[project]}

        answers = await together(map(one, by_project))
    found = {sha: status for answer in answers for sha, status in answer.items()}
    for sha, status in found.items():
        context.store.put(_KEPT, sha, _pack(status))
    return found


def _status(page: ProjectPage | None, wheel: Wheel, now: dt.datetime) -> WheelStatus:
    version = wheel.filename.split("-", 2)[1]
    listed = page.files(version) if page and version in page.versions else ()
    file = next((file for file in listed if file.sha256 == wheel.sha256), None)
    return WheelStatus(
        seen=now,
        yanked=file.yanked_reason if file and file.yanked else None,
        status=page.status if page and page.status != _ACTIVE else None,
        is_offered=file is not None,
    )


def _pack(status: WheelStatus) -> bytes:
    facts = [status.seen.isoformat(), status.yanked, status.status, status.is_offered]
    return json.dumps(facts).encode()


def _kept(context: Context, wheel: Wheel) -> WheelStatus | None:
    kept = context.store.cached(_KEPT, wheel.sha256)
    if kept is None:
        return None
    seen, yanked, status, is_offered = json.loads(kept)
    return WheelStatus(seen=dt.datetime.fromisoformat(seen), yanked=yanked, status=status, is_offered=is_offered)
