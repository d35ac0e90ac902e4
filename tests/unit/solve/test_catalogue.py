from __future__ import annotations

import asyncio
import datetime as dt
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet

from envgen.names import CondaName, NameTable, project_name
from envgen.solve.catalogue import Catalogue
from envgen.solve.task import Preference
from tests.unit.solve.fakes import FakeIndex, conda_record, names_of, recipe, task

if TYPE_CHECKING:
    from rattler import RepoDataRecord

CHANNEL = [conda_record("numpy", "2.0"), conda_record("python", "3.11.9"), conda_record("pytorch", "2.8.0")]


def catalogue(
    *pypi: str,
    names: NameTable | None = None,
    channel: list[RepoDataRecord] | None = None,
    exclude_newer: dt.datetime | None = None,
    preferred: dict[CondaName, Preference] | None = None,
) -> Catalogue:
    request = task(
        FakeIndex(),
        names=names,
        channel=channel,
        recipes=[recipe("python", "3.11.2"), recipe("tool", "1.0")],
        exclude_newer=exclude_newer,
        preferred=preferred,
    )
    required = {project_name(name): (SpecifierSet(),) for name in pypi}
    found = Catalogue(request, required=required, python=None)
    for name in ("numpy", "torch", "tool", "other"):
        found.closure.ask(project_name(name), SpecifierSet())
    return found


def owned(found: Catalogue) -> set[str]:
    async def ask() -> set[str]:
        return {name for name in ("numpy", "torch", "tool", "other") if await found.index_owns(project_name(name))}

    return asyncio.run(ask())


def offered(found: Catalogue, name: str) -> list[str]:
    return [str(offer.record.version) for offer in asyncio.run(found.offered(CondaName(name)))]


def test_without_channels_all_is_the_indexs_but_recipes() -> None:
    assert owned(catalogue(names=names_of(numpy="numpy"))) == {"numpy", "torch", "other"}


def test_a_channel_has_what_is_the_same_project_there() -> None:
    names = names_of(numpy="numpy", other="other")
    assert owned(catalogue(names=names, channel=CHANNEL)) == {"torch", "other"}


def test_what_the_spec_asks_of_the_index_is_the_indexs() -> None:
    found = catalogue("numpy", "tool", names=names_of(numpy="numpy"), channel=CHANNEL)
    assert owned(found) == {"numpy", "torch", "tool", "other"}
    assert offered(found, "numpy") == []


def test_a_channel_before_a_recipe() -> None:
    assert offered(catalogue(channel=CHANNEL), "python") == ["3.11.9"]
    assert offered(catalogue(channel=CHANNEL), "tool") == ["1.0"]
    assert offered(catalogue(), "python") == ["3.11.2"]


def test_a_channels_newest_come_first_and_nothing_newer_than_asked() -> None:
    records = [conda_record("spam", version) for version in ("1.9", "1.10", "2.0")]
    records[2].timestamp = dt.datetime(2026, 6, 1, tzinfo=dt.UTC)
    cutoff = dt.datetime(2026, 5, 1, tzinfo=dt.UTC)
    assert offered(catalogue(channel=records), "spam") == ["2.0", "1.10", "1.9"]
    assert offered(catalogue(channel=records, exclude_newer=cutoff), "spam") == ["1.10", "1.9"]


def test_what_a_lock_holds_of_a_channel() -> None:
    records = [conda_record("spam", "1.0", build="a"), conda_record("spam", "1.0", build="b")]
    kept = {
        CondaName("spam"): Preference(version="1.0", build="a"),
        CondaName("gone"): Preference(version="1", build="0"),
    }
    found = asyncio.run(catalogue(channel=records, preferred=kept).kept())
    assert [str(record.build) for record in found] == ["a"]


def _records(found: Catalogue) -> dict[str, list[tuple[str, int, list[str]]]]:
    asyncio.run(found.prepare())
    return {
        name: [(str(o.record.version), o.record.build_number, list(o.record.depends)) for o in offers]
        for name, offers in found.offers.items()
    }


def test_offers_that_grew_in_steps_are_those_of_one_step() -> None:
    index = FakeIndex()
    for version in ("13.3.4", "13.3.5", "13.3.5.0.6", "14"):
        index.add("lib", version)
    for version in ("2.0", "2.0+cpu", "2.0+cu128", "2.1"):
        index.add("local", version)
    for version in ("1", "2"):
        index.add("app", version, "lib >13.3.5", "local ==2.0+cu128", "far ; extra == 'more'", extras=["more"])
    index.add("far", "1", "lib <13.3.5")
    steps = [("app", ""), ("app", "<2"), ("lib", "<14"), ("local", "<2.1"), ("lib", "<13.3.5")]

    def fresh() -> Catalogue:
        return Catalogue(task(index), required={project_name("app"): (SpecifierSet(),)}, python=None)

    grown, one = fresh(), fresh()
    for project, specifiers in steps:
        grown.closure.ask(project_name(project), SpecifierSet(specifiers), [project_name("more")])
        one.closure.ask(project_name(project), SpecifierSet(specifiers), [project_name("more")])
        asyncio.run(grown.prepare())
    assert _records(grown) == _records(one)
    assert "==13.3.5.0.6" in str(_records(one)["app"])
