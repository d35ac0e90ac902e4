from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from envgen.errors import SpecError
from envgen.manifest.parse import SECTIONS, parse_spec
from envgen.platforms import Platform, PythonMinor

if TYPE_CHECKING:
    from envgen.manifest.env_spec import EnvSpec

CASES = yaml.safe_load((Path(__file__).parents[2] / "cases" / "spec-faults.yaml").read_text(encoding="utf-8"))
BASE = CASES["base"]


def parse(text: str) -> EnvSpec:
    return parse_spec(text, source="environments/x.yaml")


@pytest.mark.parametrize("case", CASES["cases"], ids=lambda case: case["what"])
def test_faults_are_told_at_once_with_their_lines(case: dict[str, Any]) -> None:
    text = case["whole"] if "whole" in case else BASE + case["text"]
    with pytest.raises(SpecError) as caught:
        parse(text)
    assert [str(fault) for fault in caught.value.faults] == [f"environments/x.yaml:{line}" for line in case["faults"]]


def test_everything() -> None:
    spec = parse("""
name: x
python: "3.11"
platforms:
  linux-64: &base {glibc: "2.36", cuda: "12.8", archspec: x86_64_v3}
  linux-aarch64: {<<: *base, archspec: neoverse_v2, glibc: 2.28}
  osx-arm64: {macos: 13.0}
channels: [conda-forge, ./channel, "https://conda.example.org/main/"]
dependencies: ["numpy >=1.26,<3", blas * *mkl]
pypi:
  - torch ==2.8.0
  - jax[cuda12] ~=0.5 ; sys_platform == "linux"
names: {My_Project: mine}
exclude-newer: 2026-11-22
default: true
""")
    assert spec.python == PythonMinor(3, 11)
    linux, arm, mac = spec.targets.values()
    assert (linux.glibc, linux.cuda, linux.archspec) == ((2, 36), "12.8", "x86_64_v3")
    assert (arm.platform, arm.glibc, arm.cuda, arm.archspec) == (
        Platform.LINUX_AARCH64,
        (2, 28),
        "12.8",
        "neoverse_v2",
    )
    assert (mac.macos, mac.glibc) == ((13, 0), None)
    assert spec.channels == ("conda-forge", "./channel", "https://conda.example.org/main")
    assert spec.dependencies == ("numpy >=1.26,<3", "blas * *mkl")
    assert [str(r) for r in spec.pypi] == ["torch==2.8.0", 'jax[cuda12]~=0.5; sys_platform == "linux"']
    assert spec.names == {"my-project": "mine"}
    assert spec.default
    assert spec.source == "environments/x.yaml"


def test_sections_with_all_of_their_entries_commented_out_are_empty() -> None:
    spec = parse(BASE + "".join(f"{key}:\n  # nothing\n" for key in SECTIONS if f"{key}:" not in BASE))
    assert (spec.channels, spec.dependencies, spec.pypi, spec.names) == ((), (), (), {})
    assert (spec.exclude_newer, spec.default) == (None, False)


def test_unquoted_versions_are_taken_as_written() -> None:
    spec = parse("name: x\npython: 3.10\nplatforms: {linux-64: {glibc: 2.30, cuda: 12.10}}\n")
    assert str(spec.python) == "3.10"
    assert (spec.targets[Platform.LINUX_64].glibc, spec.targets[Platform.LINUX_64].cuda) == ((2, 30), "12.10")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-22", dt.datetime(2026, 11, 23, tzinfo=dt.UTC)),
        ("2026-11-22T00:00:00Z", dt.datetime(2026, 11, 22, tzinfo=dt.UTC)),
        ("'2026-11-22T01:30:00+02:00'", dt.datetime(2026, 11, 21, 23, 30, tzinfo=dt.UTC)),
    ],
)
def test_exclude_newer_is_a_moment_in_utc_and_a_date_includes_its_day(text: str, moment: dt.datetime) -> None:
    assert parse(BASE + f"exclude-newer: {text}\n").exclude_newer == moment


def test_one_project_may_stand_twice_for_different_platforms() -> None:
    spec = parse(BASE + "pypi: [\"a ==1 ; platform_machine == 'x86_64'\", \"a ==2 ; platform_machine == 'aarch64'\"]\n")
    assert len(spec.pypi) == 2


def test_an_alias_of_itself_does_not_hang() -> None:
    with pytest.raises(SpecError):
        parse(BASE + "pypi: &a [*a]\n")
