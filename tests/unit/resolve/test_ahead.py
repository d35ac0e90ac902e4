"""What a solve will need is asked for ahead of it, and nothing that comes of it can fail the solve."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from envgen.errors import NetworkError
from envgen.resolve.ahead import ReadAhead
from envgen.resolve.upgrade import Upgrade
from tests.unit.lock.samples import lock
from tests.unit.solve.fakes import FakeIndex, task

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


def foresee(index: FakeIndex, *lines: str) -> None:
    async def work() -> None:
        ahead = ReadAhead(index=Index())
        ahead.foresee(task(index, *lines), {"tool"})
        for _ in range(20):
            await asyncio.sleep(0)
        await ahead.close()

    asyncio.run(work())


def test_without_a_lock_the_newest_wheels_and_what_they_require_are_read() -> None:
    index = FakeIndex()
    index.add("spam", "1.0", "old")
    index.add("spam", "2.0", "ham", "tool")
    for name in ("old", "ham", "tool"):
        index.add(name)
    foresee(index, "spam")
    assert index.read == ["spam-2.0-py3-none-any.whl", "ham-1.0-py3-none-any.whl"]  # a recipe offers `tool`


def test_no_wheel_is_downloaded_to_be_read_ahead() -> None:
    index = FakeIndex()
    index.add("spam", digest=False)
    index.pages["spam"].measurable = True
    foresee(index, "spam")
    assert index.read == []


def test_a_fault_of_the_spec_or_of_the_index_is_left_to_the_solve() -> None:
    index = FakeIndex()
    index.add("spam", "1.0", "missing ==1.*.2")
    foresee(index, "spam", "nowhere >5")
    foresee(index, "spam", "spam >1,<1")
