"""The wheels that a solve may need: few of each project, and those that they in turn require.

A solver that asks by name alone would want every version of everything. So the specifiers that are seen on a project
decide what is offered of it: for each of them the newest wheel that it allows, and for each two the newest that both
allow. What is offered follows from the set of specifiers alone, and grows with it: the result is a least fixpoint, the
same in whatever order the index answers.
"""

from __future__ import annotations

import asyncio
from itertools import combinations, islice
from typing import TYPE_CHECKING

from msgspec import Struct, field
from packaging.specifiers import SpecifierSet
from packaging.tags import parse_tag
from packaging.utils import parse_wheel_filename
from packaging.version import InvalidVersion, Version

from envgen.errors import ArtifactError
from envgen.manifest.adjust import Adjustments, adjusted
from envgen.metadata import WheelMetadata, active_requirements
from envgen.names import project_name
from envgen.solve.listing import Listing, Reason, Rejection, is_archive
from envgen.together import together
from envgen.versions import InexpressibleError, conda_version
from envgen.wheels import match_specs, standing_in, wheel_depends

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping

    from packaging.requirements import Requirement

    from envgen.names import CondaName, NameTable, ProjectName
    from envgen.platforms import Target
    from envgen.solve.listing import Rules
    from envgen.solve.task import IndexFile, Preference, WheelSource


_ANYWHERE = parse_tag("py3-none-any")
"""Tags that stand for those of a wheel that is not built yet."""


class WheelCandidate(Struct, frozen=True, kw_only=True):
    """One wheel that the solver may choose.

    Attributes:
        project: whose.
        version: of the file, local part included.
        file: as the index lists it.
        metadata: what it says of itself, less what the spec overrides and excludes.
        declared: what it says of itself.
        depends: MatchSpecs of that, without extras of its own; those of other projects in the solver's names.
        refused: why envgen cannot use it, where it stands in a solve only to see what would be chosen otherwise.
    """

    project: ProjectName
    version: Version
    file: IndexFile
    metadata: WheelMetadata
    declared: WheelMetadata
    depends: tuple[str, ...]
    refused: str | None = None


class ClosureContext(Struct, frozen=True, kw_only=True):
    """What is the same for every project of a solve.

    Attributes:
        wheels: the index.
        target: what is solved for.
        rules: of the target, for listings.
        names: which project is which conda package.
        python: full version of Python, where it is known before the solve.
        required: project -> what the spec itself demands of it.
        preferred: conda name -> what an old lock holds.
        adjustments: see `SolveTask`.
        limited: project -> what constraints leave of it.
        index_owns: tells whether a project's wheels may be offered at all, or a channel has it.
        builds: see `SolveTask`.
        lifted: offer what envgen cannot use, too, as if it required nothing: see `WheelCandidate.refused`.
    """

    wheels: WheelSource
    target: Target
    rules: Rules
    names: NameTable
    python: str | None
    required: Mapping[ProjectName, tuple[SpecifierSet, ...]]
    preferred: Mapping[CondaName, Preference]
    index_owns: Callable[[ProjectName], Awaitable[bool]]
    lifted: bool = False
    builds: bool = False
    adjustments: Adjustments = field(default_factory=Adjustments)
    limited: Mapping[ProjectName, SpecifierSet] = field(default_factory=dict)

    def preference(self, project: ProjectName) -> Preference | None:
        """Return what an old lock holds of a project."""
        return self.preferred.get(self.names.conda_name(project))


class Depth(Struct, frozen=True):
    """How far back to go among the versions that a specifier allows.

    Attributes:
        dense: that many besides the newest are offered.
        sparse: and those 1, 2, 4, ... places behind the newest, up to this place.
    """

    dense: int
    sparse: int

    def of(self, versions: Iterator[Version]) -> set[Version]:
        """Choose among versions, newest first."""
        places = {place for place in (1 << power for power in range(self.sparse.bit_length())) if place <= self.sparse}
        taken = islice(versions, max(self.dense, self.sparse) + 1)
        return {version for place, version in enumerate(taken) if place <= self.dense or place in places}


class Project(Struct, kw_only=True):
    """What is known of one project so far.

    Attributes:
        listing: what the index has of it; None while it was not asked, or is not to be asked.
        specifiers: text -> specifiers that somebody has on it.
        extras: that somebody asks for.
        added: versions that are offered for another reason.
        depth: how far back versions are offered for each specifier; None while that of an old lock is offered
            alone where it serves.
        candidates: what is offered, by version.
        expanded: pairs of version and extra whose requirements were followed; the extra `""` is the wheel itself.
        refused: pairs of version and extra that cannot be had, and why.
    """

    listing: Listing | None = None
    specifiers: dict[str, SpecifierSet] = field(default_factory=dict)
    extras: set[str] = field(default_factory=set)
    added: set[Version] = field(default_factory=set)
    depth: Depth | None = None
    candidates: dict[Version, WheelCandidate] = field(default_factory=dict)
    expanded: set[tuple[Version, str]] = field(default_factory=set)
    refused: dict[tuple[Version, str], str] = field(default_factory=dict)


class WheelClosure:
    """The offered wheels. `ask` and `widen` say what is wanted, `collect` fetches it and all that follows from it."""

    def __init__(self, context: ClosureContext) -> None:
        self.projects: dict[ProjectName, Project] = {}
        self._context = context
        self._changed: set[ProjectName] = set()
        self._requirements: dict[tuple[ProjectName, Version, str], tuple[Requirement, ...]] = {}

    @property
    def is_settled(self) -> bool:
        """Return whether all that is wanted was fetched."""
        return not self._changed

    def ask(self, project: ProjectName, specifiers: SpecifierSet, extras: Iterable[str] = ()) -> None:
        """Request what `specifiers` allow of a project, with extras of it."""
        known = self.projects.setdefault(project, Project())
        fresh = set(extras) - known.extras
        if fresh or str(specifiers) not in known.specifiers:
            known.specifiers[str(specifiers)] = specifiers
            known.extras |= fresh
            self._changed.add(project)

    def ask_all(self, requirements: Iterable[Requirement | None]) -> None:
        """Request what some requirements allow, with their extras; None stands for one on no wheel."""
        for requirement in requirements:
            if requirement:
                extras = sorted(map(project_name, requirement.extras))
                self.ask(project_name(requirement.name), requirement.specifier, extras)

    def add(self, project: ProjectName, versions: Iterable[Version]) -> bool:
        """Request some versions of a project; return whether any is new."""
        known = self.projects[project]
        fresh = set(versions) - known.candidates.keys() - known.added
        known.added |= fresh
        self._changed |= {project} if fresh else set()
        return bool(fresh)

    def widen(self, project: ProjectName, depth: Depth) -> bool:
        """Request older versions of a project, too; return whether there are any."""
        known = self.projects[project]
        known.depth = depth
        fresh = bool(self._wanted(project, known) - known.candidates.keys())
        self._changed |= {project} if fresh else set()
        return fresh

    async def collect(self) -> None:
        """Fetch what is wanted until nothing is missing.

        Raises:
            NetworkError: the index fails.
        """
        running: dict[asyncio.Task[None], ProjectName] = {}
        try:
            while self._changed or running:
                ready = self._changed - set(running.values())
                self._changed -= ready
                running |= {asyncio.create_task(self._settle(project)): project for project in sorted(ready)}
                done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    del running[task]
                    task.result()
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    def requirements(self, candidate: WheelCandidate, extra: str = "") -> tuple[Requirement, ...]:
        """Return what a wheel requires on the target: of itself, or what an extra adds to that."""
        key = (candidate.project, candidate.version, extra)
        if key not in self._requirements:
            extras = (extra,) if extra else ()
            found = active_requirements(candidate.metadata, self._context.target, extras, self._context.python)
            found = tuple(standing_in(requirement, self._context.names) for requirement in found)
            own = self.requirements(candidate) if extra else ()
            self._requirements[key] = tuple(requirement for requirement in found if requirement not in own)
        return self._requirements[key]

    async def _settle(self, project: ProjectName) -> None:
        """Offer the versions that the specifiers on a project allow, and request what they require."""
        if not await self._context.index_owns(project):
            return
        known = self.projects[project]
        if known.listing is None:
            known.listing = await self._listing(project)
        while missing := self._wanted(project, known) - known.candidates.keys():
            await together(self._load(project, known, version) for version in sorted(missing))
        for candidate in known.candidates.values():
            for extra in {"", *known.extras}:
                self._expand(known, candidate, extra)

    async def _listing(self, project: ProjectName) -> Listing:
        page = await self._context.wheels.page(project)
        kept = self._context.preference(project)
        required = (*self._context.required.get(project, ()), *self._limits(project))
        return Listing(
            page,
            self._context.rules,
            required=required,
            kept=kept.sha256 if kept else None,
            locked=self.kept(project),
        )

    def _limits(self, project: ProjectName) -> tuple[SpecifierSet, ...]:
        limited = self._context.limited.get(project)
        return () if limited is None else (limited,)

    def _wanted(self, project: ProjectName, known: Project) -> set[Version]:
        listing = known.listing
        if listing is None:
            return set()
        found = {version for version in known.added if version not in listing.unusable}
        kept = self.kept(project)
        allowed = [listing.allowing(specifiers) for specifiers in known.specifiers.values()]
        for each in allowed:
            if known.depth:
                found |= known.depth.of(listing.matching(each))
            elif known.depth is None and kept is not None and kept in listing.matching(each):
                found.add(kept)
            elif (version := listing.newest(each)) is not None:
                found.add(version)
        both = (listing.newest(one & other) for one, other in combinations(allowed, 2))
        return found | {version for version in both if version is not None}

    def kept(self, project: ProjectName) -> Version | None:
        """Return the version of the wheel that an old lock holds."""
        preference = self._context.preference(project)
        try:
            return Version(preference.version) if preference else None
        except InvalidVersion:  # the old lock had it from a channel
            return None

    async def _load(self, project: ProjectName, known: Project, version: Version) -> None:
        listing = known.listing
        file = listing.file(version, pinned=True) if listing else None
        if listing is None or file is None or isinstance(file, Rejection):
            known.added.discard(version)
            return
        try:
            conda_version(version)
        except InexpressibleError as error:  # not even what envgen cannot use could stand in a solve
            listing.refuse(version, str(error))
            return
        try:
            if is_archive(file) and not self._context.builds:
                known.candidates[version] = self._stand_in(project, version, file, Reason.SDIST)
                return
            if file.sha256 is None:
                file = await self._context.wheels.measured(file)
            metadata = await self._context.wheels.metadata(file)
            known.candidates[version] = self._candidate(project, version, file, metadata)
        except (ArtifactError, InexpressibleError) as error:
            if self._context.lifted:
                known.candidates[version] = self._stand_in(project, version, file, f"{Reason.UNUSABLE}: {error}")
            else:
                listing.refuse(version, str(error))

    def _stand_in(self, project: ProjectName, version: Version, file: IndexFile, why: str) -> WheelCandidate:
        """Offer a release that envgen cannot use, without requirements."""
        metadata = WheelMetadata(
            name=project, version=version, requires=(), requires_python=SpecifierSet(), license=None
        )
        return WheelCandidate(
            project=project,
            version=version,
            file=file,
            metadata=metadata,
            declared=metadata,
            depends=(),
            refused=why,
        )

    def _candidate(
        self, project: ProjectName, version: Version, file: IndexFile, metadata: WheelMetadata
    ) -> WheelCandidate:
        """Refuse a requirement that conda cannot express, and METADATA of another release."""
        if (metadata.name, metadata.version.public) != (project, version.public):
            raise ArtifactError(f"METADATA of `{file.filename}` has {metadata.name} {metadata.version}")
        context = self._context
        tags = _ANYWHERE if is_archive(file) else parse_wheel_filename(file.filename)[3]
        own = adjusted(metadata, context.adjustments)
        depends = wheel_depends(
            own, wheel_tags=tags, target=context.target, names=context.names, python_full=context.python
        )
        return WheelCandidate(
            project=project, version=version, file=file, metadata=own, declared=metadata, depends=depends
        )

    def _expand(self, known: Project, candidate: WheelCandidate, extra: str) -> None:
        """Request what a wheel requires; a missing extra is kept for explanations."""
        key = (candidate.version, extra)
        if key in known.expanded:
            return
        known.expanded.add(key)
        try:
            requirements = self.requirements(candidate, extra)
            match_specs(requirements, self._context.names)
        except InexpressibleError as error:
            known.refused[key] = str(error)
            return
        self.ask_all(requirements)
