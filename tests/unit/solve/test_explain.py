from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from envgen.errors import UnsatisfiableError
from envgen.meant import Asked
from envgen.names import CondaName, NameTable, project_name
from envgen.platforms import PythonMinor
from envgen.solve.task import Preference
from envgen.structs import replace
from tests.unit.solve.fakes import (
    PYTHON as RECIPES,
)
from tests.unit.solve.fakes import (
    FakeIndex,
    FakePage,
    archive,
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
    request = replace(task(index, "reqests >=2"), asked=Asked(index="the wheel index at https://***@pypi.test/simple"))
    message, hint = told(request)
    assert message.splitlines() == [
        "no set of packages for linux-64 meets the spec:",
        "  `reqests>=2` in the spec",
        "  but the wheel index at https://***@pypi.test/simple has no project `reqests`",
    ]
    assert hint == "check the spelling, and that this is the index that has it"


def test_only_names_of_the_user_are_suggested(index: FakeIndex) -> None:
    index.add("acme-tool", "1.0", "acme-toolz")
    index.add("requests", "1.0")
    names = names_of(einops="einops")
    assert "did you mean" not in told(task(index, "einop", names=names))[1], "it may be a private project"
    assert "did you mean" not in told(task(index, "acme-tool"))[1], "nor is a line of the spec misspelt"
    assert told(task(index, "requests", "reqests"))[1] == "did you mean `requests`?"
    index.add("einops", "1.0")
    held = {CondaName("einops"): Preference(version="1.0")}
    assert told(task(index, "einop", preferred=held))[1] == "did you mean `einops`?"


@pytest.mark.parametrize(
    ("asked", "project"),
    [
        ("sklearn", "scikit-learn"),
        ("pytorch", "torch"),
        ("opencv", "opencv-python"),
        ("yaml", "pyyaml"),
        ("PIL", "pillow"),
        ("cv2 >=4", "opencv-python"),
        ("bs4", "beautifulsoup4"),
        ("dateutil", "python-dateutil"),
    ],
)
def test_the_name_of_a_module_or_brand(index: FakeIndex, asked: str, project: str) -> None:
    message, hint = told(task(index, asked))
    assert f"; the project known by that name is `{project}`" in message
    assert "require" not in hint, "the index does not have it, and so it would fail again"
    index.add(project, "1.0")
    assert told(task(index, asked))[1] == f"require `{project}` under `pypi`"
    assert told(task(index, dependencies=[asked.lower()]))[1] == f"require `{project}` under `pypi`"


def test_a_placeholder_is_told_from_another_project_of_that_name(index: FakeIndex) -> None:
    for name in ("scikit-learn", "beautifulsoup4", "pyjwt"):
        index.add(name, "1.0")
    for name in ("sklearn", "jwt"):
        index.pages[name] = FakePage(sdists=frozenset({"0.0"}))
    index.add("bs4", "0.0.2")
    assert told(task(index, "sklearn"))[1] == "require `scikit-learn` under `pypi`"
    assert told(task(index, "bs4 >=4"))[1] == "require `beautifulsoup4` under `pypi`"
    assert "pyjwt" not in told(task(index, "jwt"))[0]
    del index.pages["jwt"]
    assert told(task(index, "jwt"))[1] == "require `pyjwt` under `pypi`"


def test_a_dependency_that_names_a_module(index: FakeIndex) -> None:
    index.add("spam", "1.0", "sklearn")
    index.add("scikit-learn", "1.0")
    message, hint = told(task(index, "spam"))
    assert "└─ spam 1.0 requires `sklearn`" in message
    assert "known by that name is `scikit-learn`" in message
    assert not hint, "there would be nothing left to ask for"


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
    assert not hint


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
    assert hint == "drop `spam` or drop `ham==1.0`"


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
    assert hint == "drop `spam` or loosen `base<2`"


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
    assert '`linux-64: {glibc: "2.98"}` under `platforms`' in hint


def test_no_wheel_for_the_platform(index: FakeIndex) -> None:
    index.add("ipex", "2.8.0", tag="cp311-cp311-manylinux_2_28_x86_64")
    message, hint = told(task(index, "ipex ==2.8.0", on=target("linux-aarch64")))
    clause = "but no wheel of `ipex` 2.8.0 runs on linux-aarch64; those of 2.8.0 are for manylinux_2_28_x86_64"
    assert clause in message
    assert 'platform_machine == "x86_64"' in hint


@pytest.mark.parametrize(
    ("facts", "asked", "clause", "remedy"),
    [
        ({"yanked": True}, "spam", "`spam` 1.0 was yanked", "`spam ==1.0`"),
        ({"requires_python": ">=3.12"}, "spam", "runs on Python 3.11: 1.0 needs >=3.12", ""),
        ({"tag": "cp39-cp39-manylinux_2_17_x86_64"}, "spam", "runs on Python 3.11: 1.0 has cp39", ""),
        ({"uploaded": dt.datetime(2026, 6, 7, tzinfo=dt.UTC)}, "spam", "after `exclude-newer`", "2026-06-07"),
        ({"digest": False}, "spam", "the index has no sha256 for it", ""),
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
    assert "but only pre-releases match: 2.0rc1" in message
    assert hint == "`spam >=2.0rc1` under `pypi` allows them"


def test_a_source_archive_only(index: FakeIndex) -> None:
    index.add("ham", "1.0", "spam")
    index.pages["spam"] = FakePage(sdists=frozenset({"1.0"}))
    message, hint = told(task(index, "ham"))
    assert "but there is no wheel of `spam` 1.0, only a source archive" in message
    assert hint == "write `recipes/spam/recipe.yaml` to build it, and require it under `dependencies`"
    assert told(task(index, "spam"))[1] == f"{hint} instead of `pypi`"


def test_several_source_archives(index: FakeIndex) -> None:
    index.add("ham", "1.0", "spam", "eggs >=2")
    index.add("toast", "1.0", "jam")
    for name, version in {"spam": "1.0", "eggs": "2.1", "jam": "3.0", "bread": "1.0"}.items():
        archive(index, name, version)
    message, hint = told(task(index, "ham", "toast", "bread"))
    assert "only a source archive" in message
    assert hint == (
        "write `recipes/bread/recipe.yaml`, `recipes/eggs/recipe.yaml`, `recipes/jam/recipe.yaml` and"
        " `recipes/spam/recipe.yaml` to build them, and require them under `dependencies` instead of `pypi`"
    )
    assert told(task(index, "ham"))[1] == (
        "write `recipes/eggs/recipe.yaml` and `recipes/spam/recipe.yaml` to build them, and require them under"
        " `dependencies`"
    )


def test_metadata_that_breaks_the_standard(index: FakeIndex) -> None:
    index.add("spam", "1.0", "ham (>=1.1 or <1)")
    message, _ = told(task(index, "spam"))
    assert "`spam` 1.0 cannot be used: metadata of `spam` 1.0 is invalid: `Requires-Dist: " in message
    assert "ham (>=1.1 or <1)" in message


def test_a_name_that_neither_channel_nor_recipe_has(index: FakeIndex) -> None:
    channel = [PYTHON, conda_record("jupyterlab")]
    message, hint = told(task(index, dependencies=["jupyterlabb"], channel=channel))
    assert "neither a channel of the spec (conda-forge) nor a recipe offers `jupyterlabb`" in message
    assert "did you mean" not in hint, "a name in the channel may be anybody's"
    message, hint = told(task(index, dependencies=["torch"]))
    assert "no recipe offers `torch`" in message
    assert not hint
    index.add("torch", "2.0")
    hint = told(task(index, dependencies=["torch"]))[1]
    assert hint == "`torch` is a project of the wheel index: require it under `pypi`"


def test_what_the_target_lacks(index: FakeIndex) -> None:
    channel = [PYTHON, conda_record("pytorch", "2.8.0", "__cuda >=12.9", build="cuda")]
    message, hint = told(task(index, dependencies=["pytorch * *cuda*"], channel=channel))
    assert "but the spec sets no CUDA for linux-64" in message
    assert hint == 'if the target machines have it, set `linux-64: {cuda: "12.9"}` under `platforms`'
    message, _ = told(task(index, dependencies=["pytorch"], channel=channel, on=target(cuda="12.4")))
    assert "but the spec sets CUDA 12.4 for linux-64" in message


def test_a_wheel_of_a_later_cuda(index: FakeIndex) -> None:
    index.add("nvidia-cublas", "13.1.0")
    index.add("torch", "2.10.0", "nvidia-cublas ==13.*")
    message, hint = told(task(index, "torch", on=target(cuda="12.8")))
    assert message.splitlines()[1:5] == [
        "  `torch` in the spec",
        "  └─ torch 2.10.0 requires `nvidia-cublas==13.*`",
        "     └─ nvidia-cublas 13.1.0 requires `__cuda >=13`".replace("     └", "    └"),
        "  but the spec sets CUDA 12.8 for linux-64",
    ]
    assert hint == 'if the target machines have it, set `linux-64: {cuda: "13.0"}` under `platforms`'


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
        "`recipes/python` builds 3.11.2 (as in Debian bookworm); `channels: [conda-forge]` may have another"
    )


@pytest.mark.parametrize(
    ("glibc", "clause"),
    [
        (None, "but glibc is 2.17 by default, as the spec does not set it for linux-64"),
        ((2, 28), "but the spec sets glibc 2.28 for linux-64"),
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
    assert '`linux-64: {glibc: "2.36"}` under `platforms`; otherwise `channels: [conda-forge]`' in hint


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
    assert "only the newest and some older releases of `spam` were tried" in message


def test_a_hint_that_does_not_help_is_left_out(index: FakeIndex) -> None:
    index.add("spam", "1.0", "nowhere", yanked=True)
    assert told(task(index, "spam"))[1] == ""
    index.add("ham", "1.0")
    index.add("ham", "2.0rc1", "nowhere")
    assert told(task(index, "ham >1.5"))[1] == "loosen `ham>1.5`"
    index.add("late", "1.0", "nowhere", uploaded=dt.datetime(2026, 6, 7, tzinfo=dt.UTC))
    assert told(task(index, "late", exclude_newer=dt.datetime(2026, 5, 1, tzinfo=dt.UTC)))[1] == ""


def test_a_marker_is_no_help_for_wheels_of_another_system(index: FakeIndex) -> None:
    index.add("spam", "1.0", tag="cp311-cp311-win_amd64")
    assert "platform_machine" not in told(task(index, "spam"))[1]
