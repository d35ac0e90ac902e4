from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
import rattler
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from envgen.versions import (
    InexpressibleError,
    conda_spec,
    conda_version,
    has_inner_zero,
    is_exact,
    is_plainly_met,
    parse_version,
)

CASES: dict[str, Any] = json.loads((Path(__file__).parents[1] / "cases" / "versions.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("version", "expected"), CASES["versions"])
def test_a_version_is_written_in_condas_words(version: str, expected: str) -> None:
    assert conda_version(Version(version)) == expected


@pytest.mark.parametrize("version", CASES["refused_versions"])
def test_a_version_that_conda_cannot_read_is_refused(version: str) -> None:
    with pytest.raises(InexpressibleError, match=version):
        conda_version(Version(version))


@pytest.mark.parametrize(("specifiers", "expected"), CASES["specifiers"])
def test_specifiers_are_written_in_condas_words(specifiers: str, expected: str) -> None:
    assert conda_spec(SpecifierSet(specifiers)) == expected


@pytest.mark.parametrize("specifiers", CASES["refused_specifiers"])
def test_a_specifier_without_words_is_refused(specifiers: str) -> None:
    with pytest.raises(InexpressibleError):
        conda_spec(SpecifierSet(specifiers))


def test_the_text_does_not_depend_on_the_order_of_specifiers() -> None:
    assert conda_spec(SpecifierSet("<2,>=1,!=1.5")) == conda_spec(SpecifierSet("!=1.5,>=1,<2")) == ">=1,<2dev0,!=1.5"


@pytest.mark.parametrize("specifiers", CASES["inexact_specifiers"])
def test_what_only_a_file_can_meet_is_told(specifiers: str) -> None:
    assert not is_exact(SpecifierSet(specifiers))
    assert is_exact(SpecifierSet(">=1,<2"))


def test_a_version_from_before_pep_440_is_refused() -> None:
    with pytest.raises(InexpressibleError, match="`Milestone1` is not a PEP 440 version"):
        parse_version("Milestone1")


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("13.3.5.0.6", True),
        ("1.2.3.4.00.5rc1", True),
        ("1.2.3.0.0", False),
        ("1.0.0.4", False),
        ("1.0.2.0.post1", False),
    ],
)
def test_an_inner_zero_stands_after_the_third_number_and_before_another(version: str, *, expected: bool) -> None:
    assert has_inner_zero(Version(version)) is expected


def test_what_is_plainly_met_is_met_for_rattler() -> None:
    versions = [
        "0",
        "0.0",
        "1",
        "01.2",
        "1.0",
        "1.0.1",
        "1.2",
        "1.2.0",
        "1.2.3",
        "1.10",
        "2",
        "3.1",
        "3.11",
        "3.11.2",
        "1rc1",
    ]
    bounds = [
        "",
        *(f"{before}{text}{after}" for text in versions for before, after in ((">=", ""), ("", ".*"), ("<", ""))),
    ]
    for version, bound in itertools.product(versions, bounds):
        record = rattler.PackageRecord(
            name="a", version=version, build=rattler.BuildString("h1_0"), build_number=0, subdir="noarch", depends=[]
        )
        assert not is_plainly_met(bound, version) or rattler.MatchSpec(f"a {bound}".rstrip()).matches(record)


@pytest.mark.parametrize("bound", ["", ">=3.11", ">=3", "3.*", "3.11.*", ">=3.11.2", "3.11.2.*"])
def test_usual_bounds_are_plainly_met(bound: str) -> None:
    assert is_plainly_met(bound, "3.11.2")


@pytest.mark.parametrize("bound", [">=3.12", "3.1.*", ">=3,<4", "==3.11.2", f">={10**30}", "3.11.2", "* *cpython"])
def test_other_bounds_are_not_plainly_met(bound: str) -> None:
    assert not is_plainly_met(bound, "3.11.2")
