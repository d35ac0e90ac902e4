"""Packages with one path that conda and rattler test themselves with: each pair ends as rattler ends it, or is refused.

They are not part of the repository.
"""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import rattler

from envgen.convert.conda_archive import extract_conda
from envgen.convert.package import record_of
from envgen.digest import Sha256
from envgen.errors import ArtifactError
from envgen.packages import ChannelArchive
from envgen.platforms import Platform
from envgen.prefix.contents import LinkPackage, read_contents
from envgen.prefix.link import link
from envgen.prefix.verify import verify_prefix
from envgen.system.store import Store
from tests.unit.prefix.samples import Listener

if TYPE_CHECKING:
    from collections.abc import Iterable

PEERS = Path(__file__).parents[3] / "../shared/peer-packages"

pytestmark = pytest.mark.skipif(not PEERS.is_dir(), reason="the packages are not on this machine")

FILES_AND_FOLDERS = [
    "clobber-fd-1",
    "clobber-fd-2",
    "clobber-fd-2-conflicting",
    "clobber-fd-3",
    "clobber-fd-rev-1",
    "clobber-fd-rev-2",
    "clobber-fd-rev-3",
    "clobber-nested-1",
    "clobber-nested-2",
    "clobber-nested-3",
    "clobber-with-dir",
    "clobber-without-dir",
]
"""Packages of which one brings a file where another has a folder: refused, while rattler drops the one or the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two archives that bring one path."""

    first: Path
    second: Path

    def __str__(self) -> str:
        return f"{self.first.name} {self.second.name}"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("peers") / "store")


def extracted(store: Store, archive: Path) -> LinkPackage:
    """Write a package of the channel into the store."""
    raw = archive.read_bytes()
    folder = store.ensure_package(f"peer-{archive.name}", lambda dest: extract_conda(archive, dest))
    origin = ChannelArchive(url=archive.as_uri(), md5="0" * 32, sha256=Sha256.of(raw), size=len(raw))
    return LinkPackage(record=record_of(folder, origin), directory=folder)


def _archives() -> list[Path]:
    """List the archives that are packages: two have no `info/paths.json`."""
    every = sorted(path for path in PEERS.glob("*") if path.suffix in (".conda", ".bz2"))
    return [path for path in every if not path.name.startswith(("symlink-test", "zip64-test"))]


@pytest.fixture(scope="module")
def pairs(store: Store) -> list[Pair]:
    """Find the archives of two names that bring one path, or one a path below another's."""
    found = {}
    for archive in _archives():
        package = extracted(store, archive)
        if package.record.noarch != "python":
            found[archive] = package.record.name, _paths(package)
    every = itertools.combinations(found.items(), 2)
    return [Pair(first=a, second=b) for (a, (n, p)), (b, (m, q)) in every if n != m and _meet(p, q)]


def _paths(package: LinkPackage) -> set[str]:
    return {item.claim.path for item in read_contents(package, None).items}


def _meet(one: Iterable[str], other: Iterable[str]) -> bool:
    return any(a == b or a.startswith(f"{b}/") or b.startswith(f"{a}/") for a in one for b in other)


def by_rattler(pair: Pair, prefix: Path, cache: Path) -> dict[str, str]:
    """Link two packages as rattler does, and read what is there."""
    records = [
        rattler.RepoDataRecord(
            package_record=rattler.PackageRecord.from_index_json(_index(archive, cache)),
            file_name=archive.name,
            url=archive.resolve().as_uri(),
            channel="file:///channel",
        )
        for archive in (pair.first, pair.second)
    ]
    asyncio.run(rattler.install(records, prefix, cache_dir=cache / "packages", platform=rattler.Subdir("linux-64")))
    return tree(prefix)


def _index(archive: Path, cache: Path) -> Path:
    folder = cache / "extracted" / archive.name
    if not folder.exists():
        extract_conda(archive, folder)
    return folder / "info/index.json"


def tree(prefix: Path) -> dict[str, str]:
    """Read files and links but records and what rattler put aside."""
    found = {}
    for path in sorted(prefix.rglob("*")):
        name = path.relative_to(prefix).as_posix()
        if name.split("/")[0] in ("conda-meta", "__clobbers__", "CACHEDIR.TAG"):
            continue
        if path.is_symlink():
            found[name] = f"link to {path.readlink()}"
        elif path.is_file():
            found[name] = path.read_bytes().decode("latin-1")
    return found


def test_every_pair_ends_as_with_rattler(store: Store, pairs: list[Pair], tmp_path: Path) -> None:
    assert pairs
    refused, differing = {}, []
    for number, pair in enumerate(pairs):
        listener, prefix = Listener(), tmp_path / f"ours-{number}"
        packages = [extracted(store, pair.first), extracted(store, pair.second)]
        try:
            link(packages, prefix, store=store, platform=Platform.LINUX_64, reporter=listener)
        except ArtifactError as error:
            refused[str(pair)] = str(error)
            continue
        if tree(prefix) != by_rattler(pair, tmp_path / f"theirs-{number}", tmp_path / "cache"):
            differing.append(str(pair))
        assert verify_prefix(prefix) == ()
        assert len(listener.notes) <= 1, pair
    assert differing == []
    assert all("as a file" in why for why in refused.values())
    assert sorted({name.split("-0.")[0] for name in " ".join(refused).split()}) == FILES_AND_FOLDERS
