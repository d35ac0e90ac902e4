"""The archives of packages in the store: what each is, known without writing it twice."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

import zstandard
from msgspec import Struct
from msgspec.structs import asdict

from envgen.convert.conda_archive import CondaArchive, write_conda
from envgen.convert.package import read_index
from envgen.digest import Sha256

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from typing import Any

    from envgen.system.store import Store

_FACTS = "conda-archives"


class PackedPackage(Struct, frozen=True, kw_only=True):
    """A package of the store and its archive, which may not be written yet.

    Attributes:
        key: of the package in the store.
        index: what its `info/index.json` says.
    """

    key: str
    index: Mapping[str, Any]

    @property
    def subdir(self) -> str:
        """Return the platform, or `noarch`."""
        return str(self.index.get("subdir", "noarch"))

    @property
    def name(self) -> str:
        """Return its conda name."""
        return str(self.index["name"])

    @property
    def tail(self) -> str:
        """`version-build`."""
        return f"{self.index['version']}-{self.index['build']}"

    @property
    def filename(self) -> str:
        """Name of its archive."""
        return f"{self.name}-{self.tail}.conda"


def packed_package(store: Store, key: str) -> PackedPackage:
    """Describe a package of the store.

    Raises:
        ArtifactError: it is not a conda package.
    """
    return PackedPackage(key=key, index=read_index(store.need_package(key)))


def known_archive(store: Store, package: PackedPackage) -> CondaArchive | None:
    """Return the digests of an archive that was written before, by this release of zstd."""
    found = store.cached(_FACTS, _key(package))
    if found is None:
        return None
    facts = json.loads(found)
    return CondaArchive(sha256=Sha256(facts["sha256"]), md5=facts["md5"], size=facts["size"])


@contextmanager
def written_archive(store: Store, package: PackedPackage) -> Iterator[tuple[Path, CondaArchive]]:
    """Write an archive, and yield its path and digests; the file goes when the block ends."""
    with store.view() as folder:
        path = folder / package.filename
        with path.open("w+b") as out:
            made = write_conda(store.need_package(package.key), out, stem=package.filename.removesuffix(".conda"))
        store.put(_FACTS, _key(package), json.dumps(asdict(made)).encode())
        yield path, made


def _key(package: PackedPackage) -> str:
    return f"{package.key}.zstd-{'.'.join(map(str, zstandard.ZSTD_VERSION))}"[-220:]
