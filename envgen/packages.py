"""The kinds of package: a wheel, a package of a channel, a package that a recipe makes.

    Package = Wheel | ChannelPackage | BuiltPackage        what a lock holds
    Origin  = Wheel | ChannelArchive | BuiltArchive        where the bytes of a `Record` come from

A `ChannelPackage` and a `BuiltPackage` are the archive that they come from and what conda calls it; a wheel is the same
value in a solve, in a lock and in the store. What depends on the kind is a property here, so that another kind of
package is one more class with these properties: `name`, `version`, `build`, `needs`, `manager`, `kind`, `filename`,
`url`, `sha256`, `md5`, `size`, `content`, `download_size`, `stands_for`, `origin`, `conda_name` and `depends_on`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar

from msgspec import Struct

from envgen.digest import Sha256
from envgen.indexes import DEFAULT, variable_of
from envgen.names import CondaName
from envgen.structs import replace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from envgen.builds import Source, WheelBuild
    from envgen.names import NameTable, ProjectName

PYPI = "${ENVGEN_PYPI}"
"""Stands for the default wheel index in URLs: what follows is `/<project>/<file>`."""

LOCAL_CHANNEL = "${ENVGEN_CHANNEL}"
"""Stands for the channel that envgen publishes to: what follows is `/<subdir>/<file>`."""


def placeholder(index: str) -> str:
    """Return what stands for a wheel index in URLs, by its name."""
    return f"${{{variable_of(index)}}}" if index else PYPI


class PackageKind(StrEnum):
    """Where a package comes from."""

    WHEEL = "wheel"
    CHANNEL = "channel"
    RECIPE = "recipe"
    DEBIAN = "Debian"


class Wheel(Struct, frozen=True, kw_only=True):
    """A wheel: a file of a wheel index, or one that envgen builds from a source.

    Attributes:
        project: normalised project name.
        version: the file's PEP 440 version, normalised (`2.8.0+cu128`).
        filename: name of the wheel.
        sha256: digest of the wheel; of one that is built in its canonical form, which depends on its content alone.
        size: bytes of the wheel, where they are known.
        requires: name -> specifier of `Requires-Dist` that hold for the target with the extras asked for,
            as PEP 440 text (`""` for any version); names are normalised.
        stands_for: projects that others require and that this one stands for, sorted.
        index: name of the index that it comes from; "" for the default one.
        address: of the wheel where the spec gives it, `./…` for a file of the project; empty for one of an index.
        made: how it is built; None for a wheel that is downloaded.
    """

    manager: ClassVar[str] = "pip"
    kind: ClassVar[PackageKind] = PackageKind.WHEEL
    build: ClassVar[str] = ""
    md5: ClassVar[None] = None

    project: ProjectName
    version: str
    filename: str
    sha256: Sha256
    size: int | None
    requires: Mapping[ProjectName, str]
    stands_for: tuple[ProjectName, ...] = ()
    index: str = DEFAULT
    address: str = ""
    made: WheelBuild | None = None

    @property
    def listed(self) -> Wheel | Source:
        """Return the file to fetch: the wheel, or the source that it is built from."""
        return self.made.source if self.made else self

    @property
    def direct(self) -> str:
        """Address that the spec gives, of the wheel or of its source; empty for what comes from an index."""
        return self.made.source.address if self.made else self.address

    @property
    def name(self) -> str:
        """Name of the lock's entry: the project."""
        return self.project

    @property
    def needs(self) -> Mapping[str, str]:
        """Name -> version constraint, in the words of the kind."""
        return {str(project): specifier for project, specifier in self.requires.items()}

    @property
    def url(self) -> str:
        """Return the page of the index that has the file, by name and digest; or the file's own address."""
        if direct := self.direct:
            return direct
        return f"{placeholder(self.index)}/{self.project}/{self.listed.filename}"

    @property
    def content(self) -> Sha256:
        """Digest that tells two packages of one name, version and build apart."""
        return self.sha256

    @property
    def download_size(self) -> int | None:
        """Bytes to download; None where that is not known."""
        return self.listed.size

    @property
    def origin(self) -> Wheel:
        """Return the origin of the package's `Record`."""
        return self

    def conda_name(self, names: NameTable) -> CondaName:
        """Return what the package is called in an environment."""
        return names.conda_name(self.project)

    def depends_on(self, names: NameTable) -> Iterator[tuple[CondaName, str]]:
        """Iterate over what the package needs: the name in an environment, and the requirement as it is written."""
        for project, specifier in self.requires.items():
            yield names.conda_name(project), f"{project}{specifier}"


class ChannelArchive(Struct, frozen=True, kw_only=True):
    """An archive of a conda channel. `url` is public and holds no credentials."""

    url: str
    md5: str
    sha256: Sha256
    size: int | None


class BuiltArchive(Struct, frozen=True, kw_only=True):
    """The archive of a package that envgen built from a recipe.

    Attributes:
        recipe: name of the recipe's folder.
        filename: name of the archive in the local channel.
        md5: digest of the archive; conda-lock demands it.
        sha256: digest of the archive.
        content: digest of the uncompressed content (path, mode, bytes), which outlives changes of zstd.
        size: bytes of the archive, where known.
        local: whether it is built from code of the project beyond the recipe, which no lock has the digest of. The
            digests are then those of what it is built from: of the recipe alone in a lock.
    """

    recipe: str
    filename: str
    md5: str
    sha256: Sha256
    content: Sha256
    size: int | None
    local: bool = False

    def built_from(self, inputs: str) -> BuiltArchive:
        """Return the archive with digests of what it is built from, which `inputs` names."""
        own = local_digest(inputs, self.filename.removesuffix(".conda"))
        return replace(self, md5=own[:32], sha256=own, content=own, size=None, local=True)


def local_digest(inputs: str, dist: str) -> Sha256:
    """Return what stands for the content of a package that is built from code of the project."""
    return Sha256.of(f"{inputs} {dist}".encode())


Origin = ChannelArchive | Wheel | BuiltArchive


class _CondaPackage(Struct, frozen=True, kw_only=True):
    """What conda calls a package, and what it depends on.

    Attributes:
        name: conda name.
        version: in conda's order.
        build: the build string.
        dependencies: name -> rest of the MatchSpec (`""` for any), virtual packages included.
        archive: where its bytes come from.
    """

    manager: ClassVar[str] = "conda"
    stands_for: ClassVar[tuple[ProjectName, ...]] = ()

    name: CondaName
    version: str
    build: str
    dependencies: Mapping[str, str]
    archive: ChannelArchive | BuiltArchive

    @property
    def sha256(self) -> Sha256:
        """Digest of the archive."""
        return self.archive.sha256

    @property
    def md5(self) -> str:
        """Digest of the archive, for conda-lock."""
        return self.archive.md5

    @property
    def size(self) -> int | None:
        """Bytes of the archive, where they are known."""
        return self.archive.size

    @property
    def needs(self) -> Mapping[str, str]:
        """Name -> version constraint, in the words of the kind."""
        return self.dependencies

    @property
    def dist(self) -> str:
        """`name-version-build`."""
        return f"{self.name}-{self.version}-{self.build}"

    def conda_name(self, names: NameTable) -> CondaName:  # noqa: ARG002 - a wheel needs the table
        """Return what the package is called in an environment."""
        return self.name

    def depends_on(self, names: NameTable) -> Iterator[tuple[CondaName, str]]:  # noqa: ARG002
        """Iterate over what the package needs: the name in an environment, and the requirement as it is written."""
        for name, rest in self.dependencies.items():
            yield CondaName(name), f"{name} {rest}".rstrip()


class ChannelPackage(_CondaPackage, frozen=True, kw_only=True):
    """A package of a conda channel.

    Attributes:
        archive: where its bytes are; a URL without a scheme counts from the folder that holds the lock.
    """

    kind: ClassVar[PackageKind] = PackageKind.CHANNEL

    archive: ChannelArchive

    @property
    def origin(self) -> ChannelArchive:
        """Return the origin of the package's `Record`."""
        return self.archive

    @property
    def url(self) -> str:
        """Address of the archive."""
        return self.archive.url

    @property
    def subdir(self) -> str:
        """Return the platform, or `noarch`: the archive's folder."""
        return self.url.rsplit("/", 2)[-2]

    @property
    def filename(self) -> str:
        """Name of the archive."""
        return self.url.rpartition("/")[2]

    @property
    def content(self) -> Sha256:
        """Digest that tells two packages of one name, version and build apart."""
        return self.archive.sha256

    @property
    def download_size(self) -> int | None:
        """Bytes to download; None where that is not known."""
        return self.archive.size


class BuiltPackage(_CondaPackage, frozen=True, kw_only=True):
    """A package that envgen builds from a recipe.

    Attributes:
        subdir: the platform, or `noarch`.
        archive: what the build gives.
    """

    kind: ClassVar[PackageKind] = PackageKind.RECIPE

    subdir: str
    archive: BuiltArchive

    @property
    def origin(self) -> BuiltArchive:
        """Return the origin of the package's `Record`."""
        return self.archive

    @property
    def recipe(self) -> str:
        """Name of the recipe's folder."""
        return self.archive.recipe

    @property
    def url(self) -> str:
        """Return the address of the archive after it is published."""
        return f"{LOCAL_CHANNEL}/{self.subdir}/{self.filename}"

    @property
    def filename(self) -> str:
        """Name of the archive in the local channel."""
        return self.archive.filename

    @property
    def content(self) -> Sha256:
        """Digest of the uncompressed content: it tells two packages of one name, version and build apart."""
        return self.archive.content

    @property
    def download_size(self) -> int:
        """Return 0: the size of a recipe is counted with its Debian packages."""
        return 0


Package = Wheel | ChannelPackage | BuiltPackage


def sort_key(package: Package) -> tuple[str, str]:
    """Return the sort key of conda-lock; no two packages of one platform share it."""
    return package.manager, str(package.name)


def store_key(dist: str, content: Sha256) -> str:
    """Name the extracted package in the store: what conda calls it, and the first digits of what it holds."""
    return f"{dist}-{content[:16]}"
