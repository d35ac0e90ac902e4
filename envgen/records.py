"""Records: packages that a solve can choose, and the solution that it returns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    import datetime as dt

    from envgen.names import CondaName, ProjectName
    from envgen.packages import Origin
    from envgen.platforms import Target


class Record(Struct, frozen=True, kw_only=True):
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


_TWO_YEARS = 730
"""Days between two releases after which a package that the spec does not name must not be the older one."""


class Older(Struct, frozen=True, kw_only=True):
    """A chosen wheel that is older than the newest release which could be wanted.

    Attributes:
        project: whose.
        chosen: version.
        newest: version of the newest release.
        line: of the spec, which allows it; None for a project that the spec does not name.
        why: what speaks against it: a limit of envgen, or a chain of requirements.
        limit: whether it is a limit of envgen, so that another tool would take it.
        days: between the uploads of both, where the index gives both.
    """

    project: ProjectName
    chosen: str
    newest: str
    line: str | None
    why: str
    limit: bool
    days: int | None = None

    @property
    def is_refused(self) -> bool:
        """Return whether a lock must not have it, unless the spec accepts it by name."""
        return self.limit and (self.line is not None or (self.days or 0) > _TWO_YEARS)


class Solution(Struct, frozen=True, kw_only=True):
    """The records chosen for one target, sorted by name. No two have one name.

    Attributes:
        target: what was solved for.
        records: the chosen packages, without virtual packages.
        extras: project -> extras of it that somebody asked for.
        remarks: what is odd but no fault, in words.
        older: what is not the newest, by project.
        notes: what the spec's adjustments changed, in words.
        idle: adjustments that changed nothing, in words.
        newest_upload: when the youngest of the chosen wheels was uploaded, as far as the index says; aware.
    """

    target: Target
    records: tuple[Record, ...]
    extras: dict[ProjectName, tuple[str, ...]]
    remarks: tuple[str, ...] = ()
    older: tuple[Older, ...] = ()
    notes: tuple[str, ...] = ()
    idle: tuple[str, ...] = ()
    newest_upload: dt.datetime | None = None
