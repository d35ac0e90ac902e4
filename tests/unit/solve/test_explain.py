from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from envgen.errors import UnsatisfiableError
from envgen.names import CondaName, NameTable, project_name
from envgen.platforms import PythonMinor
from tests.unit.solve.fakes import (
    PYTHON as RECIPES,
)
from tests.unit.solve.fakes import (
    FakeIndex,
    FakePage,
    conda_record,
    names_of,
    recipe,
    solved,
    target,
    task,
)

if TYPE_CHECKING:
    from envgen.solve.task import SolveTask

PYTHON = conda_record("python", "3.11.9")
_, PYTHON_ABI = RECIPES


@pytest.fixture
def index() -> FakeIndex:
    return FakeIndex()


def told(request: SolveTask) -> tuple[str, str]:
    """Solve what cannot be solved: the message above the solver's own words, and the hint."""
    with pytest.raises(UnsatisfiableError) as caught:
        solved(request)
    assert caught.value.exit_code == 3
    return str(caught.value).partition("\n\nthe solver says:\n")[0], caught.value.hint or ""


def test_a_project_that_does_not_exist(index: FakeIndex) -> None:
    names = names_of(requests="requests")
    message, hint = told(task(index, "reqests >=2", names=names))
    assert message.splitlines() == [
        "no set of packages for linux-64 meets the spec:",
        "  `reqests>=2` in the spec",
        "  but the wheel index has no project `reqests`",
    ]
    assert hint == "did you mean `requests`?"


def test_the_chain_to_a_version_that_does_not_exist(index: FakeIndex) -> None:
    index.add("torch", "2.8.0", "ham")
    index.add("ham", "1.0", "eggs[x] >=7 ; python_version > '3'")
    index.add("eggs", "6.0")
    names = NameTable(renamed={project_name("torch"): CondaName("pytorch")})
    message, hint = told(task(index, "torch", names=names))
    assert message.splitlines()[1:] == [
        "  `torch` in the spec",
        "  └─ torch 2.8.0 requires `ham`",
        "    └─ ham 1.0 requires `eggs[x]>=7`",
        "  but there is no such version of `eggs`; there is 6.0",
    ]
    assert hint == "loosen or drop `torch`"


def test_two_packages_that_want_different_versions_of_a_third(index: FakeIndex) -> None:
    index.add("spam", "1.0", "base >=2")
    index.add("ham", "1.0", "base <2")
    index.add("base", "1.0")
    index.add("base", "2.0")
    message, hint = told(task(index, "spam", "ham ==1.0"))
    assert message.splitlines() == [
        "no set of packages for linux-64 meets the spec: `base` cannot be one version for all of:",
        "  `spam` in the spec",
        "  └─ spam 1.0 requires `base>=2`",
        "",
        "  `ham==1.0` in the spec",
        "  └─ ham 1.0 requires `base<2`",
    ]
    assert hint == "loosen or drop `spam` or `ham==1.0`"


def test_a_line_of_the_spec_against_what_a_wheel_wants(index: FakeIndex) -> None:
    index.add("spam", "1.0", "base >=2")
    index.add("base", "1.0")
    index.add("base", "2.0")
    message, hint = told(task(index, "spam", "base <2"))
    assert message.splitlines()[1:] == [
        "  `spam` in the spec",
        "  └─ spam 1.0 requires `base>=2`",
        "",
        "  `base<2` in the spec",
    ]
    assert hint == "loosen or drop `spam` or `base<2`"


def test_two_lines_of_the_spec(index: FakeIndex) -> None:
    index.add("base", "1.0")
    index.add("base", "2.0")
    message, _ = told(task(index, "base <2", "base >=2"))
    assert "`base` cannot be one version for all of" in message
    assert "`base<2` in the spec" in message
    assert "`base>=2` in the spec" in message


def test_a_c_library_that_is_too_old_for_every_wheel(index: FakeIndex) -> None:
    index.add("base", "2.0", tag="cp311-cp311-manylinux_2_99_x86_64.manylinux_2_98_x86_64")
    message, hint = told(task(index, "base"))
    assert "no wheel of `base` 2.0 runs with glibc 2.36: those of 2.0 need 2.98" in message
    assert '`linux-64: {glibc: "2.98"}` under `platforms:`' in hint


def test_no_wheel_for_the_platform(index: FakeIndex) -> None:
    index.add("ipex", "2.8.0", tag="cp311-cp311-manylinux_2_28_x86_64")
    message, hint = told(task(index, "ipex ==2.8.0", on=target("linux-aarch64")))
    clause = "but no wheel of `ipex` 2.8.0 runs on linux-aarch64; those of 2.8.0 are for manylinux_2_28_x86_64"
    assert clause in message
    assert 'platform_machine == "x86_64"' in hint


@pytest.mark.parametrize(
    ("facts", "asked", "clause", "remedy"),
    [
        ({"yanked": True}, "spam", "`spam` 1.0 was withdrawn (yanked)", "`spam ==1.0`"),
        ({"requires_python": ">=3.12"}, "spam", "runs on Python 3.11: 1.0 needs >=3.12", "`python:`"),
        ({"tag": "cp39-cp39-manylinux_2_17_x86_64"}, "spam", "runs on Python 3.11: 1.0 has cp39", "loosen"),
        ({"uploaded": dt.datetime(2026, 6, 7, tzinfo=dt.UTC)}, "spam", "after `exclude-newer`", "2026-06-07"),
        ({"digest": False}, "spam", "the index gives no sha256 for it", "loosen"),
    ],
)
def test_a_wheel_that_is_there_but_may_not_be_chosen(
    index: FakeIndex, facts: dict[str, object], asked: str, clause: str, remedy: str
) -> None:
    index.add("spam", "1.0", **facts)  # type: ignore[arg-type]  # facts are keywords of many types
    message, hint = told(task(index, asked, exclude_newer=dt.datetime(2026, 5, 1, tzinfo=dt.UTC)))
    assert clause in message
    assert remedy in hint


def test_a_prerelease_that_nobody_asked_for(index: FakeIndex) -> None:
    index.add("spam", "1.0")
    index.add("spam", "2.0rc1")
    message, hint = told(task(index, "spam >1.5"))
    assert "but only pre-releases meet it: 2.0rc1" in message
    assert hint == "`spam >=2.0rc1` under `pypi:` allows them"


def test_a_source_archive_only(index: FakeIndex) -> None:
    index.add("ham", "1.0", "spam")
    index.pages["spam"] = FakePage(sdists=frozenset({"1.0"}))
    message, hint = told(task(index, "ham"))
    assert "but there is no wheel of `spam` 1.0, only a source archive" in message
    assert hint == "write `recipes/spam/recipe.yaml`, which builds it, and name it under `dependencies:`"
    assert told(task(index, "spam"))[1] == f"{hint} instead of `pypi:`"


def test_metadata_that_breaks_the_standard(index: FakeIndex) -> None:
    index.add("spam", "1.0", "ham (>=1.1.0<1.2)")
    message, _ = told(task(index, "spam"))
    assert "the metadata of `spam` 1.0 cannot be used" in message
    assert "ham (>=1.1.0<1.2)" in message


def test_a_name_that_neither_channel_nor_recipe_has(index: FakeIndex) -> None:
    channel = [PYTHON, conda_record("jupyterlab")]
    message, hint = told(task(index, dependencies=["jupyterlabb"], channel=channel))
    assert "neither a channel of the spec nor a recipe offers `jupyterlabb`" in message
    assert hint == "did you mean `jupyterlab`?"
    message, hint = told(task(index, dependencies=["torch"]))
    assert "no recipe offers `torch`" in message
    assert hint == "if `torch` is a project of the wheel index, ask for it under `pypi:`"


def test_what_the_target_lacks(index: FakeIndex) -> None:
    channel = [PYTHON, conda_record("pytorch", "2.8.0", "__cuda >=12.9", build="cuda")]
    message, hint = told(task(index, dependencies=["pytorch * *cuda*"], channel=channel))
    assert "but the spec has no CUDA for linux-64" in message
    assert hint == "if the machines have it, say so under `platforms: linux-64: cuda:`"
    message, _ = told(task(index, dependencies=["pytorch"], channel=channel, on=target(cuda="12.4")))
    assert "but the spec says CUDA 12.4 for linux-64" in message


def test_versions_of_a_channel(index: FakeIndex) -> None:
    message, _ = told(task(index, dependencies=["numpy >2"], channel=[PYTHON, conda_record("numpy", "1.9")]))
    assert "but there is no such version of `numpy`; there is 1.9" in message


def test_a_python_that_the_recipe_does_not_make(index: FakeIndex) -> None:
    index.add("spam", "1.0")
    message, hint = told(task(index, "spam", on=replace(target(), python=PythonMinor(3, 12))))
    assert message.splitlines()[1:] == [
        '  `python: "3.12"` in the spec',
        "  but there is no such version of `python`; there is 3.11.2",
    ]
    assert hint == (
        "`recipes/python` makes 3.11.2 (what Debian bookworm has); for another add `channels: [conda-forge]`"
    )


@pytest.mark.parametrize(
    ("glibc", "clause"),
    [
        (None, "but glibc is 2.17 by default, since the spec says nothing of it for linux-64"),
        ((2, 28), "but the spec says glibc 2.28 for linux-64"),
    ],
)
def test_a_recipe_that_needs_a_newer_glibc(index: FakeIndex, glibc: tuple[int, int] | None, clause: str) -> None:
    index.add("spam", "1.0")
    recipes = [recipe("python", "3.11.2", "__glibc >=2.36", "python_abi 3.11.* *_cp311"), PYTHON_ABI]
    message, hint = told(task(index, "spam", recipes=recipes, on=replace(target(), glibc=glibc)))
    assert message.splitlines()[1:] == [
        '  `python: "3.11"` in the spec',
        "  └─ python 3.11.2 requires `__glibc >=2.36`",
        f"  {clause}",
    ]
    assert "`platforms: linux-64: glibc:`" in hint
    assert "`channels: [conda-forge]`" in hint


def test_wheels_for_a_newer_glibc_than_the_default(index: FakeIndex) -> None:
    index.add("base", "2.0", tag="cp311-cp311-manylinux_2_28_x86_64")
    message, _ = told(task(index, "base", recipes=[*RECIPES], on=replace(target(), glibc=None)))
    assert "no wheel of `base` 2.0 runs with glibc 2.17, the default: those of 2.0 need 2.28" in message


def test_the_solver_speaks_of_the_fault_that_is_explained(index: FakeIndex) -> None:
    index.add("spam", "1.0")
    index.add("ham", "1.0")
    with pytest.raises(UnsatisfiableError) as caught:
        solved(task(index, "spam >=2", "ham >=2"))
    explained, _, solver = str(caught.value).partition("the solver says:")
    assert ("spam" in explained, "spam" in solver) == ("ham" not in explained, "ham" not in solver)


def test_what_a_conda_package_excludes(index: FakeIndex) -> None:
    channel = [
        PYTHON,
        conda_record("spam", "1.0", "python_abi 3.12.*"),
        conda_record("python_abi", "3.12", "python 3.12.*"),
    ]
    message, _ = told(task(index, dependencies=["spam"], channel=channel, recipes=()))
    assert "`spam` in the spec" in message
    assert "└─ python_abi 3.12 requires `python 3.12.*`" in message


def test_the_solvers_own_words_have_the_projects_names(index: FakeIndex) -> None:
    index.add("torch", "2.8.0", "nothing; extra == 'x'", extras=["x"])
    names = NameTable(renamed={project_name("torch"): CondaName("pytorch")})
    with pytest.raises(UnsatisfiableError) as caught:
        solved(task(index, "torch[x]", names=names))
    assert "torch[x]" in str(caught.value)
    assert "pytorch" not in str(caught.value)
    assert ".extra." not in str(caught.value)


def test_a_search_that_was_given_up_says_so(index: FakeIndex) -> None:
    for n in range(400):
        index.add("spam", f"1.{n}", "base <2")
    index.add("base", "1.0")
    index.add("base", "2.0")
    message, _ = told(task(index, "spam", "base >=2"))
    assert "of `spam` the newest releases were tried, and some older ones" in message
