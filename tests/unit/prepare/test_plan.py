"""Plans: what a lock, a store and a prefix make of each other."""

from __future__ import annotations

import pytest

from envgen.digest import Sha256
from envgen.lock.model import Lock
from envgen.names import CondaName, NameTable, ProjectName
from envgen.packages import BuiltArchive, BuiltPackage, ChannelArchive, ChannelPackage, Wheel
from envgen.platforms import Platform, PythonMinor, Target
from envgen.prefix.installed import InstalledPackage
from envgen.prepare.plan import Artifact, Plan, PlannedPackage, Work, items_of, make_plan
from envgen.structs import replace

DEB = Artifact(filename="python3.11_3.11.2_amd64.deb", sha256=Sha256("d" * 64), size=5)
SHARED = Artifact(filename="libc_1_amd64.deb", sha256=Sha256("e" * 64), size=7)
WHEEL = Wheel(
    project=ProjectName("torch"),
    version="2.8.0",
    filename="torch-2.8.0-cp311-cp311-manylinux_2_28_x86_64.whl",
    sha256=Sha256("a" * 64),
    size=100,
    requires={},
)
CHANNEL = ChannelPackage(
    name=CondaName("zlib"),
    version="1.3",
    build="h1_0",
    dependencies={},
    archive=ChannelArchive(
        url="https://channel.invalid/linux-64/zlib-1.3-h1_0.conda", md5="1" * 32, sha256=Sha256("b" * 64), size=None
    ),
)
BUILT = BuiltPackage(
    name=CondaName("python"),
    version="3.11.2",
    build="h2_0",
    subdir="linux-64",
    dependencies={},
    archive=BuiltArchive(
        recipe="python",
        filename="python-3.11.2-h2_0.conda",
        md5="2" * 32,
        sha256=Sha256("c" * 64),
        content=Sha256("f" * 64),
        size=9,
    ),
)
LOCK = Lock(
    environment="env",
    source="environments/env.yaml",
    target=Target(platform=Platform.LINUX_64, python=PythonMinor(3, 11), glibc=(2, 36)),
    python="3.11.2",
    names={"torch": "pytorch"},
    request=Sha256("0" * 64),
    converter=1,
    packages=(BUILT, CHANNEL, WHEEL),
)
INPUTS = {"python": (DEB, SHARED)}


def items(lock: Lock = LOCK) -> tuple[PlannedPackage, ...]:
    return items_of(lock, NameTable(), inputs=INPUTS)


def plan(have: tuple[PlannedPackage, ...] = (), *, artifacts: str = "", packages: tuple[str, ...] = ()) -> Plan:
    return make_plan(
        items(),
        has_artifact=lambda sha: sha[0] in artifacts,
        has_package=lambda key: key.startswith(packages) if packages else False,
        installed=[installed(item) for item in have],
    )


def installed(item: PlannedPackage) -> InstalledPackage:
    wanted = item.wanted
    return InstalledPackage(
        name=wanted.name, version=wanted.version, build=wanted.build, key=wanted.key, files=(), requested=""
    )


def test_items_bear_the_names_of_conda_and_the_keys_of_the_store() -> None:
    python, torch, zlib = items()
    assert (torch.wanted.name, torch.work) == ("pytorch", Work.CONVERT)
    assert torch.wanted.key.startswith("pytorch-2.8.0-py311_haaaaaaaa_0-")
    assert (zlib.wanted.key, zlib.work) == ("zlib-1.3-h1_0-bbbbbbbbbbbbbbbb", Work.EXTRACT)
    assert (python.wanted.key, python.work) == ("python-3.11.2-h2_0-ffffffffffffffff", Work.BUILD)
    assert python.artifacts == (DEB, SHARED)


def test_everything_comes_into_nothing() -> None:
    found = plan()
    assert [artifact.sha256[0] for artifact in found.fetch] == ["d", "e", "a", "b"]
    assert found.fetch_size == 112
    assert not found.sizes_known
    assert [item.package.name for item in found.preparing(Work.BUILD)] == ["python"]
    assert found.changes.link == ("python", "pytorch", "zlib")
    assert found


@pytest.mark.parametrize(
    ("artifacts", "packages", "fetch", "prepare"),
    [
        ("ab", (), "de", ["python", "torch", "zlib"]),
        ("", ("pytorch", "zlib"), "de", ["python"]),
        ("", ("python", "pytorch", "zlib"), "", []),
        ("abde", (), "", ["python", "torch", "zlib"]),
    ],
)
def test_what_the_store_has_is_not_done_again(
    artifacts: str, packages: tuple[str, ...], fetch: str, prepare: list[str]
) -> None:
    found = plan(artifacts=artifacts, packages=packages)
    assert "".join(artifact.sha256[0] for artifact in found.fetch) == fetch
    assert [item.package.name for item in found.prepare] == prepare
    assert len(found.changes.link) == 3


def test_a_prefix_that_is_as_it_should_be_needs_nothing_of_an_empty_store() -> None:
    found = plan(have=items())
    assert not found
    assert (found.fetch, found.prepare) == ((), ())
    assert len(found.changes.unchanged) == 3


def test_a_change_needs_every_package_in_the_store() -> None:
    found = plan(have=items()[1:])
    assert found.changes.link == ("python",)
    assert [item.package.name for item in found.prepare] == ["python", "torch", "zlib"]


def test_the_same_name_version_and_build_with_other_bytes_is_a_change() -> None:
    rebuilt = replace(
        LOCK, packages=(replace(BUILT, archive=replace(BUILT.archive, content=Sha256("9" * 64))), CHANNEL, WHEEL)
    )
    found = make_plan(
        items(rebuilt),
        has_artifact=lambda _sha: True,
        has_package=lambda _key: True,
        installed=[installed(item) for item in items()],
    )
    assert found.changes.link == ("python",)
    assert [have.dist for have in found.changes.unlink] == ["python-3.11.2-h2_0"]


def test_what_the_lock_does_not_have_goes() -> None:
    stranger = InstalledPackage(name="old", version="1", build="0", key=None, files=(), requested="")
    found = make_plan(
        items(),
        has_artifact=lambda _sha: True,
        has_package=lambda _key: True,
        installed=[stranger, *map(installed, items())],
    )
    assert (found.changes.link, [have.name for have in found.changes.unlink]) == ((), ["old"])


def test_an_interrupted_run_is_work_even_where_nothing_changes() -> None:
    found = make_plan(
        items(),
        has_artifact=lambda _sha: False,
        has_package=lambda _key: False,
        installed=[installed(item) for item in items()],
        unfinished=True,
    )
    assert found
    assert len(found.prepare) == 3


def test_a_material_of_two_recipes_is_fetched_once() -> None:
    twin = replace(
        BUILT,
        name=CondaName("other"),
        archive=replace(BUILT.archive, recipe="other", content=Sha256("8" * 64)),
    )
    lock = replace(LOCK, packages=(BUILT, twin))
    found = make_plan(
        items_of(lock, NameTable(), inputs={**INPUTS, "other": (SHARED,)}),
        has_artifact=lambda _sha: False,
        has_package=lambda _key: False,
        installed=(),
    )
    assert found.fetch == (SHARED, DEB)
