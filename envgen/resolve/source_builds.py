"""Source archives in a solve: what they require, and the wheels that the chosen ones are built to."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from packaging.requirements import InvalidRequirement, Requirement

from envgen.builds import SourceArchive, WheelBuild
from envgen.convert.build_backend import SourceName, static_requires
from envgen.digest import Sha256
from envgen.errors import ArtifactError, BuildError, HostError, NoBuildError, UnsatisfiableError
from envgen.lock.cep37 import entry
from envgen.metadata import parse_metadata_of
from envgen.names import project_name
from envgen.packages import Wheel
from envgen.prepare.artifacts import ensure_artifact
from envgen.prepare.build_rooms import NOTHING_ALLOWED, build_room, python_closure, tell_unconfined, unpacker
from envgen.prepare.wheel_builds import BuildOrder, build_wheel
from envgen.sources.sdist import ENDINGS, static_metadata, unpack_sdist
from envgen.wheels import TagOrder, package_id

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Hashable, Mapping, Sequence
    from pathlib import Path
    from typing import BinaryIO

    from envgen.lock.model import Lock
    from envgen.metadata import WheelMetadata
    from envgen.names import NameTable, ProjectName
    from envgen.packages import Package
    from envgen.platforms import Target
    from envgen.prepare.build_rooms import Permissions
    from envgen.prepare.wheel_builds import BuiltWheel
    from envgen.project.context import Context
    from envgen.project.lock_files import LockPair
    from envgen.records import Record, Solution
    from envgen.sources.indexes import WheelIndexes
    from envgen.sources.pypi_page import ProjectFile, ProjectPage

_METADATA, _REQUIRES = "source-metadata", "build-requires"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltSolution:
    """A solution all of whose wheels are there or are downloaded, and the packages that builds needed."""

    solution: Solution
    environments: Mapping[str, tuple[Package, ...]] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class SourceBuilds:
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
    solve: Callable[[Target, tuple[Requirement, ...]], Awaitable[LockPair]]
    permissions: Mapping[ProjectName, Permissions] = field(default_factory=dict)
    failures: list[BuildError] = field(default_factory=list)
    _asked: dict[Hashable, asyncio.Task[Any]] = field(default_factory=dict)
    _told: bool = False

    async def page(self, project: ProjectName) -> ProjectPage | None:
        """Fetch what the index lists for a project; see `WheelIndex.page`."""
        return await self.index.page(project)

    async def measured(self, file: ProjectFile) -> ProjectFile:
        """Return a listed file with its digest; see `WheelIndex.measured`."""
        return await self.index.measured(file)

    async def metadata(self, file: ProjectFile) -> WheelMetadata:
        """Read what a wheel says of itself, or a source archive, which may have to run its backend.

        Raises:
            ArtifactError: it says nothing valid, or its build fails.
            NoBuildError: code of it would have to run, and may not.
            NetworkError: it cannot be had.
        """
        if file.filename.endswith(".whl"):
            return await self.index.metadata(file)
        source = self._source(file)
        raw: bytes = await self._once(("metadata", source.sha256), self._metadata(source, file.url))
        name = _name(source)
        return parse_metadata_of(raw, name.project, name.version)

    async def finish(self, solution: Solution) -> BuiltSolution:
        """Build the source archives that were chosen; what the old lock has of them is kept.

        Raises:
            BuildError, ArtifactError: a build fails, or gives something else than a wheel of the source.
            HostError: a wheel can be built on another machine only.
        """
        environments: dict[str, tuple[Package, ...]] = {}
        records = []
        for record in solution.records:
            if isinstance(record.origin, Wheel) and not record.origin.filename.endswith(".whl"):
                records.append(await self._finished(record, record.origin, environments))
            else:
                records.append(record)
        return BuiltSolution(solution=replace(solution, records=tuple(records)), environments=environments)

    def explain(self, error: UnsatisfiableError) -> BuildError | None:
        """Return the error that a failed solve is told by where builds failed in it; None where none did."""
        if not self.failures:
            return None
        told = "\n".join(dict.fromkeys(failure.message for failure in self.failures))
        return BuildError(f"{error.message}\n{told}", hint=error.hint)

    async def _finished(self, record: Record, chosen: Wheel, environments: dict[str, tuple[Package, ...]]) -> Record:
        kept = self._kept(chosen)
        if kept is not None and self.old is not None and kept.made is not None:
            key = kept.made.environment
            environments[key] = self.old.build_environments[key]
            wheel = replace(chosen, filename=kept.filename, sha256=kept.sha256, size=kept.size, made=kept.made)
        else:
            wheel = await self._built(chosen, environments)
        identity = package_id(wheel, target=self.target, names=self.names)
        return replace(record, build=identity.build, origin=wheel)

    def _kept(self, chosen: Wheel) -> Wheel | None:
        """Return the old lock's wheel of the same source."""
        if self.old is None or self.renewed(chosen.project):
            return None
        wheels = (wheel for wheel in self.old.wheels if wheel.made and wheel.project == chosen.project)
        return next((wheel for wheel in wheels if wheel.listed.sha256 == chosen.sha256), None)

    async def _built(self, chosen: Wheel, environments: dict[str, tuple[Package, ...]]) -> Wheel:
        source = SourceArchive(filename=chosen.filename, sha256=chosen.sha256, size=chosen.size)
        requires = await self._requires(source, partial(self._fetch, chosen))
        environment = await self._environment(self.host, requires)
        order = BuildOrder(
            name=_name(source),
            source=source,
            environment=environment,
            allowed=self._allowed(chosen.project),
            fetch=partial(self._fetch, chosen),
        )
        built = await asyncio.to_thread(build_wheel, self.context, order)
        self._check_fits(built, order.name)
        if self.target.platform != self.host.platform:
            environment = await self._environment(self.target, requires)
        packages = _beside_python(environment, self.names)
        key = Sha256.of(json.dumps([entry(p, self.target.platform) for p in packages]).encode())[:16]
        environments[key] = packages
        made = WheelBuild(source=source, environment=key, files=built.files, unconfined=built.unconfined)
        return replace(chosen, filename=built.filename, sha256=built.sha256, size=built.size, made=made)

    def _check_fits(self, built: BuiltWheel, name: SourceName) -> None:
        if TagOrder.of(self.target).rank(built.filename) is not None:
            return
        if self.target.platform == self.host.platform:
            raise ArtifactError(f"the build of {name} gave `{built.filename}`, which does not run on the target")
        raise HostError(
            f"`{name.project}` {name.version} has no wheel for {self.target.platform}, and its source archive holds "
            f"code that is compiled: built here it gives `{built.filename}`",
            hint=f"run `envgen lock` on a {self.target.platform} machine, or in an emulator of one",
        )

    def _permit(self, name: SourceName) -> None:
        """Refuse to run code of a source where none may run, and say once how far it is confined."""
        if self.context.no_build:
            raise NoBuildError.of_source(name.project, name.version, name.origin)
        if not self._told:
            self._told = True
            tell_unconfined(self.context)

    def _allowed(self, project: ProjectName) -> Permissions:
        return self.permissions.get(project, NOTHING_ALLOWED)

    def _source(self, file: ProjectFile) -> SourceArchive:
        if file.sha256 is None:
            raise ArtifactError(f"the wheel index has no sha256 for `{file.filename}`")
        return SourceArchive(filename=file.filename, sha256=file.sha256, size=file.size)

    def _fetch(self, chosen: Wheel, out: BinaryIO) -> None:
        self.context.http.download(self.index.locate(chosen), out, expected=chosen.sha256)

    async def _metadata(self, source: SourceArchive, url: str) -> bytes:
        key = self._key(source)
        if (raw := self.context.store.cached(_METADATA, source.sha256)) is not None:
            return raw
        if (raw := self.context.store.cached(_METADATA, key)) is not None:
            return raw
        download = partial(self.context.http.download, url, expected=source.sha256)
        path = await asyncio.to_thread(ensure_artifact, self.context, source.sha256, download)
        stated, requires = await self._once(("read", source.sha256), asyncio.to_thread(self._read, source, path))
        if stated is not None:
            self.context.store.put(_METADATA, source.sha256, stated)
            return bytes(stated)
        try:
            raw = await self._ask_backend(source, path, requires)
        except BuildError as error:
            self.failures.append(error)
            raise ArtifactError(f"{error.message.partition(chr(10))[0]}") from error
        except UnsatisfiableError as error:
            reason = " ".join(error.message.split())
            raise ArtifactError(f"its build requirements cannot be met: {reason}") from error
        self.context.store.put(_METADATA, key, raw)
        return raw

    def _read(self, source: SourceArchive, path: Path) -> tuple[bytes | None, tuple[str, ...]]:
        """Return the metadata and the build requirements that a source archive states; runs none of its code."""
        name = _name(source)
        with self.context.store.view() as folder:
            root = unpack_sdist(path, filename=source.filename, dest=folder)
            return static_metadata(root, project=name.project, version=name.version), static_requires(root, name)

    async def _ask_backend(self, source: SourceArchive, path: Path, stated: Sequence[str]) -> bytes:
        """Run the backend for the metadata, and remember what else it requires."""
        name = _name(source)
        self._permit(name)
        self.context.reporter.note(f"running the build backend of {name} for its metadata")
        environment = await self._environment(self.host, stated)
        more = await self._in_room(source, path, environment, lambda backend: backend.requires())
        if set(more) - set(stated):
            environment = await self._environment(self.host, (*stated, *more))
        self._keep_requires(source, (*stated, *more))
        raw: bytes = await self._in_room(source, path, environment, lambda backend: backend.metadata())
        return raw

    async def _requires(self, source: SourceArchive, fetch: Callable[[BinaryIO], object]) -> tuple[str, ...]:
        """Return all that the build of a source requires."""
        known = self.context.store.cached(_REQUIRES, self._key(source))
        if known is not None:
            return tuple(json.loads(known))
        path = await asyncio.to_thread(ensure_artifact, self.context, source.sha256, fetch)
        _, stated = await self._once(("read", source.sha256), asyncio.to_thread(self._read, source, path))
        self._permit(_name(source))
        environment = await self._environment(self.host, stated)
        more = await self._in_room(source, path, environment, lambda backend: backend.requires())
        return self._keep_requires(source, (*stated, *more))

    def _keep_requires(self, source: SourceArchive, requires: Sequence[str]) -> tuple[str, ...]:
        found = tuple(sorted(set(requires)))
        self.context.store.put(_REQUIRES, self._key(source), json.dumps(found).encode())
        return found

    async def _in_room(self, source: SourceArchive, path: Path, environment: LockPair, ask: Callable[..., Any]) -> Any:
        name = _name(source)

        def work() -> Any:
            unpack = unpacker(path, source.filename)
            with build_room(self.context, name, unpack, environment, allowed=self._allowed(name.project)) as backend:
                return ask(backend)

        return await asyncio.to_thread(work)

    async def _environment(self, target: Target, requires: Sequence[str]) -> LockPair:
        """Find the packages that build requirements ask for, once for all sources with the same ones."""
        texts = tuple(sorted(set(requires)))
        try:
            wanted = tuple(map(Requirement, texts))
        except InvalidRequirement as error:
            raise ArtifactError(f"its build requirements cannot be read: {error}") from error
        pair: LockPair = await self._once(("environment", target.platform, texts), self.solve(target, wanted))
        return pair

    def _key(self, source: SourceArchive) -> Sha256:
        facts = [source.sha256, str(self.host.python), self.host.platform]
        return Sha256.of(json.dumps(facts).encode())

    async def _once(self, key: Hashable, work: Awaitable[Any]) -> Any:
        if key in self._asked:
            _drop(work)
        else:
            self._asked[key] = asyncio.ensure_future(work)
        return await asyncio.shield(self._asked[key])


def _drop(work: Awaitable[Any] | Coroutine[Any, Any, Any]) -> None:
    if asyncio.iscoroutine(work):
        work.close()


def _name(source: SourceArchive) -> SourceName:
    stem = next(source.filename.removesuffix(end) for end in ENDINGS if source.filename.endswith(end))
    project, _, version = stem.rpartition("-")
    return SourceName(project=project_name(project), version=version, origin=source.filename)


def _beside_python(pair: LockPair, names: NameTable) -> tuple[Package, ...]:
    """Return the packages of a build but Python, as a lock has them: without sizes."""
    every = {package.conda_name(names): package for package in pair.lock.packages}
    python = python_closure(every)
    others = [package for name, package in sorted(every.items()) if name not in python]
    return tuple(_without_size(package) for package in others)


def _without_size(package: Package) -> Package:
    if isinstance(package, Wheel):
        return replace(package, size=None)
    return replace(package, archive=replace(package.archive, size=None))  # type: ignore[arg-type]
