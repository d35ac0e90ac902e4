"""What a lock holds is asked for ahead of the solve, and nothing that comes of it can fail the solve."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from envgen.errors import NetworkError
from envgen.resolve.ahead import ReadAhead
from envgen.resolve.upgrade import Upgrade
from tests.unit.lock.samples import lock

if TYPE_CHECKING:
    from envgen.packages import Wheel


@dataclass
class Index:
    """Notes what it is asked; fails for `broken`, and never answers for `slow`."""

    broken: str = ""
    slow: str = ""
    asked: dict[str, bool] = field(default_factory=dict)
    ended: list[str] = field(default_factory=list)

    async def ask_ahead(self, wheel: Wheel, *, metadata: bool) -> None:
        self.asked[wheel.project] = metadata
        if wheel.project == self.broken:
            raise NetworkError("the index is down")
        if wheel.project == self.slow:
            await asyncio.Event().wait()
        self.ended.append(wheel.project)


def read_ahead(index: Index, upgrade: Upgrade | None = None) -> None:
    async def work() -> None:
        ahead = ReadAhead(index=index)
        ahead.start(lock(), upgrade or Upgrade())
        await asyncio.sleep(0)
        await ahead.close()

    asyncio.run(work())


PROJECTS = {wheel.project for wheel in lock().wheels}


def test_every_wheel_is_asked_for() -> None:
    read_ahead(index := Index())
    assert index.asked == dict.fromkeys(PROJECTS, True)


def test_an_error_is_left_to_the_solve_and_nobody_waits_for_an_answer() -> None:
    read_ahead(index := Index(broken="torch", slow="jsonschema"))
    assert set(index.ended) == PROJECTS - {"torch", "jsonschema"}


def test_only_the_page_of_what_is_upgraded() -> None:
    read_ahead(index := Index(), Upgrade(names=frozenset({"torch"})))
    assert index.asked["torch"] is False
    assert index.asked["jsonschema"] is True
