"""Records: packages that a solve can choose, and the solution that it returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from envgen.digest import Sha256
    from envgen.names import CondaName, ProjectName
    from envgen.platforms import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelPackage:
    """An archive of a conda channel. `url` is public and holds no credentials."""

    url: str
    md5: str
    sha256: Sha256
    size: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """A wheel file of the wheel index.

    Attributes:
        project: normalised project name.
        version: the file's PEP 440 version, normalised (`2.8.0+cu128`).
        filename: name of the file as the index has it.
        sha256: digest of the file.
        size: bytes, where the index says so.
        requires: name -> specifier of `Requires-Dist` that hold for the target with the extras asked for,
            as PEP 440 text (`""` for any version); names are normalised. This is what the lock keeps.
    """

    project: ProjectName
    version: str
    filename: str
    sha256: Sha256
    size: int | None
    requires: dict[ProjectName, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltPackage:
    """A package that envgen built from a recipe.

    Attributes:
        recipe: name of the recipe's folder.
        filename: name of the archive in the local channel.
        md5: digest of the archive; conda-lock demands it.
        sha256: digest of the archive.
        content: digest of the uncompressed content (path, mode, bytes), which outlives changes of zstd.
        size: bytes of the archive.
    """

    recipe: str
    filename: str
    md5: str
    sha256: Sha256
    content: Sha256
    size: int


Origin = ChannelPackage | Wheel | BuiltPackage


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A conda package as repodata describes it, and where it comes from.

    Attributes:
        name: conda name.
        version: in conda's order.
        build: the build string.
        build_number: breaks ties between builds.
        subdir: the platform, or `noarch`.
        depends: MatchSpecs of what it needs.
        constrains: MatchSpecs that hold if the named package is there at all.
        noarch: `python`, `generic` or None.
        origin: where the bytes come from.
    """

    name: CondaName
    version: str
    build: str
    build_number: int
    subdir: str
    depends: tuple[str, ...]
    constrains: tuple[str, ...] = ()
    noarch: str | None = None
    origin: Origin

    @property
    def dist(self) -> str:
        """`name-version-build`: the stem of file names in conda's world."""
        return f"{self.name}-{self.version}-{self.build}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """The records chosen for one target, sorted by name. No two have one name.

    Attributes:
        target: what was solved for.
        records: the chosen packages, without virtual packages.
        extras: project -> extras of it that somebody asked for.
        remarks: what is odd but no fault, in words.
    """

    target: Target
    records: tuple[Record, ...]
    extras: dict[ProjectName, tuple[str, ...]]
    remarks: tuple[str, ...] = ()
