"""Source archives in a solve: what they require, and the wheels that the chosen ones are built to."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field
from packaging.requirements import InvalidRequirement, Requirement

from envgen.builds import USUAL_TERMS, LocalSource, SourceArchive, WheelBuild, as_locked
from envgen.convert.build_backend import static_requires
from envgen.convert.canonical_wheel import check_built_name
from envgen.digest import Sha256
from envgen.errors import ArtifactError, BuildError, NoBuildError, UnsatisfiableError
from envgen.metadata import parse_metadata, parse_metadata_of
from envgen.names import project_name
from envgen.packages import Wheel
from envgen.platforms import Target
from envgen.prepare.build_rooms import build_room, tell_unconfined
from envgen.prepare.wheel_builds import BuildOrder, build_wheel
from envgen.resolve.built_solution import (
    BuildNeeds,
    BuiltSolution,
    check_fits,
    environment_key,
    explained,
    locked_environment,
    nested,
    refuse_circle,
)
from envgen.resolve.once import Once
from envgen.resolve.open_builds import OpenBuilds, joined, pins
from envgen.resolve.open_sources import DirectWheel, OpenSource, open_archive, open_direct, page_of
from envgen.sources.sdist import static_metadata
from envgen.structs import replace
from envgen.system.host import probe_host
from envgen.together import together
from envgen.wheels import package_id

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from envgen.builds import BuildTerms
    from envgen.convert.build_backend import SourceName
    from envgen.lock.model import Lock
    from envgen.manifest.env_spec import EnvSpec
    from envgen.metadata import WheelMetadata
    from envgen.names import NameTable, ProjectName
    from envgen.packages import Package
    from envgen.platforms import Platform
    from envgen.project.context import Context
    from envgen.project.lock_files import LockPair
    from envgen.records import Record, Solution
    from envgen.sources.indexes import WheelIndexes
    from envgen.sources.pypi_page import ProjectFile, ProjectPage

    Solve = Callable[[Target, BuildNeeds], Awaitable[LockPair]]

_METADATA, _REQUIRES = "source-metadata", "build-requires"


class SourceBuilds(Struct, kw_only=True):
    """The wheel index for one target, with source archives that can be built: a `WheelSource`.

    Attributes:
        context: the world.
        index: lists wheels and source archives.
        names: the name table.
        target: what is solved for.
        host: what this machine builds for, with the same Python.
        old: the lock before: what it has of a source that is chosen again is kept.
        renewed: tells which projects of it are resolved again nevertheless.
        solve: finds the packages that build requirements ask for, Python among them.
        open_builds: what builds without isolation see.
        building: projects that this is solved to build, outermost first.
        permissions: project -> what the spec allows its build.
        failures: builds that failed, in the order of time.
    """

    context: Context
    index: WheelIndexes
    names: NameTable
    target: Target
    host: Target
    old: Lock | None
    renewed: Callable[[ProjectName], bool]
    solve: Solve
    open_builds: OpenBuilds
    building: tuple[ProjectName, ...] = ()
    permissions: Mapping[ProjectName, BuildTerms] = field(default_factory=dict)
    failures: list[BuildError] = field(default_factory=list)
    _pages: dict[ProjectName, ProjectPage] = field(default_factory=dict)
    _opened: dict[Sha256, OpenSource] = field(default_factory=dict)
    _wheels: dict[Sha256, DirectWheel] = field(default_factory=dict)
    _once: Once = field(default_factory=Once)
    _told: bool = False

    @classmethod
    def of(
        cls,
        context: Context,
        spec: EnvSpec,
        platform: Platform,
        *,
        index: WheelIndexes,
        names: NameTable,
        old: Lock | None,
        renewed: Callable[..., bool],
        solve: Solve,
        solve_before: Callable[[Target], Awaitable[LockPair]],
        deferred: bool,
        building: tuple[ProjectName, ...],
    ) -> SourceBuilds:
        """Open the index of a spec with the sources that this machine can build; see the attributes."""
        machine = probe_host()
        own = Target(platform=machine.platform, python=spec.python, glibc=machine.glibc)
        host = spec.targets.get(machine.platform, own)
        return cls(
            context=context,
            index=index,
            names=names,
            target=spec.targets[platform],
            host=host,
            old=old,
            renewed=lambda project: renewed(project, names.conda_name(project)),
            solve=solve,
            open_builds=OpenBuilds.of(spec.builds, names, partial(solve_before, host), deferred=deferred),
            building=building,
            permissions=spec.builds,
        )

    async def open_direct(self, requirements: Iterable[Requirement]) -> None:
        """Find what the spec refers to by address; that is the only release of its project from then on.

        Raises:
            ArtifactError: it is something else than the spec says.
            BuildError: its metadata is not stated, and its backend fails.
            NetworkError, IntegrityError, UserError: it cannot be had.
        """
        direct = [requirement for requirement in requirements if requirement.url]
        await together(map(self._open, direct))

    async def page(self, project: ProjectName) -> ProjectPage | None:
        """Return what there is of a project: what the spec refers to by address, else what the index lists."""
        return self._pages.get(project) or await self.index.page(project)

    async def measured(self, file: ProjectFile) -> ProjectFile:
        """Return a listed file with its digest; see `WheelIndex.measured`."""
        return await self.index.measured(file)

    async def metadata(self, file: ProjectFile) -> WheelMetadata:
        """Read what a wheel says of itself, or a source, which may have to run its backend.

        Raises:
            ArtifactError: it says nothing valid, or its build fails.
            NoBuildError: code of it would have to run, and may not.
            NetworkError: it cannot be had.
        """
        if file.filename.endswith(".whl"):
            return await self.index.metadata(file)
        opened = self._of_index(file)
        refuse_circle(opened.name.project, self.building)
        if bare := self.open_builds.bare(opened.name.project, opened.name.version):
            return parse_metadata(bare)
        try:
            raw = await self._metadata(opened)
        except BuildError as error:
            self.failures.append(error)
            raise ArtifactError(error.message.partition("\n")[0]) from error
        except UnsatisfiableError as error:
            raise ArtifactError(" ".join(error.message.split())) from error
        return parse_metadata_of(raw, opened.name.project, opened.name.version)

    async def finish(self, solution: Solution, assemble: Callable[[BuiltSolution], LockPair]) -> BuiltSolution:
        """Build the sources that were chosen; what the old lock has of them is kept.

        Args:
            solution: what was chosen.
            assemble: makes the lock of a part of it.

        Raises:
            BuildError, ArtifactError: a build fails, or gives something else than a wheel of the source.
            HostError: a wheel can be built on another machine only.
        """
        environments: dict[str, tuple[Package, ...]] = {}
        last = self.open_builds.ordered(solution.records)
        found = {record.name: record for record in solution.records}
        for record in solution.records:
            if record.name not in last:
                found[record.name] = await self._finished(record, environments)
        if self.open_builds.deferred:
            seen = self.open_builds.visible(found.values())
            return BuiltSolution(solution=replace(solution, records=seen), environments=environments)
        for name, project in last.items():
            seen = self.open_builds.visible(found.values(), found[name])
            around = BuiltSolution(solution=replace(solution, records=seen), environments=environments)
            self.open_builds.settle(project, assemble(around))
            found[name] = await self._finished(found[name], environments)
        return BuiltSolution(solution=replace(solution, records=tuple(found.values())), environments=environments)

    def explain(self, error: UnsatisfiableError) -> BuildError | None:
        """Return the error that a failed solve is told by where builds failed in it; None where none did."""
        return explained(error, self.failures)

    async def _open(self, requirement: Requirement) -> None:
        project = project_name(requirement.name)
        refuse_circle(project, self.building)
        old = next((w for w in self.old.wheels if w.project == project), None) if self.old else None
        found = await open_direct(self.context, requirement, None if self.renewed(project) else old)
        if isinstance(found, DirectWheel):
            check_built_name(found.filename, project=project)
            self._wheels[found.sha256] = found
        else:
            metadata = parse_metadata(self.open_builds.bare(project) or await self._metadata(found))
            if metadata.name != project:
                raise ArtifactError(f"`{requirement}` is the project `{metadata.name}`, expected `{project}`")
            found = replace(found, name=replace(found.name, version=str(metadata.version)))
            self._opened[found.source.sha256] = found
        self._pages[project] = page_of(found)

    async def _finished(self, record: Record, environments: dict[str, tuple[Package, ...]]) -> Record:
        chosen = record.origin
        if not isinstance(chosen, Wheel):
            return record
        direct, opened = self._wheels.get(chosen.sha256), self._opened.get(chosen.sha256)
        if direct is not None:
            return replace(record, origin=replace(chosen, address=direct.address))
        if opened is None:
            return record
        kept = await self._kept(chosen, opened, record)
        if kept is not None and self.old is not None and kept.made is not None:
            environments.update(nested([kept], self.old.build_environments))
            wheel = replace(chosen, filename=kept.filename, sha256=kept.sha256, size=kept.size, made=kept.made)
        else:
            wheel = await self._built(chosen, opened, environments)
        identity = package_id(wheel, target=self.target, names=self.names)
        return replace(record, build=identity.build, origin=wheel)

    async def _kept(self, chosen: Wheel, opened: OpenSource, record: Record) -> Wheel | None:
        """Return the old lock's wheel of the same source."""
        if self.old is None or self.renewed(chosen.project):
            return None
        wanted = (as_locked(opened.source), self._allowed(chosen.project), chosen.version)
        around = await self.open_builds.around(chosen.project)
        for wheel in self.old.wheels:
            made = wheel.made if wheel.project == chosen.project else None
            if made and (as_locked(made.source), made.terms, wheel.version) == wanted:
                return wheel if around is None or self.open_builds.keeps(made, record, around, self.old) else None
        return None

    async def _built(self, chosen: Wheel, opened: OpenSource, environments: dict[str, tuple[Package, ...]]) -> Wheel:
        around = await self.open_builds.around(chosen.project)
        if around:
            self.open_builds.refuse_other(chosen, self.target.platform, self.host.platform)
        requires = await self._requires(opened)
        environment = await self._environment(opened, requires)
        order = BuildOrder(
            name=opened.name,
            source=opened.source,
            environment=environment,
            allowed=self._allowed(chosen.project),
            unpack=opened.unpack,
        )
        built = await asyncio.to_thread(build_wheel, self.context, order)
        check_fits(built, order.name, self.target, self.host)
        if self.target.platform != self.host.platform:
            environment = await self._environment(opened, requires, target=self.target)
        packages = locked_environment(environment, self.names, around=around)
        key = environment_key(packages, self.target.platform)
        environments.update({key: packages, **nested(packages, environment.lock.build_environments)})
        source = as_locked(opened.source)
        if isinstance(source, LocalSource):  # its files change, and the lock does not
            made = WheelBuild(source=source, environment=key, terms=order.allowed)
            return replace(chosen, filename=built.filename, sha256=source.declared, size=None, made=made)
        made = WheelBuild(
            source=source, environment=key, files=built.files, terms=order.allowed, unconfined=built.unconfined
        )
        return replace(chosen, filename=built.filename, sha256=built.sha256, size=built.size, made=made)

    def _permit(self, name: SourceName) -> None:
        """Refuse to run code of a source where none may run, and say once how far it is confined."""
        if self.context.no_build:
            raise NoBuildError.of_source(name.project, name.version, name.origin)
        if not self._told:
            self._told = True
            tell_unconfined(self.context)

    def _allowed(self, project: ProjectName) -> BuildTerms:
        return self.permissions.get(project, USUAL_TERMS)

    def _of_index(self, file: ProjectFile) -> OpenSource:
        """Return the source that a page lists, opened once."""
        sha256 = file.sha256
        if sha256 is None:
            raise ArtifactError(f"the wheel index has no sha256 for `{file.filename}`")
        if sha256 not in self._opened:
            source = SourceArchive(filename=file.filename, sha256=sha256, size=file.size)
            download = partial(self.context.http.download, file.url, expected=sha256)
            self._opened[sha256] = open_archive(self.context, source, download)
        return self._opened[sha256]

    async def _metadata(self, opened: OpenSource) -> bytes:
        raw: bytes = await self._once(("metadata", opened.source.sha256), self._find_metadata(opened))
        return raw

    async def _find_metadata(self, opened: OpenSource) -> bytes:
        store, sha256 = self.context.store, opened.source.sha256
        if (raw := store.cached(_METADATA, sha256) or store.cached(_METADATA, await self._key(opened))) is not None:
            return raw
        stated, requires = await self._read(opened)
        if stated is not None:
            store.put(_METADATA, sha256, stated)
            return stated
        raw = await self._ask_backend(opened, requires)
        store.put(_METADATA, await self._key(opened), raw)
        return raw

    async def _read(self, opened: OpenSource) -> tuple[bytes | None, tuple[str, ...]]:
        """Return the metadata and the build requirements that a source states; runs none of its code."""
        name = opened.name

        def work() -> tuple[bytes | None, tuple[str, ...]]:
            with self.context.store.view() as folder:
                root = opened.unpack(folder)
                stated = static_metadata(root, project=name.project, version=name.version or None)
                return stated, static_requires(root, name)

        found: tuple[bytes | None, tuple[str, ...]] = await self._once(
            ("read", opened.source.sha256), asyncio.to_thread(work)
        )
        return found

    async def _ask_backend(self, opened: OpenSource, stated: Sequence[str]) -> bytes:
        """Run the backend for the metadata, and remember what else it requires."""
        self._permit(opened.name)
        self.context.reporter.running(f"running the build backend of {opened.name} for its metadata")
        requires = await self._all_requires(opened, stated)
        environment = await self._environment(opened, requires)
        raw: bytes = await self._in_room(opened, environment, lambda backend: backend.metadata())
        return raw

    async def _requires(self, opened: OpenSource) -> tuple[str, ...]:
        """Return all that the build of a source requires."""
        known = self.context.store.cached(_REQUIRES, await self._key(opened))
        if known is not None:
            return tuple(json.loads(known))
        self._permit(opened.name)
        _, stated = await self._read(opened)
        return await self._all_requires(opened, stated)

    async def _all_requires(self, opened: OpenSource, stated: Sequence[str]) -> tuple[str, ...]:
        environment = await self._environment(opened, stated)
        more = await self._in_room(opened, environment, lambda backend: backend.requires())
        found = tuple(sorted({*stated, *more}))
        self.context.store.put(_REQUIRES, await self._key(opened), json.dumps(found).encode())
        return found

    async def _in_room(self, opened: OpenSource, environment: LockPair, ask: Callable[..., Any]) -> Any:
        allowed = self._allowed(opened.name.project)

        def work() -> Any:
            with build_room(self.context, opened.name, opened.unpack, environment, allowed=allowed) as backend:
                return ask(backend)

        return await asyncio.to_thread(work)

    async def _environment(
        self, opened: OpenSource, requires: Sequence[str], *, target: Target | None = None
    ) -> LockPair:
        """Find the packages that a build runs in, once for all sources with the same build requirements.

        Raises:
            ArtifactError, UnsatisfiableError: the requirements cannot be read, or not be met.
        """
        texts, target = tuple(sorted(set(requires))), target or self.host
        try:
            wanted = tuple(map(Requirement, texts))
        except InvalidRequirement as error:
            raise ArtifactError(f"the build requirements of {opened.name} cannot be read: {error}") from error
        around = await self.open_builds.around(opened.name.project)
        given = pins(around, wanted, opened.name)
        needs = BuildNeeds(project=opened.name.project, requires=wanted, given=given)
        key = ("environment", target.platform, texts, tuple(map(str, given)))
        try:
            pair: LockPair = await self._once(key, self.solve(target, needs))
        except UnsatisfiableError as error:
            what = f"the build requirements of {opened.name} cannot be met: {error.message}"
            raise UnsatisfiableError(what, hint=error.hint) from error
        return joined(around, pair, self.names) if around else pair

    async def _key(self, opened: OpenSource) -> Sha256:
        facts: list[object] = [opened.source.sha256, str(self.host.python), self.host.platform]
        if variables := self._allowed(opened.name.project).variables:
            facts.append(sorted(variables.items()))  # the version may come from one
        if around := await self.open_builds.around(opened.name.project):
            facts.append(sorted((str(package.name), str(package.content)) for package in around.lock.packages))
        return Sha256.of(json.dumps(facts).encode())
