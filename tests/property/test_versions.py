"""conda's order of the mapped versions is PEP 440's, and mapped specifiers hold for the same versions."""

from __future__ import annotations

import rattler
from hypothesis import assume, given, settings
from packaging.specifiers import Specifier, SpecifierSet
from packaging.version import Version

from envgen.versions import InexpressibleError, conda_spec, conda_version, is_exact
from tests.property.strategies import LOCALS, SPECIFIER_SETS, public_versions, specifiers, versions


def expressible(version: Version) -> rattler.Version:
    try:
        return rattler.Version(conda_version(version))
    except InexpressibleError:
        assume(condition=False)
        raise


def expressible_spec(specifier_set: SpecifierSet) -> str:
    try:
        return conda_spec(specifier_set)
    except InexpressibleError:
        assume(condition=False)
        raise


def matches(spec: str, version: rattler.Version) -> bool:
    return not spec or rattler.VersionSpec(spec).matches(version)


def public(version: Version) -> Version:
    return Version(version.public)


@settings(max_examples=500, deadline=None)
@given(left=versions(), right=versions())
def test_the_order_is_that_of_pep_440(left: Version, right: Version) -> None:
    ours, theirs = expressible(left), expressible(right)
    assert (ours < theirs) == (public(left) < public(right))
    assert (ours == theirs) == (public(left) == public(right))


@settings(max_examples=1000, deadline=None)
@given(specifier=specifiers(), version=versions())
def test_a_specifier_holds_for_the_same_versions(specifier: Specifier, version: Version) -> None:
    spec = expressible_spec(SpecifierSet([specifier]))
    assert matches(spec, expressible(version)) == specifier.contains(version, prereleases=True)


@settings(max_examples=500, deadline=None)
@given(specifier_set=SPECIFIER_SETS, version=versions())
def test_a_set_of_specifiers_holds_for_the_same_versions(specifier_set: SpecifierSet, version: Version) -> None:
    spec = expressible_spec(specifier_set)
    assert is_exact(specifier_set)
    assert matches(spec, expressible(version)) == specifier_set.contains(version, prereleases=True)


@settings(max_examples=300, deadline=None)
@given(asked=public_versions(), local=LOCALS, version=versions())
def test_what_only_a_file_can_meet_is_wider_in_conda_and_says_so(asked: Version, local: str, version: Version) -> None:
    for operator in ("===", "==", "!="):
        specifier_set = SpecifierSet(f"{operator}{asked}{local}")
        spec = expressible_spec(specifier_set)
        if specifier_set.contains(version, prereleases=True):
            assert matches(spec, expressible(version))
        elif matches(spec, expressible(version)):
            assert not is_exact(specifier_set)
