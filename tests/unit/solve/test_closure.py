from __future__ import annotations

import asyncio

import pytest
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from envgen.errors import NetworkError
from envgen.names import NameTable, ProjectName, project_name
from envgen.solve.closure import ClosureContext, Depth, WheelClosure
from envgen.solve.listing import Rules
from tests.unit.solve.fakes import FakeIndex, target

SPAM = project_name("spam")


async def always(project: ProjectName) -> bool:
    return True


def closure(index: FakeIndex) -> WheelClosure:
    on = target()
    return WheelClosure(
        ClosureContext(
            wheels=index,
            target=on,
            rules=Rules.of(on, python="3.11.2", exclude_newer=None),
            names=NameTable(),
            python="3.11.2",
            required={},
            preferred={},
            index_owns=always,
        )
    )


def offered(found: WheelClosure) -> dict[str, list[str]]:
    asyncio.run(found.collect())
    return {name: sorted(map(str, known.candidates)) for name, known in found.projects.items()}


def many(*versions: str) -> FakeIndex:
    index = FakeIndex()
    for version in versions:
        index.add("spam", version)
    return index


def test_one_wheel_for_each_specifier_and_for_each_two() -> None:
    found = closure(many("1", "2", "3", "4", "5", "6"))
    for text in ("", "<6", "!=5", ">=2"):
        found.ask(SPAM, SpecifierSet(text))
    assert offered(found) == {"spam": ["4", "5", "6"]}


def test_an_unusable_wheel_gives_way_to_the_next() -> None:
    index = many("1", "2")
    index.add("spam", "3", "ham (>1 or <2)")
    found = closure(index)
    found.ask(SPAM, SpecifierSet(">1"))
    assert offered(found) == {"spam": ["2"]}
    listing = found.projects[SPAM].listing
    assert listing is not None
    assert list(listing.unusable) == [Version("3")]


def test_metadata_of_something_else_is_refused() -> None:
    index = many("1")
    index.pages["spam"].wheels["2"] = [index.add("ham", "2")]
    found = closure(index)
    found.ask(SPAM, SpecifierSet())
    assert offered(found) == {"spam": ["1"]}


def test_widening_goes_back_densely_and_in_leaps() -> None:
    found = closure(many(*map(str, range(40))))
    found.ask(SPAM, SpecifierSet("<30"))
    assert offered(found) == {"spam": ["29"]}
    assert found.widen(SPAM, Depth(2, 16))
    assert offered(found) == {"spam": sorted(["29", "28", "27", "25", "21", "13"])}
    assert not found.widen(SPAM, Depth(2, 8))


def test_adding_tells_whether_it_is_new() -> None:
    found = closure(many("1", "2"))
    found.ask(SPAM, SpecifierSet())
    assert offered(found) == {"spam": ["2"]}
    assert found.add(SPAM, [Version("1"), Version("2")])
    assert not found.add(SPAM, [Version("1")])
    assert offered(found) == {"spam": ["1", "2"]}


def test_the_first_failure_ends_the_collection() -> None:
    class Failing(FakeIndex):
        async def page(self, project: ProjectName) -> None:
            await asyncio.sleep(0 if project == "ham" else 10)
            raise NetworkError(project)

    found = closure(Failing())
    for name in ("spam", "ham", "eggs"):
        found.ask(project_name(name), SpecifierSet())
    with pytest.raises(NetworkError, match="ham"):
        asyncio.run(asyncio.wait_for(found.collect(), timeout=5))
