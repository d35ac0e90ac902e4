from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import force_setattr

from envgen.errors import NetworkError, UserError
from envgen.manifest.adjust import Adjustments
from envgen.names import CondaName, NameTable, ProjectName, project_name
from envgen.packages import ChannelArchive, Wheel
from envgen.solve.task import Preference
from envgen.structs import replace
from tests.unit.solve.fakes import FakeIndex, conda_record, names_of, recipe, solved, target, task, versions

if TYPE_CHECKING:
    from envgen.records import Solution


@pytest.fixture
def index() -> FakeIndex:
    return FakeIndex()


def test_newest_wheels_and_what_they_require(index: FakeIndex) -> None:
    index.add("spam", "1.0")
    index.add("spam", "2.0", "ham >=1", "eggs; sys_platform == 'win32'")
    index.add("ham", "1.5")
    solution = solved(task(index, "spam"))
    assert versions(solution) == {"spam": "2.0", "ham": "1.5"}
    assert [record.name for record in solution.records] == ["ham", "python", "python_abi", "spam"]
    spam = solution.records[-1]
    assert isinstance(spam.origin, Wheel)
    assert spam.origin.requires == {"ham": ">=1"}
    assert spam.depends == ("ham >=1", "python 3.11.*")
    assert spam.build.startswith("py311_h")


def test_a_wheel_that_nobody_may_choose_is_not_read(index: FakeIndex) -> None:
    for version in ("1.0", "1.1", "2.0", "3.0"):
        index.add("spam", version)
    assert versions(solved(task(index, "spam <3"))) == {"spam": "2.0"}
    assert index.read == ["spam-2.0-py3-none-any.whl"]


def test_an_older_wheel_where_two_agree_on_it_only(index: FakeIndex) -> None:
    index.add("spam", "1.0", "base <3,!=2.9")
    index.add("ham", "1.0", "base !=2.8")
    for version in ("2.7", "2.8", "2.9", "3.0"):
        index.add("base", version)
    assert versions(solved(task(index, "spam", "ham")))["base"] == "2.7"


def test_backtracks_over_wheels_that_were_not_offered_first(index: FakeIndex) -> None:
    for n in range(30):
        index.add("spam", f"1.{n}", f"base =={n}")
        index.add("base", str(n))
    found = versions(solved(task(index, "spam", "base <8")))
    assert found == {"spam": "1.7", "base": "7"}


def test_backtracks_over_what_requires_the_conflicting_wheel(index: FakeIndex) -> None:
    for n in range(12):
        index.add("top", f"1.{n}", f"middle =={n}")
        index.add("middle", str(n), f"base =={n}")
        index.add("base", str(n))
    assert versions(solved(task(index, "top", "base ==5"))) == {"top": "1.5", "middle": "5", "base": "5"}


def test_extras_are_followed_and_leave_no_package(index: FakeIndex) -> None:
    index.add("spam", "1.0", "ham[fried]", "salt; extra == 'tasty'", "eggs[b]; extra == 'tasty'", extras=["tasty"])
    index.add("ham", "1.0", "oil >=2; extra == 'fried'", extras=["fried"])
    index.add("eggs", "1.0", "eggs[a]; extra == 'b'", "pan; extra == 'a'", extras=["a", "b"])
    for name in ("salt", "oil", "pan"):
        index.add(name, "2.0")
    solution = solved(task(index, "spam[tasty]"))
    assert set(versions(solution)) == {"spam", "ham", "salt", "eggs", "oil", "pan"}
    assert solution.extras == {"eggs": ("b",), "ham": ("fried",), "spam": ("tasty",)}
    requires = {r.origin.project: r.origin.requires for r in solution.records if isinstance(r.origin, Wheel)}
    assert requires[project_name("spam")] == {"eggs": "", "ham": "", "salt": ""}
    assert solution.remarks == ()


def test_an_extra_that_a_wheel_does_not_have_is_remarked(index: FakeIndex) -> None:
    index.add("spam", "1.0", extras=["Tasty_x", "hot"])
    index.add("ham", "1.0")
    index.add("top", "1.0", "spam[tasty.x,tasti]", "ham[x]")
    assert solved(task(index, "top")).remarks == (
        "`ham` 1.0 has no extra `x`; it has none",
        "`spam` 1.0 has no extra `tasti`; it has `hot`, `tasty-x`",
    )


def test_an_extra_that_a_wheel_lacks_asks_for_nothing_more(index: FakeIndex) -> None:
    index.add("spam", "1.0")
    index.add("top", "1.0", "spam[nothing]")
    assert versions(solved(task(index, "top"))) == {"spam": "1.0", "top": "1.0"}


@pytest.mark.parametrize(
    ("asked", "expected"),
    [("spam", "1.0"), ("spam >=1.1rc1", "2.0b1"), ("spam ==1.1rc1", "1.1rc1"), ("spam <1", "0.9")],
)
def test_prereleases_only_where_asked_for(index: FakeIndex, asked: str, expected: str) -> None:
    for version in ("0.9", "1.0", "1.1rc1", "2.0b1", "0.95.dev1"):
        index.add("spam", version)
    assert versions(solved(task(index, asked))) == {"spam": expected}


def test_prereleases_where_there_is_nothing_else(index: FakeIndex) -> None:
    index.add("spam", "1.0a1")
    index.add("spam", "1.0a2")
    assert versions(solved(task(index, "spam"))) == {"spam": "1.0a2"}


@pytest.mark.parametrize(("asked", "expected"), [("spam", "1.0"), ("spam ==1.1", "1.1"), ("spam ==1.*", "1.0")])
def test_yanked_only_where_pinned(index: FakeIndex, asked: str, expected: str) -> None:
    index.add("spam", "1.0")
    index.add("spam", "1.1", yanked=True)
    assert versions(solved(task(index, asked))) == {"spam": expected}


def test_local_versions_are_told_apart(index: FakeIndex) -> None:
    index.add("spam", "1.0+cpu")
    index.add("spam", "1.0+cu128")
    index.add("ham", "1.0", "spam ==1.0")
    index.add("eggs", "1.0", "spam ==1.0+cpu")
    assert versions(solved(task(index, "ham")))["spam"] == "1.0+cu128"
    assert versions(solved(task(index, "ham", "spam ==1.0+cpu")))["spam"] == "1.0+cpu"
    assert versions(solved(task(index, "ham", "eggs")))["spam"] == "1.0+cpu"


def test_invalid_metadata_makes_a_wheel_unusable(index: FakeIndex) -> None:
    index.add("spam", "1.0")
    index.add("spam", "2.0", "ham (>=1.1.0<1.2)")
    index.add("spam", "3.0", "ham @ https://example.test/ham.whl")
    assert versions(solved(task(index, "spam"))) == {"spam": "1.0"}


def test_files_of_later_days_are_not_there(index: FakeIndex) -> None:
    index.add("spam", "1.0")
    index.add("spam", "2.0", uploaded=dt.datetime(2026, 6, 1, tzinfo=dt.UTC))
    cutoff = dt.datetime(2026, 5, 1, tzinfo=dt.UTC)
    assert versions(solved(task(index, "spam", exclude_newer=cutoff))) == {"spam": "1.0"}


def test_requires_python_is_judged_by_the_recipes_patch_release(index: FakeIndex) -> None:
    index.add("spam", "1.0", "late; python_full_version < '3.11.3'")
    index.add("spam", "2.0", requires_python=">=3.11.4")
    index.add("late")
    assert versions(solved(task(index, "spam"))) == {"spam": "1.0", "late": "1.0"}


def test_what_is_locked_stays_though_newer_is_there(index: FakeIndex) -> None:
    index.add("spam", "2.0", "ham")
    old = index.add("ham", "1.0")
    index.add("ham", "2.0")
    kept = {CondaName("ham"): Preference(version="1.0", sha256=old.sha256)}
    assert versions(solved(task(index, "spam", preferred=kept)))["ham"] == "1.0"
    assert index.read == ["spam-2.0-py3-none-any.whl", "ham-1.0-py3-none-any.whl"]


def test_what_is_locked_gives_way_where_it_does_not_serve(index: FakeIndex) -> None:
    index.add("spam", "2.0", "ham", "base >=2")
    old = index.add("ham", "1.0", "base <2")
    index.add("ham", "2.0", "base")
    index.add("base", "1.0")
    index.add("base", "2.0")
    kept = {CondaName("ham"): Preference(version="1.0", sha256=old.sha256)}
    assert versions(solved(task(index, "spam", preferred=kept))) == {"spam": "2.0", "ham": "2.0", "base": "2.0"}


def test_what_is_locked_stays_though_it_was_withdrawn(index: FakeIndex) -> None:
    old = index.add("ham", "1.0", yanked=True)
    index.add("ham", "2.0")
    kept = {CondaName("ham"): Preference(version="1.0", sha256=old.sha256)}
    assert versions(solved(task(index, "ham", preferred=kept))) == {"ham": "1.0"}


def test_what_is_locked_stays_though_it_is_a_prerelease(index: FakeIndex) -> None:
    """As after `--upgrade ham==2.0rc1`."""
    index.add("ham", "1.0")
    old = index.add("ham", "2.0rc1")
    kept = {CondaName("ham"): Preference(version="2.0rc1", sha256=old.sha256)}
    assert versions(solved(task(index, "ham", preferred=kept))) == {"ham": "2.0rc1"}
    assert versions(solved(task(index, "ham"))) == {"ham": "1.0"}


def test_a_solution_is_its_own_preference(index: FakeIndex) -> None:
    """Whatever was chosen stays when it is what an old lock holds: extras, a channel, on every platform."""
    index.add("spam", "1.0", "ham[fried]", "numpy", "graphviz", extras=["none"])
    index.add("ham", "1.0", "oil; extra == 'fried'", "only; platform_machine == 'aarch64'", extras=["fried"])
    for name in ("oil", "only", "graphviz"):
        index.add(name, "1.0")
    channel = [conda_record("python", "3.11.9"), conda_record("numpy", "2.0"), conda_record("graphviz", "9.0")]
    names = NameTable(
        renamed={project_name("graphviz"): CondaName("python-graphviz")}, same=names_of(numpy="numpy").same
    )

    def ask(preferred: dict[CondaName, Preference], platform: str) -> Solution:
        pypi, on = ("spam[none]", "ham", "graphviz"), target(platform)
        return solved(
            task(index, *pypi, dependencies=["graphviz"], channel=channel, names=names, preferred=preferred, on=on)
        )

    before = {platform: ask({}, platform) for platform in ("linux-64", "linux-aarch64")}
    for name in ("spam", "ham", "oil", "only", "graphviz"):
        index.add(name, "2.0")
    channel += [conda_record("python", "3.11.10"), conda_record("numpy", "2.1"), conda_record("graphviz", "9.1")]
    for platform, solution in before.items():
        assert ask(preferences(solution), platform) == solution


def preferences(solution: Solution) -> dict[CondaName, Preference]:
    """Prefer what was chosen, as a lock of it does."""
    return {
        r.name: Preference(version=r.origin.version, sha256=r.origin.sha256)
        if isinstance(r.origin, Wheel)
        else Preference(version=r.version, build=r.build, sha256=r.origin.sha256)
        for r in solution.records
    }


def test_a_lock_of_a_file_that_is_gone_is_no_hindrance(index: FakeIndex) -> None:
    index.add("ham", "1.1")
    kept = {CondaName("ham"): Preference(version="1.0", sha256=index.add("other").sha256)}
    assert versions(solved(task(index, "ham", preferred=kept))) == {"ham": "1.1"}


def test_wheels_take_from_the_channel_what_is_the_same_project_there(index: FakeIndex) -> None:
    index.add("torch", "2.8.0", "numpy", "graphviz")
    index.add("numpy", "3.0")
    index.add("graphviz", "0.20")
    channel = [
        conda_record("python", "3.11.9"),
        conda_record("numpy", "2.0", "libblas"),
        conda_record("libblas", "3.9"),
        conda_record("graphviz", "12.0"),
    ]
    names = NameTable(
        renamed={project_name("torch"): CondaName("pytorch"), project_name("graphviz"): CondaName("python-graphviz")},
        same=frozenset(map(project_name, ["numpy"])),
    )
    solution = solved(task(index, "torch", channel=channel, names=names, recipes=()))
    assert versions(solution) == {"torch": "2.8.0", "numpy": "2.0", "libblas": "3.9", "graphviz": "0.20"}
    assert {r.name for r in solution.records} == {"pytorch", "numpy", "libblas", "python-graphviz", "python"}


def test_the_spec_decides_between_index_and_channel(index: FakeIndex) -> None:
    index.add("numpy", "3.0")
    channel = [conda_record("python", "3.11.9"), conda_record("numpy", "2.0"), conda_record("scipy", "1.0", "numpy")]
    solution = solved(task(index, "numpy", dependencies=["scipy"], channel=channel, names=names_of(numpy="numpy")))
    assert versions(solution) == {"numpy": "3.0", "scipy": "1.0"}


def test_who_asks_for_an_extra_means_the_wheel(index: FakeIndex) -> None:
    index.add("app", "1.0", "server[fast]")
    index.add("server", "1.0", "loop; extra == 'fast'", extras=["fast"])
    index.add("loop")
    channel = [conda_record("python", "3.11.9"), conda_record("server", "2.0")]
    solution = solved(task(index, "app", channel=channel, names=names_of(server="server", loop="loop")))
    assert versions(solution) == {"app": "1.0", "server": "1.0", "loop": "1.0"}


def test_the_channels_python_wins_over_the_recipes(index: FakeIndex) -> None:
    solution = solved(task(index, channel=[conda_record("python", "3.11.9")]))
    assert [(r.name, r.version) for r in solution.records] == [("python", "3.11.9")]
    origin = solution.records[0].origin
    assert isinstance(origin, ChannelArchive)
    assert origin.url == "https://channel.test/good/linux-64/python-3.11.9-0.conda"


def test_a_recipes_name_is_the_recipes(index: FakeIndex) -> None:
    index.add("spam", "1.0", "tool")
    index.add("tool", "9.0")
    recipes = (*task(index).recipes, recipe("tool", "1.0"))
    assert versions(solved(task(index, "spam", recipes=recipes))) == {"spam": "1.0", "tool": "1.0"}


def test_virtual_packages_are_those_of_the_spec(index: FakeIndex) -> None:
    channel = [
        conda_record("python", "3.11.9"),
        conda_record("torch", "1.0", "__cuda >=12", build="cuda"),
        conda_record("torch", "1.0", build="a_cpu"),
    ]
    with_gpu = solved(task(index, dependencies=["torch"], channel=channel, on=target(cuda="12.8")))
    without = solved(task(index, dependencies=["torch *"], channel=channel))
    assert {r.build for s in (with_gpu, without) for r in s.records if r.name == "torch"} == {"cuda", "a_cpu"}


def test_same_answer_whatever_comes_first() -> None:
    answers = set()
    for seed in range(8):
        index = FakeIndex(seed=seed)
        for n in range(6):
            index.add("a", f"1.{n}", f"b <={n}", "c[x]")
            index.add("b", f"{n}", f"d !={n}", "e; python_version > '3'")
            index.add("c", f"2.{n}", f"d <={n + 3}", f"e >={n - 1}; extra == 'x'", extras=["x"])
            index.add("d", f"{n}")
            index.add("e", f"{n}", f"d <{n + 1}")
        index.add("e", "9", "nonsense >>1")
        answers.add((repr(solved(task(index, "a", "b !=5", "c", "d <5"))), tuple(sorted(index.read))))
    assert len(answers) == 1


def test_a_failing_index_is_told_as_such() -> None:
    class Failing(FakeIndex):
        async def page(self, project: str) -> None:
            raise NetworkError("no way")

    with pytest.raises(NetworkError, match="no way"):
        solved(task(Failing(), "spam", "ham"))


def test_a_failing_channel_is_told_as_such(index: FakeIndex) -> None:
    request = task(index, dependencies=["spam"], channel=[conda_record("python", "3.11.9")])

    async def records(name: CondaName) -> list[object]:
        if name == "spam":
            raise NetworkError("no way")
        return []

    assert request.channels is not None
    force_setattr(request, "channels", type("Failing", (), {"records": staticmethod(records)})())
    with pytest.raises(NetworkError, match="no way"):
        solved(request)


def test_a_dependency_that_is_no_matchspec_is_the_users_mistake(index: FakeIndex) -> None:
    with pytest.raises(UserError, match="`spam >>1` is not a MatchSpec"):
        solved(task(index, dependencies=["spam >>1"]))


def test_a_conda_package_that_only_shares_a_projects_name(index: FakeIndex) -> None:
    names = NameTable(renamed={project_name("graphviz"): CondaName("python-graphviz")})
    index.add("graphviz", "0.20")
    channel = [conda_record("python", "3.11.9"), conda_record("graphviz", "12.0")]
    solution = solved(task(index, "graphviz", dependencies=["graphviz"], channel=channel, names=names))
    found = {record.name: record.version for record in solution.records}
    assert (found[CondaName("graphviz")], found[CondaName("python-graphviz")]) == ("12.0", "0.20")


def test_no_wheel_of_a_later_cuda_than_the_machines_have(index: FakeIndex) -> None:
    """Whatever leads there: an older torch is chosen for what the newest one requires."""
    index.add("nvidia-cublas-cu12", "12.9.1")
    index.add("nvidia-cublas", "13.1.0")
    index.add("cuda-toolkit", "13.0.2", 'nvidia-cublas ==13.* ; extra == "cublas"', extras=["cublas"])
    index.add("torch", "2.8.0", "nvidia-cublas-cu12 ==12.9.*")
    index.add("torch", "2.9.0", "nvidia-cublas-cu12 >=12")
    for minor in range(10, 20):
        index.add("torch", f"2.{minor}.0", "cuda-toolkit[cublas] ==13.*")
    index.add("trainer", "1.0", "torch")
    with_twelve = versions(solved(task(index, "trainer", on=target(cuda="12.8"))))
    assert with_twelve == {"trainer": "1.0", "torch": "2.9.0", "nvidia-cublas-cu12": "12.9.1"}
    for cuda in ("13.0", None):
        assert versions(solved(task(index, "trainer", on=target(cuda=cuda))))["torch"] == "2.19.0"


def test_the_record_of_a_wheel_says_nothing_of_the_driver(index: FakeIndex) -> None:
    index.add("nvidia-cublas-cu12", "12.9.1")
    found = solved(task(index, "nvidia-cublas-cu12", on=target(cuda="12.8")))
    assert all(not depend.startswith("__cuda") for record in found.records for depend in record.depends)


def test_a_constraint_holds_for_a_package_of_a_channel_too(index: FakeIndex) -> None:
    channel = [conda_record("python", "3.11.9"), conda_record("numpy", "1.26.4"), conda_record("numpy", "2.1.0")]
    index.add("spam", "1.0", "numpy")
    given = task(index, "spam", channel=channel, names=names_of(numpy="numpy"))
    limits = Adjustments(constraints={ProjectName("numpy"): "<2"})
    assert versions(solved(given))["numpy"] == "2.1.0"
    assert versions(solved(replace(given, adjustments=limits)))["numpy"] == "1.26.4"
    without = task(index, dependencies=["python"], channel=channel, names=names_of(numpy="numpy"))
    assert "numpy" not in versions(solved(replace(without, adjustments=limits)))
