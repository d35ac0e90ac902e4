"""A release is not chosen because of something below it that envgen cannot use."""

from __future__ import annotations

import datetime as dt

import pytest

from envgen.structs import replace
from tests.unit.solve.fakes import UPLOADED, FakeIndex, solved, task, versions


@pytest.fixture
def index() -> FakeIndex:
    return FakeIndex()


def archive(index: FakeIndex, project: str, version: str, *, uploaded: dt.datetime = UPLOADED) -> None:
    """Offer a source archive besides what the index has."""
    file = index.add(project, version, uploaded=uploaded)
    page = index.pages[project]
    del page.wheels[version]
    page.sdists |= {version}
    page.sources[version] = replace(file, filename=f"{project}-{version}.tar.gz")


def test_a_dependency_that_something_below_it_holds_back_is_told(index: FakeIndex) -> None:
    index.add("top", "1.0", "middle")
    index.add("middle", "1.0", uploaded=UPLOADED - dt.timedelta(days=800))
    index.add("middle", "2.0", "lower >=2")
    index.add("lower", "1.0")
    index.add("lower", "2.0", "bottom")
    archive(index, "bottom", "1.0")
    solution = solved(task(index, "top"))
    assert versions(solution) == {"top": "1.0", "middle": "1.0"}
    (found,) = solution.older
    assert (found.project, found.chosen, found.newest, found.line) == ("middle", "1.0", "2.0", None)
    assert found.why == (
        "middle 2.0 requires `lower>=2`: lower 2.0 requires `bottom`: bottom 1.0: it has only a source archive"
    )
    assert found.limit
    assert found.is_refused


def test_nothing_is_told_where_another_release_would_do(index: FakeIndex) -> None:
    index.add("top", "1.0", "middle", "other ==1")
    index.add("middle", "1.0")
    index.add("middle", "2.0", "lower", "other ==2")
    for version in ("1", "2"):
        index.add("other", version)
    index.add("lower", "1.0")
    archive(index, "lower", "2.0")
    solution = solved(task(index, "top"))
    assert versions(solution) == {"top": "1.0", "middle": "1.0", "other": "1"}
    assert solution.older == ()


def test_requirements_in_a_circle_end(index: FakeIndex) -> None:
    index.add("top", "1.0", "middle", "other ==1")
    index.add("middle", "1.0")
    index.add("middle", "2.0", "lower")
    index.add("lower", "1.0", "middle", "other ==2")
    for version in ("1", "2"):
        index.add("other", version)
    assert solved(task(index, "top")).older == ()
