from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from packaging.requirements import Requirement
from packaging.tags import Tag, parse_tag
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from envgen.digest import Sha256
from envgen.metadata import parse_metadata
from envgen.names import CondaName, NameTable, ProjectName
from envgen.packages import Wheel
from envgen.platforms import Platform, PythonMinor, Target
from envgen.versions import InexpressibleError
from envgen.wheels import TagOrder, extra_name, match_specs, package_id, wheel_constrains, wheel_depends, without_extras

if TYPE_CHECKING:
    from collections.abc import Mapping

CASES: dict[str, Any] = json.loads((Path(__file__).parents[1] / "cases" / "wheels.json").read_text(encoding="utf-8"))
SHA = Sha256("1234abcd" + "0" * 56)
NAMES = NameTable.from_toml("""
[renamed]
torch = "pytorch"
typing-extensions = "typing_extensions"
[clashes]
nvidia-cudnn-cu12 = ["libcudnn", "cudnn"]
""")


def make_target(name: str) -> Target:
    facts = CASES["targets"][name]
    return Target(
        platform=Platform(facts["platform"]),
        python=PythonMinor.parse(facts["python"]),
        glibc=tuple(facts["glibc"]) if "glibc" in facts else None,
        macos=tuple(facts["macos"]) if "macos" in facts else None,
        cuda=facts.get("cuda"),
    )


LINUX = make_target("linux")


def depends(tags: str, *lines: str, target: Target = LINUX) -> tuple[str, ...]:
    meta = parse_metadata("\n".join(("Name: spam", "Version: 1.0", *lines)).encode())
    return wheel_depends(meta, wheel_tags=parse_tag(tags), target=target, names=NAMES)


def build(version: str, requires: Mapping[str, str] | None = None) -> str:
    found = {ProjectName(name): text for name, text in (requires or {}).items()}
    wheel = Wheel(project=ProjectName("torch"), version=version, filename="", sha256=SHA, size=None, requires=found)
    identity = package_id(wheel, target=LINUX, names=NAMES)
    assert identity.name == "pytorch"
    return identity.dist


@pytest.mark.parametrize("case", CASES["choices"], ids=lambda case: str(case["why"]))
def test_the_best_wheel(case: dict[str, Any]) -> None:
    order = TagOrder.of(make_target(case["target"]))
    ranked = [(place, name) for name in case["files"] if (place := order.preference(name)) is not None]
    assert min(ranked, default=(None, None))[1] == case["best"]


@pytest.mark.parametrize("name", CASES["targets"])
def test_ranks_are_those_of_packaging(name: str) -> None:
    target = make_target(name)
    order, tags = TagOrder.of(target), target.wheel_tags()
    for filename in {file for case in CASES["choices"] for file in case["files"]}:
        assert order.rank(filename) == reference_rank(filename, tags)


def reference_rank(filename: str, tags: tuple[Tag, ...]) -> int | None:
    try:
        own = parse_wheel_filename(filename)[3]
    except InvalidWheelFilename:
        # The text alone cannot tell; `preference` looks closer at what runs.
        return TagOrder(ranks={str(tag): rank for rank, tag in enumerate(tags)}).rank(filename)
    return min((rank for rank, tag in enumerate(tags) if tag in own), default=None)


@pytest.mark.parametrize("case", CASES["depends"], ids=lambda case: str(case["why"]))
def test_what_a_wheel_depends_on(case: dict[str, Any]) -> None:
    found = depends(case["tags"], *case["metadata"], target=make_target(case["target"]))
    assert list(found) == case["depends"]


def test_a_wheel_that_does_not_run_on_the_target_depends_on_nothing_sayable() -> None:
    with pytest.raises(InexpressibleError, match="no wheel of `spam` with these tags runs on linux-64"):
        depends("cp311-cp311-win_amd64")


def test_a_requirement_without_words_makes_the_wheel_unusable() -> None:
    with pytest.raises(InexpressibleError, match="banana"):
        depends("py3-none-any", "Requires-Dist: ham ===banana")


def test_releases_share_the_text_of_what_they_require() -> None:
    one, other = (match_specs([Requirement("ham[x]>=1,<2")], NAMES) for _ in range(2))
    assert all(a is b for a, b in zip(one, other, strict=True))


def test_extras_become_packages_of_the_solver_and_leave_again() -> None:
    specs = match_specs([Requirement("torch[Opt.Einsum,x]>=2"), Requirement("ham")], NAMES)
    assert specs == ("ham", "pytorch >=2", "pytorch.extra.opt-einsum >=2", "pytorch.extra.x >=2")
    assert without_extras(specs) == ("ham", "pytorch >=2")
    assert extra_name(CondaName("jupyter_server"), "Test") == "jupyter_server.extra.test"


def test_the_same_library_under_other_names_is_kept_out() -> None:
    assert wheel_constrains(ProjectName("nvidia-cudnn-cu12"), NAMES) == ("cudnn <0a0", "libcudnn <0a0")
    assert wheel_constrains(ProjectName("numpy"), NAMES) == ()


@pytest.mark.parametrize(
    ("version", "requires", "dist"),
    [
        ("2.8.0", {}, "pytorch-2.8.0-py311_h1234abcd_0"),
        ("2.8.0+cu128", {}, "pytorch-2.8.0-py311_cu128_h1234abcd_0"),
        ("2.8.0+cpu.cxx11", {}, "pytorch-2.8.0-py311_cpu.cxx11_h1234abcd_0"),
        ("2.8.0", {"nvidia-cuda-runtime-cu12": "==12.8.90"}, "pytorch-2.8.0-py311_cu128_h1234abcd_0"),
        ("2.8.0+xpu", {"nvidia-cuda-runtime-cu12": "==12.8.90"}, "pytorch-2.8.0-py311_xpu_h1234abcd_0"),
        ("2.9.0", {"nvidia-cuda-runtime": "==13.0.*"}, "pytorch-2.9.0-py311_cu130_h1234abcd_0"),
        ("2.9.0", {"nvidia-cuda-runtime": "==13"}, "pytorch-2.9.0-py311_cu130_h1234abcd_0"),
        ("2.8.0", {"nvidia-cuda-runtime-cu12": ">=12"}, "pytorch-2.8.0-py311_h1234abcd_0"),
        ("2.8.0rc1", {"ham": "==1"}, "pytorch-2.8.0rc1-py311_h1234abcd_0"),
    ],
)
def test_the_build_string_holds_flavour_and_digest(version: str, requires: dict[str, str], dist: str) -> None:
    assert build(version, requires) == dist


def test_a_version_from_before_pep_440_names_no_package() -> None:
    with pytest.raises(InexpressibleError):
        build("Milestone1")
