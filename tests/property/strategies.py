"""What the properties are tried on: versions, specifiers and sets of them, small enough to collide often."""

from __future__ import annotations

from hypothesis import strategies as st
from packaging.specifiers import Specifier, SpecifierSet
from packaging.version import Version

NUMBERS = st.sampled_from((0, 0, 0, 1, 1, 2, 9, 10, 2024))
RELEASES = st.lists(NUMBERS, min_size=1, max_size=5).map(lambda numbers: ".".join(map(str, numbers)))
EPOCHS = st.sampled_from(("", "", "", "0!", "1!"))
PRES = st.sampled_from(("", "", "a0", "a1", "b1", "rc1", "rc2"))
POSTS = st.sampled_from(("", "", ".post0", ".post1", ".post2"))
DEVS = st.sampled_from(("", "", ".dev0", ".dev1"))
LOCALS = st.sampled_from(("", "", "", "+cu128", "+1", "+cpu.cxx11"))


@st.composite
def public_versions(draw: st.DrawFn) -> Version:
    """Draw a version without a local part."""
    return Version(draw(EPOCHS) + draw(RELEASES) + draw(PRES) + draw(POSTS) + draw(DEVS))


@st.composite
def versions(draw: st.DrawFn) -> Version:
    """Draw a version, now and then with a local part."""
    return Version(f"{draw(public_versions())}{draw(LOCALS)}")


@st.composite
def families(draw: st.DrawFn) -> str:
    """Draw the `1.*` of a wildcard specifier."""
    return f"{draw(EPOCHS)}{draw(RELEASES)}.*"


@st.composite
def specifiers(draw: st.DrawFn) -> Specifier:
    """Draw a specifier that needs no file name to be decided."""
    if draw(st.integers(0, 3)) == 0:
        return Specifier(draw(st.sampled_from(("==", "!="))) + draw(families()))
    version = draw(public_versions())
    operators = ["==", "!=", "<", "<=", ">", ">="] + ["~="] * (len(version.release) > 1)
    return Specifier(f"{draw(st.sampled_from(operators))}{version}")


SPECIFIER_SETS = st.lists(specifiers(), max_size=4).map(SpecifierSet)

_NEIGHBOURS = ("", "rc1", ".dev1", ".post1", ".post2.dev0", ".post2", ".0.1.dev0", ".0.1", ".0.1.post1", ".0.0.2", ".1")


@st.composite
def uneven_projects(draw: st.DrawFn) -> list[Version]:
    """Draw versions of one project in any order, some of which conda sorts wrongly."""
    base = draw(EPOCHS) + draw(st.sampled_from(("1", "1.0", "1.0.0", "13.3.5", "1.2.3.4")))
    zeros = "0" if base.count(".") > 1 else "0.0.0"
    spelled = st.sampled_from(_NEIGHBOURS).map(lambda end: Version(base + end.replace(".0.", f".{zeros}.")))
    return draw(st.lists(st.one_of(spelled, versions()), max_size=12, unique=True))
