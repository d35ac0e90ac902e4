"""Records: packages that a solve can choose, and the solution that it returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from envgen.names import CondaName, ProjectName
    from envgen.packages import Origin
    from envgen.platforms import Target


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
