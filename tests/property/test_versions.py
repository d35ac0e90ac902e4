"""conda's order of the mapped versions is PEP 440's, and mapped specifiers hold for the same versions."""

from __future__ import annotations

import rattler
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from packaging.specifiers import Specifier, SpecifierSet
from packaging.version import Version

from envgen.solve.order import is_uneven, misplaced, spec_among
from envgen.versions import conda_spec, conda_version, has_inner_zero, is_exact
from tests.property.strategies import (
    LOCALS,
    SPECIFIER_SETS,
    public_versions,
    specifiers,
    uneven_projects,
    versions,
)


def conda(version: Version) -> rattler.Version:
    return rattler.Version(conda_version(version))


def is_wrong_pair(left: Version, right: Version) -> bool:
    """Return whether one has an inner zero and the other is a post-release, the only kind that conda sorts wrongly."""
    return any(has_inner_zero(one) and other.post is not None for one, other in ((left, right), (right, left)))


def matches(spec: str, version: rattler.Version) -> bool:
    return not spec or rattler.VersionSpec(spec).matches(version)


def public(version: Version) -> Version:
    return Version(version.public)


@settings(max_examples=500, deadline=None)
@given(left=versions(), right=versions())
def test_the_order_is_that_of_pep_440(left: Version, right: Version) -> None:
    assume(not is_wrong_pair(left, right))
    ours, theirs = conda(left), conda(right)
    assert (ours < theirs) == (public(left) < public(right))
    assert (ours == theirs) == (public(left) == public(right))


@settings(max_examples=1000, deadline=None)
@given(specifier=specifiers(), version=versions())
def test_a_specifier_holds_for_the_same_versions(specifier: Specifier, version: Version) -> None:
    assume(not is_uneven(SpecifierSet([specifier]), [version]))
    spec = conda_spec(SpecifierSet([specifier]))
    assert matches(spec, conda(version)) == specifier.contains(version, prereleases=True)


@settings(max_examples=500, deadline=None)
@given(specifier_set=SPECIFIER_SETS, version=versions())
def test_a_set_of_specifiers_holds_for_the_same_versions(specifier_set: SpecifierSet, version: Version) -> None:
    assume(not is_uneven(specifier_set, [version]))
    spec = conda_spec(specifier_set)
    assert is_exact(specifier_set)
    assert matches(spec, conda(version)) == specifier_set.contains(version, prereleases=True)


@settings(max_examples=300, deadline=None)
@given(asked=public_versions(), local=LOCALS, version=versions())
def test_what_only_a_file_can_meet_is_wider_in_conda_and_says_so(asked: Version, local: str, version: Version) -> None:
    for operator in ("===", "==", "!="):
        specifier_set = SpecifierSet(f"{operator}{asked}{local}")
        spec = spec_among(specifier_set, [version])
        if specifier_set.contains(version, prereleases=True):
            assert matches(spec, conda(version))
        elif matches(spec, conda(version)):
            assert not is_exact(specifier_set)


@settings(max_examples=500, deadline=None)
@given(specifier_set=SPECIFIER_SETS, among=uneven_projects())
def test_specifiers_hold_for_the_same_versions_of_a_project(specifier_set: SpecifierSet, among: list[Version]) -> None:
    spec = spec_among(specifier_set, among)
    for version in among:
        assert matches(spec, conda(version)) == specifier_set.contains(version, prereleases=True)


@settings(max_examples=500, deadline=None)
@given(data=st.data(), among=uneven_projects())
def test_bounds_of_a_project_hold_for_its_own_versions(data: st.DataObject, among: list[Version]) -> None:
    for version in among:
        operator = data.draw(st.sampled_from(("==", "!=", "<", "<=", ">", ">=")))
        specifier_set = SpecifierSet(f"{operator}{version.public}")
        spec = spec_among(specifier_set, among)
        selected = {other for other in among if matches(spec, conda(other))}
        assert selected == {other for other in among if specifier_set.contains(other, prereleases=True)}


@settings(max_examples=500, deadline=None)
@given(important_first=uneven_projects())
def test_what_is_not_left_out_is_in_order(important_first: list[Version]) -> None:
    left_out = misplaced(important_first)
    assert important_first[:1] == [version for version in important_first[:1] if version not in left_out]
    assert all(is_wrong_pair(version, other) for version, other in left_out.items())
    assert all(important_first.index(other) < important_first.index(version) for version, other in left_out.items())
    kept = [version for version in important_first if version not in left_out]
    for left in kept:
        for right in kept:
            assert (conda(left) < conda(right)) == (public(left) < public(right))
            assert (conda(left) == conda(right)) == (public(left) == public(right))
