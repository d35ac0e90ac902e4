"""What the spec names is the newest that its lines allow, or it is said why not."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from envgen.errors import UnsatisfiableError
from envgen.manifest.adjust import Adjustments
from envgen.names import CondaName, NameTable, project_name
from envgen.solve.task import Preference
from envgen.structs import replace
from tests.unit.solve.fakes import UPLOADED, FakeFile, FakeIndex, archive, solved, task, versions

if TYPE_CHECKING:
    from envgen.records import Older, Solution
    from envgen.solve.task import SolveTask


@pytest.fixture
def index() -> FakeIndex:
    return FakeIndex()


def accepting(request: SolveTask, *names: str) -> SolveTask:
    return replace(request, adjustments=Adjustments(allow_older={project_name(name): "so it is" for name in names}))


def only(solution: Solution) -> Older:
    (found,) = solution.older
    return found


def test_nothing_is_said_of_what_is_the_newest(index: FakeIndex) -> None:
    index.add("spam", "1.0")
    index.add("spam", "2.0", "ham <2")
    index.add("spam", "3.0rc1")
    index.add("ham", "1.0")
    index.add("ham", "2.0")
    solution = solved(task(index, "spam"))
    assert versions(solution) == {"spam": "2.0", "ham": "1.0"}
    assert solution.older == ()


def test_the_first_line_wins_and_the_other_one_is_told_with_its_chain(index: FakeIndex) -> None:
    for version in ("1.0", "2.0"):
        index.add("base", version)
        index.add("spam", version, f"middle =={version}")
        index.add("middle", version, f"base =={version}")
    index.add("ham", "1.0", "base ==1.0")
    index.add("ham", "2.0", "base ==1.0")
    solution = solved(task(index, "ham", "spam"))
    assert versions(solution) == {"ham": "2.0", "spam": "1.0", "middle": "1.0", "base": "1.0"}
    older = only(solution)
    assert (older.project, older.chosen, older.newest, older.line, older.limit) == ("spam", "1.0", "2.0", "spam", False)
    assert "spam 2.0 requires `middle==2.0` -> middle 2.0 requires `base==2.0`" in older.why
    assert "ham 2.0 requires `base==1.0`" in older.why


def test_a_requirement_that_nothing_meets_is_told_alone(index: FakeIndex) -> None:
    for version in ("1.0", "2.0"):
        index.add("base", version)
    index.add("ham", "1.0", "base >=2")
    index.add("spam", "1.0", "base >=1")
    index.add("spam", "2.0", "base >=3")
    older = only(solved(task(index, "ham", "spam")))
    assert (older.project, older.newest) == ("spam", "2.0")
    assert older.why == ("spam 2.0 requires `base>=3`; but there is no such version of `base`; there are 2.0, 1.0")


def test_a_reason_is_told_the_same_way_each_time(index: FakeIndex) -> None:
    for n in range(20):
        index.add("base", f"{n}.0")
    for n in range(1, 4):
        index.add(f"ham{n}", "1.0", f"base <{5 - n},!={n}.5")
    index.add("spam", "1.0", "base <1")
    index.add("spam", "2.0", "base >=0")
    index.add("spam", "3.0", "base >=8")
    found = {only(solved(task(index, "ham1", "ham2", "ham3", "spam <4"))).why for _ in range(8)}
    assert len(found) == 1


def test_what_the_spec_names_goes_before_what_it_does_not(index: FakeIndex) -> None:
    """A dependency goes far back rather than what asks for it."""
    index.add("spam", "1.0")
    index.add("spam", "2.0", "ham")
    for n in range(40):
        index.add("ham", f"1.{n}", *(["base <2"] if n < 3 else ["base >=2"]))
    index.add("base", "1.0")
    index.add("base", "2.0")
    solution = solved(task(index, "spam", "base <2"))
    assert versions(solution) == {"spam": "2.0", "ham": "1.2", "base": "1.0"}
    assert solution.older == ()


def test_a_line_that_pins_what_the_newest_does_not_take(index: FakeIndex) -> None:
    for n in range(30):
        index.add("vllm", f"0.{n}", f"torch =={n}")
        index.add("torch", str(n))
    solution = solved(task(index, "vllm", "torch ==8"))
    assert versions(solution) == {"vllm": "0.8", "torch": "8"}
    older = only(solution)
    assert (older.newest, older.limit) == ("0.29", False)
    assert older.why == "vllm 0.29 requires `torch==29`; `torch==8` in the spec"


def test_a_newer_release_without_a_wheel(index: FakeIndex) -> None:
    index.add("spam", "1.0")
    archive(index, "spam", "2.0")
    older = only(solved(task(index, "spam")))
    assert (older.chosen, older.newest, older.line, older.limit) == ("1.0", "2.0", "spam", True)
    assert older.why == "it has only a source archive"
    assert older.is_refused
    assert solved(task(index, "spam <2")).older == ()


def test_a_source_archive_that_no_tool_could_take_counts_for_nothing(index: FakeIndex) -> None:
    index.add("spam", "1.0")
    archive(index, "spam", "2.0", uploaded=dt.datetime(2026, 6, 7, tzinfo=dt.UTC))
    archive(index, "spam", "3.0")
    index.pages["spam"].sources["3.0"] = replace(index.pages["spam"].sources["3.0"], requires_python=">=3.12")
    archive(index, "spam", "4.0")
    index.pages["spam"].sources["4.0"] = replace(index.pages["spam"].sources["4.0"], yanked=True)
    assert solved(task(index, "spam", exclude_newer=dt.datetime(2026, 5, 1, tzinfo=dt.UTC))).older == ()


def test_a_newer_release_for_other_machines_only(index: FakeIndex) -> None:
    index.add("spam", "1.0")
    index.add("spam", "2.0", tag="cp311-cp311-win_amd64")
    older = only(solved(task(index, "spam")))
    assert (older.newest, older.limit, older.is_refused) == ("2.0", False, False)
    assert older.why == "it has no wheel for the platform; there are win_amd64"
    file = FakeFile(filename="spam-2.0.tar.gz", raw=b"", sha256=index.add("x").sha256)
    index.pages["spam"].sdists |= {"2.0"}
    index.pages["spam"].sources["2.0"] = file
    older = only(solved(task(index, "spam")))
    assert older.is_refused
    assert (
        older.why == "it has no wheel for the platform (there are win_amd64), and envgen does not build source archives"
    )


@pytest.mark.parametrize("needed", ["ham ==x.y", "ham @ https://files.test/ham-1.0.zip"])
def test_a_newer_release_with_metadata_that_cannot_be_used(index: FakeIndex, needed: str) -> None:
    index.add("spam", "1.0")
    index.add("spam", "2.0", needed)
    older = only(solved(task(index, "spam")))
    assert (older.newest, older.is_refused) == ("2.0", True)
    assert "metadata" in older.why
    assert "cannot be used" in older.why


def test_a_newest_release_that_requires_what_has_no_wheel(index: FakeIndex) -> None:
    index.add("hydra", "0.11")
    index.add("hydra", "1.3", "antlr ==4.9.*")
    archive(index, "antlr", "4.9.3")
    with pytest.raises(UnsatisfiableError) as caught:
        solved(task(index, "hydra"))
    assert "meets the spec, with `hydra` 1.3:" in str(caught.value)
    assert "hydra 1.3 requires `antlr==4.9.*`\n  but there is no wheel of `antlr` 4.9.3" in str(caught.value)
    solution = solved(accepting(task(index, "hydra"), "hydra"))
    assert versions(solution) == {"hydra": "0.11"}
    assert only(solution).newest == "1.3"


def test_the_way_out_is_the_line_that_helps(index: FakeIndex) -> None:
    names = NameTable(clashes={project_name("gpu"): (CondaName("cpu"),)})
    index.add("spam", "1.0")
    index.add("spam", "2.0", "gpu")
    index.add("ham", "1.0")
    index.add("ham", "2.0", "cpu")
    index.add("gpu")
    index.add("cpu")
    request = task(index, "spam", "ham", names=names)
    with pytest.raises(UnsatisfiableError) as caught:
        solved(request)
    assert "gpu 1.0 allows only `cpu <0a0`" in str(caught.value)
    assert caught.value.hint == '`allow-older: {ham: "reason"}` in the spec accepts `ham` 1.0'
    assert versions(solved(accepting(request, "ham"))) == {"spam": "2.0", "gpu": "1.0", "ham": "1.0"}
    assert versions(solved(accepting(request, "spam"))) == {"spam": "1.0", "cpu": "1.0", "ham": "2.0"}


@pytest.mark.parametrize(("days", "refused"), [(10, False), (800, True)])
def test_a_dependency_that_has_no_wheel_since_long(index: FakeIndex, days: int, refused: bool) -> None:
    index.add("spam", "1.0", "base")
    index.add("base", "1.0", uploaded=UPLOADED - dt.timedelta(days=days))
    archive(index, "base", "2.0")
    older = only(solved(task(index, "spam")))
    assert (older.project, older.line, older.days, older.is_refused) == ("base", None, days, refused)


def test_what_a_dependency_is_kept_from_by_others_is_not_said(index: FakeIndex) -> None:
    index.add("spam", "1.0", "base <2")
    index.add("base", "1.0")
    index.add("base", "2.0")
    archive(index, "base", "3.0")
    assert solved(task(index, "spam")).older == ()


def test_what_an_old_lock_holds_is_not_said(index: FakeIndex) -> None:
    kept = index.add("spam", "1.0")
    index.add("spam", "2.0")
    archive(index, "spam", "3.0")
    preferred = {CondaName("spam"): Preference(version="1.0", sha256=kept.sha256)}
    solution = solved(task(index, "spam", preferred=preferred))
    assert versions(solution) == {"spam": "1.0"}
    assert solution.older == ()


def test_an_old_lock_gives_way_to_the_newest_where_it_no_longer_fits(index: FakeIndex) -> None:
    kept = index.add("spam", "1.0", "base ==1.0")
    index.add("spam", "2.0", "base ==2.0")
    index.add("spam", "3.0", "base ==2.0")
    index.add("base", "1.0")
    index.add("base", "2.0")
    preferred = {CondaName("spam"): Preference(version="1.0", sha256=kept.sha256)}
    assert versions(solved(task(index, "base ==2.0", "spam", preferred=preferred)))["spam"] == "3.0"


@pytest.mark.parametrize(("releases", "expected"), [(3, "2.0"), (12, "1.0")])
def test_a_dependency_that_is_found_first_is_the_newer_one(index: FakeIndex, releases: int, expected: str) -> None:
    """But others do not go far back for it: then it is the older one, as with uv."""
    index.add("spam", "1.0", "base", "middle")
    index.add("base", "1.0")
    index.add("base", "2.0")
    index.add("middle", "1.0", "deep")
    index.add("deep", "1.0")
    for n in range(1, releases):
        index.add("deep", f"1.{n}", "base <2")
    found = versions(solved(task(index, "spam")))
    assert found["base"] == expected
    assert found["deep"] == ("1.0" if expected == "2.0" else f"1.{releases - 1}")


def test_acceptances_without_effect_are_idle(index: FakeIndex) -> None:
    index.add("spam", "1.0")
    index.add("ham", "1.0")
    archive(index, "ham", "2.0")
    solution = solved(accepting(task(index, "spam", "ham"), "spam", "ham", "eggs"))
    assert solution.idle == (
        "`allow-older.eggs`: no wheel of `eggs` is locked, so that it has no effect",
        "`allow-older.spam`: `spam` 1.0 is the newest, so that it has no effect",
    )


def test_an_old_source_archive_does_not_stand_for_what_fits(index: FakeIndex) -> None:
    """What it requires is not known: it would seem to go with the newest of everything."""
    index.add("core", "1.0")
    index.add("core", "2.0")
    index.add("addon", "3.0", "core <2")
    archive(index, "addon", "0.1")
    solution = solved(task(index, "core", "addon"))
    assert versions(solution)["core"] == "1.0"
    assert versions(solution)["addon"] == "3.0"
    assert not only(solution).limit


def test_a_source_archive_is_not_the_newest_where_a_newer_release_has_a_wheel(index: FakeIndex) -> None:
    index.add("core", "2.0")
    index.add("core", "3.0")
    for version, needed in {"5.0": "core >=3", "4.0": "core ==2.0"}.items():
        index.add("addon", version, needed)
    archive(index, "addon", "0.1")
    solution = solved(task(index, "core ==2.0", "addon"))
    assert versions(solution)["addon"] == "4.0"
