from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from envgen.errors import UnsatisfiableError
from envgen.manifest.adjust import Adjustments
from envgen.names import Family, NameTable, ProjectName
from envgen.packages import Wheel
from envgen.solve.family import solve_families
from envgen.structs import replace
from tests.unit.solve.fakes import FakeChannel, FakeIndex, FakePage, conda_record, task, versions

if TYPE_CHECKING:
    from envgen.records import Solution
    from envgen.solve.task import SolveTask

BIG, MIDDLE, OTHER, SMALL = map(ProjectName, ("cv-big", "cv-middle", "cv-other", "cv-small"))
NAMES = NameTable(
    families=(
        Family(
            holds={
                BIG: frozenset({MIDDLE, OTHER, SMALL}),
                MIDDLE: frozenset({SMALL}),
                OTHER: frozenset({SMALL}),
                SMALL: frozenset(),
            },
            same_versions=True,
        ),
        Family(holds={ProjectName("ort"): frozenset(), ProjectName("ort-gpu"): frozenset()}, same_versions=True),
    )
)


@pytest.fixture
def index() -> FakeIndex:
    found = FakeIndex()
    for project in (BIG, MIDDLE, OTHER, SMALL, "ort", "ort-gpu"):
        found.add(project, "4.11")
        found.add(project, "4.12")
    return found


def solved(given: SolveTask, **substitutes: str) -> Solution:
    pairs = {ProjectName(p.replace("_", "-")): ProjectName(other) for p, other in substitutes.items()}
    return asyncio.run(solve_families(replace(given, names=NAMES, adjustments=Adjustments(substitutes=pairs))))


def wheels(solution: Solution) -> dict[str, tuple[str, ...]]:
    origins = [record.origin for record in solution.records]
    return {origin.project: origin.stands_for for origin in origins if isinstance(origin, Wheel)}


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ((SMALL,), {SMALL: ()}),
        ((SMALL, MIDDLE), {MIDDLE: (SMALL,)}),
        ((MIDDLE, OTHER), {BIG: (MIDDLE, OTHER)}),
        ((SMALL, MIDDLE, OTHER, BIG), {BIG: (MIDDLE, OTHER, SMALL)}),
    ],
)
def test_the_smallest_member_that_holds_all(
    index: FakeIndex, asked: tuple[str, ...], expected: dict[str, tuple[str, ...]]
) -> None:
    assert wheels(solved(task(index, *asked))) == expected


def test_a_member_that_shows_up_only_with_another_one(index: FakeIndex) -> None:
    """The release of a member that stands in requires a larger one: what it stood for goes over to that."""
    index.add(MIDDLE, "4.13", f"{BIG} >=4")
    assert wheels(solved(task(index, SMALL, MIDDLE))) == {BIG: (MIDDLE, SMALL)}


def test_a_substitute_of_the_spec_goes_over_as_well(index: FakeIndex) -> None:
    assert wheels(solved(task(index, MIDDLE, BIG), cv_middle="cv-small")) == {BIG: (MIDDLE,)}


def test_never_an_old_release_that_requires_no_member(index: FakeIndex) -> None:
    index.add("tool", "0.0.0")
    index.add("tool", "2.0", SMALL)
    solution = solved(task(index, "tool", MIDDLE))
    assert versions(solution)["tool"] == "2.0"


def test_versions_hold_for_the_member_that_stands_in(index: FakeIndex) -> None:
    solution = solved(task(index, f"{SMALL} <4.12", MIDDLE))
    assert versions(solution)[MIDDLE] == "4.11"


def test_versions_that_no_member_meets_name_the_one_that_stands_in(index: FakeIndex) -> None:
    with pytest.raises(UnsatisfiableError) as caught:
        solved(task(index, f"{SMALL} ==4.11", f"{MIDDLE} ==4.12"))
    assert "`cv-middle` is used in place of `cv-small`: both contain the same module" in str(caught.value)


def test_members_of_which_none_holds_the_other(index: FakeIndex) -> None:
    index.add("mat", "1.0", "ort-gpu ==4.11")
    index.add("faces", "1.0", "ort >=4.12")
    with pytest.raises(UnsatisfiableError) as caught:
        solved(task(index, "mat", "faces"))
    assert str(caught.value).splitlines()[1:] == [
        "  `faces` in the spec",
        "  └─ faces 1.0 requires `ort>=4.12`",
        "  `mat` in the spec",
        "  └─ mat 1.0 requires `ort-gpu==4.11`",
    ]
    assert caught.value.hint is None, "neither line leads to a solution"
    index.add("faces", "1.1", "ort")
    with pytest.raises(UnsatisfiableError) as caught:
        solved(task(index, "mat", "faces"))
    assert caught.value.hint == (
        "choose one in the spec: `substitutes: {ort-gpu: ort}` or `substitutes: {ort: ort-gpu}`"
    )
    assert wheels(solved(task(index, "mat", "faces"), ort="ort-gpu"))["ort-gpu"] == ("ort",)


def test_a_member_from_a_channel_cannot_stand_in(index: FakeIndex) -> None:
    channel = FakeChannel([conda_record("python", "3.11.2"), conda_record(MIDDLE, "4.12")])
    given = replace(task(index, SMALL, dependencies=[MIDDLE]), channels=channel)
    with pytest.raises(UnsatisfiableError, match="`cv-middle` and `cv-small` contain the same module"):
        solved(given)


def test_a_member_that_has_no_wheel_is_stood_for_by_one_that_is_required_too(index: FakeIndex) -> None:
    index.pages[SMALL] = FakePage(sdists=frozenset({"4.12"}))
    assert wheels(solved(task(index, SMALL, MIDDLE))) == {MIDDLE: (SMALL,)}


def test_a_member_that_has_no_wheel_is_told_with_the_one_that_would_do(index: FakeIndex) -> None:
    index.pages[SMALL] = FakePage(sdists=frozenset({"4.12"}))
    index.add("tool", "1.0", f"{SMALL} >=4")
    with pytest.raises(UnsatisfiableError, match=r"there is no wheel of `cv-small` 4\.12") as caught:
        solved(task(index, "tool"))
    assert caught.value.hint == "add `substitutes: {cv-small: cv-middle}`: `cv-middle` contains the same module"
    assert wheels(solved(task(index, "tool"), cv_small="cv-middle")) == {"tool": (), MIDDLE: (SMALL,)}


def test_the_smaller_member_is_offered_only_where_it_would_do(index: FakeIndex) -> None:
    index.add("tool", "1.0", f"{MIDDLE} >=4")
    (note,) = solved(task(index, "tool", SMALL)).notes
    assert note == (
        "`cv-middle` is used in place of `cv-small`, which the spec requires: both contain the same module "
        "(`substitutes: {cv-middle: cv-small}` selects the smaller one)"
    )
    index.add(MIDDLE, "5.0")
    index.add("tool", "2.0", f"{MIDDLE} >=5")
    (note,) = solved(task(index, "tool ==2.0", SMALL)).notes
    assert note == "`cv-middle` is used in place of `cv-small`, which the spec requires: both contain the same module"
