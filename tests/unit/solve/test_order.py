from __future__ import annotations

import pytest
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from envgen.solve.order import is_uneven, misplaced, spec_among
from envgen.versions import InexpressibleError, conda_spec


def versions(*texts: str) -> list[Version]:
    return list(map(Version, texts))


def test_the_less_important_of_a_pair_that_conda_sorts_wrongly_is_left_out() -> None:
    found = misplaced(versions("13.3.5.0.6", "13.3.5.post1", "13.3.5", "13.3.4.3.1", "13.3.5.1"))
    assert found == {Version("13.3.5.post1"): Version("13.3.5.0.6")}
    assert misplaced(versions("1.2.3.post1", "1.2.3.0.1", "1.2.3.0.2")) == {
        Version("1.2.3.0.1"): Version("1.2.3.post1"),
        Version("1.2.3.0.2"): Version("1.2.3.post1"),
    }


def test_versions_that_differ_in_the_local_part_alone_are_in_order() -> None:
    assert not misplaced(versions("1.2.3.0.4+cu128", "1.2.3.0.4", "1.2.3.0.4+cpu", "1.2.3"))


def test_a_version_that_conda_cannot_read_is_passed_over() -> None:
    assert not misplaced(versions("1.2.3.0.4", "1.2.3.99999999999999999999"))


@pytest.mark.parametrize(
    ("specifiers", "among", "expected"),
    [
        (">13.3.5", ("13.3.5", "13.3.5.0.6", "13.3.6"), ">=13.3.5.1dev0|==13.3.5.0.6"),
        (">=1.2.3.post1", ("1.2.3.0.1", "1.2.3.post1"), ">=1.2.3.post1|==1.2.3.0.1"),
        ("<=1.2.3.post1,!=9.*", ("1.2.3.0.1",), "<=1.2.3.post1,<9dev0,!=1.2.3.0.1|<=1.2.3.post1,>=10dev0,!=1.2.3.0.1"),
        (">=1.2.3.0.1", ("1.2.3.post1", "1.2.3.0.2"), ">=1.2.3.0.1,!=1.2.3.post1"),
        ("==1.2.3.0.0.*", ("1.2.3.post1", "1.2.3"), ">=1.2.3dev0,<1.2.3.0.1dev0|==1.2.3.post1"),
        ("<1.2.3.0.1", ("1.2.3.post1", "1.2.3"), "<1.2.3.0.1dev0|==1.2.3.post1"),
    ],
)
def test_versions_that_a_bound_gets_wrong_are_named(specifiers: str, among: tuple[str, ...], expected: str) -> None:
    assert spec_among(SpecifierSet(specifiers), versions(*among)) == expected


@pytest.mark.parametrize("specifiers", ["", ">13.3.4", "==13.3.5.0.6", ">=13.3.5,<14", "~=13.3.5"])
def test_what_is_right_keeps_its_text(specifiers: str) -> None:
    among = versions("13.3.5", "13.3.5.0.6", "13.3.6", "13.3.4.post1")
    assert spec_among(SpecifierSet(specifiers), among) == conda_spec(SpecifierSet(specifiers))


def test_only_inner_zeros_call_for_a_comparison() -> None:
    assert is_uneven(SpecifierSet(">1"), versions("1.2.3.0.4"))
    assert is_uneven(SpecifierSet("!=1.2.3.0.4.*"), ())
    assert not is_uneven(SpecifierSet(">1.0.0.0,===1.2.3.0.4"), versions("1.2.3.4.5", "1.0.0.post1"))


def test_a_specifier_without_words_is_refused_here_too() -> None:
    with pytest.raises(InexpressibleError):
        spec_among(SpecifierSet("<99999999999999999999"), versions("1.2.3.0.4"))
