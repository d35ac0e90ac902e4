"""Builds without isolation: they run in the environment that they are built for.

What they require is known only once their backend ran, which needs that environment. So the spec is solved before as
if they required nothing; they are built in what the solve of the spec itself gives.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from msgspec import Struct, field
from packaging.requirements import Requirement

from envgen.builds import LocalSource, required_by, seen_by
from envgen.errors import HostError, UnsatisfiableError
from envgen.manifest.values import match_name
from envgen.names import project_name
from envgen.packages import Wheel, sort_key
from envgen.resolve.built_solution import by_name
from envgen.structs import replace

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping

    from envgen.builds import BuildTerms, WheelBuild
    from envgen.convert.build_backend import SourceName
    from envgen.lock.model import Lock
    from envgen.names import CondaName, NameTable, ProjectName
    from envgen.platforms import Platform
    from envgen.project.lock_files import LockPair
    from envgen.records import Record


class OpenBuilds(Struct, kw_only=True):
    """The packages that builds without isolation see.

    Attributes:
        projects: whose builds these are.
        names: the name table.
        solve: solves the spec as if they required nothing.
        deferred: whether this is that solve, in which they are not built.
    """

    projects: frozenset[ProjectName]
    names: NameTable
    solve: Callable[[], Awaitable[LockPair]]
    deferred: bool = False
    _before: asyncio.Future[LockPair] | None = None
    _after: dict[ProjectName, LockPair] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        terms: Mapping[ProjectName, BuildTerms],
        names: NameTable,
        solve: Callable[[], Awaitable[LockPair]],
        *,
        deferred: bool,
    ) -> OpenBuilds:
        """Build it from what the spec says of builds; see the attributes."""
        projects = frozenset(project for project, allowed in terms.items() if allowed.isolation)
        return cls(projects=projects, names=names, solve=solve, deferred=deferred)

    def bare(self, project: ProjectName, version: str = "0") -> bytes | None:
        """Return METADATA without requirements where the build of a project is deferred, else None."""
        if not (self.deferred and project in self.projects):
            return None
        return f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n".encode()

    async def around(self, project: ProjectName) -> LockPair | None:
        """Return what the build of a project sees; None where it has an environment of its own."""
        if project not in self.projects or project in self._after:
            return self._after.get(project)
        if self._before is None:
            self._before = asyncio.ensure_future(self.solve())
        return await asyncio.shield(self._before)

    def settle(self, project: ProjectName, around: LockPair) -> None:
        """Store the solution that the build of a project runs in."""
        self._after[project] = around

    def ordered(self, records: Collection[Record]) -> dict[CondaName, ProjectName]:
        """Return the packages of these projects by name: what others of them require comes first."""
        every = {record.name: record.origin for record in records}
        needs = _needs(records)
        own = {n: one.project for n, one in every.items() if isinstance(one, Wheel) and one.project in self.projects}
        return dict(sorted(own.items(), key=lambda item: (len(required_by([item[0]], needs)), item[0])))

    def visible(self, records: Collection[Record], building: Record | None = None) -> tuple[Record, ...]:
        """Return the records that a build sees; without one, those that all of them do."""
        wheels = {record.name: record.origin for record in records if isinstance(record.origin, Wheel)}
        hidden = [name for name, wheel in wheels.items() if wheel.project in self.projects]
        never = [name for name, wheel in wheels.items() if wheel.made and isinstance(wheel.made.source, LocalSource)]
        seen = seen_by(building.name if building else "", _needs(records), hidden=hidden, never=never)
        return tuple(record for record in records if record.name in seen)

    def keeps(self, made: WheelBuild, record: Record, around: LockPair, old: Lock) -> bool:
        """Return whether a locked wheel still fits: all that it requires, and its build, is as it was.

        What else the environment has may be another version by now: a build of hours is not repeated for it.
        """
        now, before = by_name(around.lock.packages, self.names), by_name(old.packages, self.names)
        needs = {str(name): [str(need) for need, _ in one.depends_on(self.names)] for name, one in now.items()}
        below = required_by(map(match_name, record.depends), needs)
        extra = by_name(old.build_environments[made.environment], self.names)
        wanted = {need for one in extra.values() if isinstance(one, Wheel) for need, _ in one.depends_on(self.names)}
        return (
            all(name in before and before[name].content == now[name].content for name in now if name in below)
            and extra.keys().isdisjoint(now)
            and wanted <= extra.keys() | now.keys()
        )

    def refuse_other(self, wheel: Wheel, target: Platform, host: Platform) -> None:
        """Refuse to build for another platform.

        Raises:
            HostError: the packages around the build do not run here.
        """
        if target != host:
            raise HostError(
                f"`{wheel.project}` {wheel.version} is built without isolation, with packages for {target}, which "
                f"do not run on {host}",
                hint=f"run `envgen lock` on a {target} machine, or in an emulator of one",
            )


def pins(around: LockPair | None, requires: Iterable[Requirement], name: SourceName) -> tuple[Requirement, ...]:
    """Return constraints that keep the wheels of an environment.

    Args:
        around: the environment; None gives none.
        requires: what a build in it requires.
        name: of its source.

    Raises:
        UnsatisfiableError: the environment has another version than the build requires.
    """
    versions = {wheel.project: wheel.version for wheel in around.lock.wheels} if around else {}
    for requirement in requires:
        version = versions.get(project_name(requirement.name))
        if version and not requirement.specifier.contains(version, prereleases=True):
            raise UnsatisfiableError(
                f"the build of {name} requires `{requirement}`, the environment that it runs in has {version}",
                hint=f"add `{requirement}` to `constraints`",
            )
    return tuple(Requirement(f"{project}=={version}") for project, version in versions.items())


def joined(around: LockPair, needed: LockPair, names: NameTable) -> LockPair:
    """Return an environment with what a build needs beside it."""
    every = by_name(needed.lock.packages, names) | by_name(around.lock.packages, names)
    environments = {**needed.lock.build_environments, **around.lock.build_environments}
    packages = tuple(sorted(every.values(), key=sort_key))
    return replace(around, lock=replace(around.lock, packages=packages, build_environments=environments))


def _needs(records: Collection[Record]) -> dict[str, list[str]]:
    return {str(record.name): [match_name(text) for text in record.depends] for record in records}
