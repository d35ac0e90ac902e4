"""What a solve is given: the request, and the sources of candidates as interfaces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct, field

from envgen.manifest.adjust import Adjustments
from envgen.meant import Asked, MeantTable

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Mapping, Sequence

    from packaging.requirements import Requirement
    from rattler import RepoDataRecord

    from envgen.digest import Sha256
    from envgen.indexes import NamedIndex
    from envgen.metadata import WheelMetadata
    from envgen.names import CondaName, NameTable, ProjectName
    from envgen.platforms import Target
    from envgen.records import Record


class IndexFile(Protocol):
    """A wheel that an index lists."""

    @property
    def filename(self) -> str:
        """As listed."""

    @property
    def sha256(self) -> Sha256 | None:
        """Digest of the file, where the index gives it."""

    @property
    def size(self) -> int | None:
        """Bytes, where the index gives them."""

    @property
    def requires_python(self) -> str | None:
        """As listed, unchecked."""

    @property
    def uploaded(self) -> dt.datetime | None:
        """Aware moment of upload, where the index gives it."""

    @property
    def yanked(self) -> bool:
        """Withdrawn by its authors (PEP 592)."""


class IndexPage(Protocol):
    """What an index lists for one project."""

    @property
    def versions(self) -> Sequence[str]:
        """Texts of versions in the names of wheels, in any order."""

    @property
    def sdists(self) -> frozenset[str]:
        """Texts of versions that have a source archive."""

    @property
    def measurable(self) -> bool:
        """Return whether wheels without a sha256 may be hashed by download."""

    @property
    def undated(self) -> bool:
        """Return whether files without an upload time may be taken where there is `exclude_newer`."""

    def files(self, version: str) -> Sequence[IndexFile]:
        """Wheels of one of `versions`."""

    def archives(self, version: str) -> Sequence[IndexFile]:
        """Source archives of one of `sdists`."""


class WheelSource(Protocol):
    """A wheel index."""

    async def page(self, project: ProjectName) -> IndexPage | None:
        """List a project's files; None if there is no such project.

        Raises:
            NetworkError: it cannot be told.
        """

    async def measured(self, file: Any) -> IndexFile:
        """Return one of the listed files with its sha256.

        Raises:
            NetworkError: it has to be downloaded for that, and cannot be.
        """

    async def metadata(self, file: Any) -> WheelMetadata:
        """Read what one of the listed files says of itself.

        Raises:
            ArtifactError: it says nothing valid.
            NetworkError: it cannot be read.
        """


class ChannelRecords(Protocol):
    """The conda channels of a spec, by priority."""

    async def records(self, name: CondaName) -> Sequence[RepoDataRecord]:
        """Return what the strongest channel that has the name offers for the target's subdir and `noarch`.

        Raises:
            NetworkError: it cannot be told.
        """


class Preference(Struct, frozen=True, kw_only=True):
    """What an old lock holds for a name.

    Attributes:
        version: of the wheel (PEP 440), or else of the conda package.
        build: of the conda package; None for a wheel.
        sha256: of the wheel or archive; None where the version alone is known.
    """

    version: str
    build: str | None = None
    sha256: Sha256 | None = None


class SolveTask(Struct, frozen=True, kw_only=True):
    """One request: find packages for one target.

    Attributes:
        target: what to solve for; virtual packages come from it alone.
        dependencies: MatchSpecs, as the spec has them.
        pypi: requirements for wheels, as the spec has them; markers are evaluated here.
        names: which project is which conda package.
        recipes: packages that recipes yield for the target.
        wheels: the indexes.
        indexes: those of them that the spec names, by name: wheels of their projects come from nowhere else.
        channels: None where the spec names no channel.
        preferred: conda name -> what to keep if it still serves.
        exclude_newer: whatever was uploaded later is not there.
        trial: solve for a hint: a failure needs no explanation of its own.
        adjustments: overrides, constraints and exceptions by name, as they hold on the target; who stands for whom
            is said by `names`.
        asked: what messages call the sources.
        meant: names that are not those of projects.
        builds: whether source archives are offered, too: `wheels` reads their metadata like that of wheels.
        told: remarks that the old lock was made with: a missing extra among them is not refused now; None where
            packages state the requirements, so that none is.
    """

    target: Target
    dependencies: Sequence[str] = ()
    pypi: Sequence[Requirement] = ()
    names: NameTable
    recipes: Sequence[Record] = ()
    wheels: WheelSource
    indexes: Mapping[str, NamedIndex] = field(default_factory=dict)
    channels: ChannelRecords | None = None
    preferred: Mapping[CondaName, Preference] = field(default_factory=dict)
    exclude_newer: dt.datetime | None = None
    trial: bool = False
    adjustments: Adjustments = field(default_factory=Adjustments)
    asked: Asked = field(default_factory=Asked)
    meant: MeantTable = field(default_factory=MeantTable)
    builds: bool = False
    told: Collection[str] | None = ()
