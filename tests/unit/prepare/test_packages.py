"""What is linked is what the lock says, also where the store holds a package that says something else."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import pytest

from envgen.errors import ArtifactError
from envgen.prefix.changes import Wanted
from envgen.prepare.built import extract_artifact
from envgen.prepare.packages import link_packages
from envgen.prepare.plan import PlannedPackage, Work
from envgen.structs import replace
from envgen.system.store import Store
from tests.builders.channel import CondaPackage, make_conda
from tests.builders.extracted import Draft, make
from tests.unit.prepare.test_plan import BUILT, CHANNEL

if TYPE_CHECKING:
    from pathlib import Path

    from envgen.packages import BuiltPackage, ChannelPackage
    from envgen.project.context import Context
    from envgen.project.lock_files import LockPair

ZLIB = Draft(name="zlib", version="1.3", build="h1_0", depends=("glibc >=2",))
PYTHON = Draft(name="python", version="3.11.2", build="h2_0", depends=("zlib >=1.3",))


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What of a `Context` linking asks for."""

    store: Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def linked(store: Store, package: ChannelPackage | BuiltPackage, draft: Draft, **claims: Any) -> Any:
    """Write a draft into the store with a changed `index.json`, and link it as a locked package."""
    made = make(store, draft)
    index = made.directory / "info/index.json"
    index.write_text(json.dumps({**json.loads(index.read_text()), **claims}))
    wanted = Wanted(name=package.name, version=package.version, build=package.build, key=made.key)
    item = PlannedPackage(package=package, wanted=wanted, work=Work.EXTRACT, artifacts=())
    [found] = link_packages(cast("Context", World(store=store)), [item], cast("LockPair", None))
    return found.record


def test_dependencies_of_a_channel_are_those_of_the_lock(store: Store) -> None:
    record = linked(store, replace(CHANNEL, dependencies={"other": ">=2"}), ZLIB)
    assert record.depends == ("other >=2",)


def test_a_recipe_has_the_dependencies_of_its_lock(store: Store) -> None:
    record = linked(store, replace(BUILT, dependencies={"zlib": ">=1.3"}), PYTHON)
    assert record.depends == ("zlib >=1.3",)


@pytest.mark.parametrize("depends", [["zlib"], [], ["zlib >=1.3", "other"]])
def test_other_dependencies_of_a_recipe_are_refused(store: Store, depends: list[str]) -> None:
    with pytest.raises(ArtifactError, match=r"`python-3.11.2-h2_0.conda`: .*: dependency `\w+`: expected .*, got "):
        linked(store, replace(BUILT, dependencies={"zlib": ">=1.3"}), PYTHON, depends=depends)


@pytest.mark.parametrize(
    "claims", [{"name": "other"}, {"version": "9"}, {"build": "h9_9"}, {"subdir": "noarch"}, {"version": "../../x"}]
)
@pytest.mark.parametrize(("package", "draft"), [(CHANNEL, ZLIB), (BUILT, PYTHON)])
def test_another_identity_is_refused(
    store: Store, package: ChannelPackage | BuiltPackage, draft: Draft, claims: dict[str, Any]
) -> None:
    with pytest.raises(ArtifactError, match=r"`info/index.json`.*expected .*got "):
        linked(store, package, draft, **claims)


def test_a_published_archive_of_another_package_is_refused(store: Store, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    archive.write_bytes(make_conda(CondaPackage(name="python", version="3.11.2", build="h9_0")))
    (tmp_path / "dest").mkdir()
    with pytest.raises(ArtifactError, match=r"expected python 3.11.2 h2_0 \(linux-64\), got python 3.11.2 h9_0"):
        extract_artifact(store, archive, BUILT, tmp_path / "dest")
