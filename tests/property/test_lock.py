"""Whatever a lock says, it reads back as it was, even where YAML would take a name for something else."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from envgen.digest import Sha256
from envgen.lock.read import read_lock
from envgen.lock.render import render_lock
from envgen.names import CondaName, ProjectName
from envgen.packages import BuiltArchive, BuiltPackage, ChannelArchive, ChannelPackage, Package, Wheel, sort_key
from envgen.structs import replace
from tests.unit.lock import samples

PROJECTS = st.sampled_from(["on", "null", "y", "n-1", "0", "1e3", "0x10", "true", "nan", "torch"])
NAMES = PROJECTS | st.just("a.b")
NUMBERS = st.sampled_from(["1", "1.0", "1.10", "2026.11.22", "0.0.1+cu128", "1!2.0rc1"])
VERSIONS = NUMBERS | st.sampled_from(["1e3", "1_000", "0x10", "0o17", "null"])
BUILDS = st.sampled_from(["0", "h1_0", "py311_cu128_h1234abcd_0", "1e10", "null"])
SPECIFIERS = st.sampled_from(["", ">=1", "~=1.0", "!=1.1,>=1", "==1.10"])
RESTS = SPECIFIERS | st.sampled_from(["*", "3.11.* *_cp311", "=1"])
SHA256S = st.text("0123456789e", min_size=64, max_size=64).map(Sha256)
MD5S = st.text("0123456789e", min_size=32, max_size=32)
SIZES = st.none() | st.integers(min_value=0, max_value=1 << 40)
REQUIREMENTS = st.dictionaries(PROJECTS, SPECIFIERS, max_size=4)
DEPENDENCIES = st.dictionaries(NAMES, RESTS, max_size=4)


@st.composite
def wheels(draw: st.DrawFn) -> Wheel:
    name, version = draw(PROJECTS), draw(NUMBERS)
    return Wheel(
        project=ProjectName(name),
        version=version,
        filename=f"{name.replace('-', '_')}-{version}-py3-none-any.whl",
        sha256=draw(SHA256S),
        size=draw(SIZES),
        requires={ProjectName(n): rest for n, rest in draw(REQUIREMENTS).items()},
        stands_for=tuple(sorted(map(ProjectName, draw(st.sets(PROJECTS, max_size=2))))),
    )


@st.composite
def condas(draw: st.DrawFn) -> ChannelPackage:
    name, version, build = draw(NAMES), draw(VERSIONS), draw(BUILDS)
    return ChannelPackage(
        name=CondaName(name),
        version=version,
        build=build,
        dependencies=draw(DEPENDENCIES),
        archive=ChannelArchive(
            url=f"https://conda.example.org/main/noarch/{name}-{version}-{build}.conda",
            md5=draw(MD5S),
            sha256=draw(SHA256S),
            size=draw(SIZES),
        ),
    )


@st.composite
def built(draw: st.DrawFn) -> BuiltPackage:
    name, version, build = draw(NAMES), draw(VERSIONS), draw(BUILDS)
    return BuiltPackage(
        name=CondaName(name),
        version=version,
        build=build,
        subdir="linux-64",
        dependencies=draw(DEPENDENCIES),
        archive=BuiltArchive(
            recipe="python",
            filename=f"{name}-{version}-{build}.conda",
            md5=draw(MD5S),
            sha256=draw(SHA256S),
            content=draw(SHA256S),
            size=draw(SIZES),
        ),
    )


PACKAGES: st.SearchStrategy[list[Package]] = st.lists(wheels() | condas() | built(), max_size=5, unique_by=sort_key)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(PACKAGES)
def test_a_lock_reads_back_as_it_was(packages: list[Package]) -> None:
    lock = replace(samples.lock(), packages=tuple(sorted(packages, key=sort_key)))
    assert read_lock(render_lock(lock)) == lock
