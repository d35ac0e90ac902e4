"""Who offers which name: the wheel index, a recipe or a channel; and the one source that the solver asks.

* Projects that the spec asks for under `pypi:` come from the index alone.
* A recipe offers its own names, unless a channel of the spec has them.
* Projects that an index of the spec names come from that index alone, unless a recipe offers them.
* What a wheel requires comes from a channel where the name table says that both are one project, else from the index.
* What a conda package requires comes from the channels, and from the index only where one of the above says so.
"""

from __future__ import annotations

from itertools import chain, groupby
from typing import TYPE_CHECKING

from msgspec import Struct
from packaging.version import Version

from envgen.errors import EnvgenError
from envgen.indexes import index_of
from envgen.names import CondaName, project_name
from envgen.solve.closure import ClosureContext, WheelCandidate, WheelClosure
from envgen.solve.encode import (
    Offer,
    decode_wheel,
    encode_extra,
    encode_record,
    encode_virtual,
    encode_wheel,
    key_of,
    refuse_odd_dependencies,
)
from envgen.solve.listing import Rules
from envgen.solve.order import is_uneven, spec_among
from envgen.structs import replace
from envgen.versions import InexpressibleError, conda_version, has_inner_zero, is_exact
from envgen.wheels import NEVER, extra_name, match_specs, without_extras

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence

    from packaging.requirements import Requirement
    from packaging.specifiers import SpecifierSet
    from rattler import PackageName, RepoDataRecord, Subdir

    from envgen.names import ProjectName
    from envgen.records import Record
    from envgen.solve.spec_requirements import Line
    from envgen.solve.task import Preference, SolveTask


class Catalogue:
    """Everything that one solve can choose from.

    Args:
        task: what is to be solved.
        required: project -> what the spec itself demands of it on this target.
        python: full version of Python, where it is known before the solve.
        lifted: offer what would be chosen were it not for limits of envgen: see `WheelCandidate.refused`; rules of the
            name table on what clashes do not hold either.
        limited: project -> what constraints leave of it.

    Attributes:
        closure: the wheels.
        offers: what was offered so far, by name: the facts that explanations are made of.
    """

    def __init__(
        self,
        task: SolveTask,
        *,
        required: Mapping[ProjectName, tuple[SpecifierSet, ...]],
        python: str | None,
        lifted: bool = False,
        limited: Mapping[ProjectName, SpecifierSet] | None = None,
    ) -> None:
        if lifted:
            task = replace(task, names=replace(task.names, clashes={}))
        self.offers: dict[str, tuple[Offer, ...]] = {}
        self._task = task
        self._python = python
        self._lifted = lifted
        self._required = required
        self._stand_ins = {stand_in.project for stand_in in task.names.stand_ins.values()}
        self._index_names = {task.names.conda_name(project) for project in (*required, *self._stand_ins)}
        self._recipes = _by_name(encode_record(record) for record in task.recipes)
        self._failure: EnvgenError | None = None
        self._decoded: dict[tuple[ProjectName, Version], Record] = {}
        self._prepared = False
        self._uneven: set[ProjectName] = set()
        self._encoded: dict[ProjectName, _Encoded] = {}
        names = task.names
        rules = Rules.of(task.target, python=python, exclude_newer=task.exclude_newer)
        context = ClosureContext(
            wheels=task.wheels,
            target=task.target,
            rules=replace(rules, sources=lifted or task.builds),
            names=names,
            python=python,
            required=required,
            preferred=task.preferred,
            index_owns=self.index_owns,
            lifted=lifted,
            adjustments=task.adjustments,
            builds=task.builds,
            limited=limited or {},
        )
        self.closure = WheelClosure(context)

    async def index_owns(self, project: ProjectName) -> bool:
        """Return whether what is asked of a project is met by its wheels, rather than by a recipe or channel."""
        name = self._task.names.conda_name(project)
        if project in self._required or project in self._stand_ins:
            return True  # a package of a channel would not be known by the other project's name
        if name in self._recipes:
            return False
        if index_of(project, self._task.indexes):
            return True
        # conda has no extras: who asks for one means the wheel
        if project not in self._task.names.same or self.closure.projects[project].extras:
            return True
        return not await self._channel(name)

    async def prepare(self) -> None:
        """Collect the wheels that are wanted by now and offer them.

        Raises:
            NetworkError: a source fails.
        """
        if self._prepared and self.closure.is_settled:
            return
        await self.closure.collect()
        self._prepared = True
        self.offers = _by_name(encode_virtual(self._task.target))
        wheels = {p: self._wheels(p) for p, known in sorted(self.closure.projects.items()) if known.candidates}
        self._uneven = {p for p, bases in wheels.items() if any(has_inner_zero(base[0].version) for base in bases)}
        for project, bases in wheels.items():
            self.offers |= self._offers_of(project, bases, wheels)

    def exact(self, lines: Iterable[Line]) -> tuple[Line, ...]:
        """Write lines of the spec such that each holds for those of the offered wheels that meet it."""
        return tuple(map(self._exact, lines))

    async def offered(self, name: CondaName) -> tuple[Offer, ...]:
        """Return what is offered under a name, and remember it."""
        if name not in self.offers:
            self.offers[name] = await self._elsewhere(name)
        return self.offers[name]

    async def kept(self) -> list[RepoDataRecord]:
        """List what an old lock holds and the sources still offer."""
        return [
            offer.record
            for name, preference in sorted(self._task.preferred.items())
            for offer in await self.offered(name)
            if self._is_kept(offer, preference)
        ]

    async def fetch_package_records(self, platform: Subdir, name: PackageName) -> list[RepoDataRecord]:
        """Answer the solver (rattler's `RepoDataSource`); `noarch` records come with those of the platform."""
        if str(platform) == "noarch" or name.normalized.startswith("__"):
            return []
        try:
            return [offer.record for offer in await self.offered(CondaName(name.normalized))]
        except EnvgenError as error:
            self._failure = error  # rattler would keep its text only
            raise

    def package_names(self, platform: Subdir) -> list[str]:
        """Return the names of packages, for the solver."""
        return [] if str(platform) == "noarch" else sorted(self.offers)

    def raise_failure(self) -> None:
        """Raise what a source raised while the solver asked it, or what a record says that the solver cannot read."""
        if self._failure:
            raise self._failure
        for offer in chain.from_iterable(self.offers.values()):
            refuse_odd_dependencies(offer.record)

    def offer_of(self, record: RepoDataRecord) -> Offer:
        """Find what a chosen record stands for."""
        wanted = key_of(record)
        return next(offer for offer in self.offers[wanted[0]] if key_of(offer.record) == wanted)

    def is_kept(self, candidate: WheelCandidate) -> bool:
        """Return whether an old lock holds this very wheel."""
        kept = self._task.preferred.get(self._task.names.conda_name(candidate.project))
        if kept is None or kept.build is not None:
            return False
        if kept.sha256 is None:  # from another tool, which may have had another wheel of the version
            return Version(kept.version) == candidate.version
        return kept.sha256 == candidate.file.sha256

    def _is_kept(self, offer: Offer, preference: Preference) -> bool:
        if isinstance(offer.origin, WheelCandidate):
            return self.is_kept(offer.origin)
        return key_of(offer.record)[1:] == (preference.version, preference.build)

    def _wheels(self, project: ProjectName) -> _Bases:
        """List the candidates of a project, newest first, with their records."""
        candidates = self.closure.projects[project].candidates
        return [(candidate, self._decode(candidate)) for _, candidate in sorted(candidates.items(), reverse=True)]

    def _decode(self, candidate: WheelCandidate) -> Record:
        key, task = (candidate.project, candidate.version), self._task
        if key not in self._decoded:
            found = decode_wheel(candidate, (), target=task.target, names=task.names, python=self._python)
            self._decoded[key] = found
        return self._decoded[key]

    def _offers_of(self, project: ProjectName, bases: _Bases, wheels: _Wheels) -> _Offers:
        """Return what the wheels of a project are offered as, encoded again where they depend on what has grown."""
        before = self._encoded.get(project)
        if before is None or before.state != self._state(project, before.watched):
            watched = self._watched(project, bases)
            offers = self._offer_wheels(project, bases, wheels)
            before = _Encoded(offers=offers, watched=watched, state=self._state(project, watched))
            self._encoded[project] = before
        return before.offers

    def _watched(self, project: ProjectName, bases: _Bases) -> frozenset[ProjectName]:
        """Name the projects whose offered versions decide how some requirement is written."""
        extras = ("", *self.closure.projects[project].extras)
        refused = self.closure.projects[project].refused
        return frozenset(
            project_name(requirement.name)
            for candidate, _ in bases
            for extra in extras
            if (candidate.version, extra) not in refused
            for requirement in self.closure.requirements(candidate, extra)
            if not is_exact(requirement.specifier) or is_uneven(requirement.specifier, ())
        )

    def _state(self, project: ProjectName, watched: Collection[ProjectName]) -> Hashable:
        """Count what the offers of a project are made of: nothing of it is ever taken back."""
        projects = self.closure.projects
        known = projects[project]
        others = sorted(other for other in {*watched, *self._uneven} if other in projects)
        counts = (len(known.candidates), len(known.extras), len(known.refused))
        return counts, tuple((other, len(projects[other].candidates)) for other in others)

    def _offer_wheels(self, project: ProjectName, bases: _Bases, wheels: _Wheels) -> _Offers:
        name = self._task.names.conda_name(project)
        offers: list[Offer] = []
        for _, group in groupby(bases, key=lambda base: conda_version(base[0].version)):
            for rank, (candidate, record) in enumerate(reversed(list(group))):
                requirements = self.closure.requirements(candidate)
                asks, plain = self._asks(requirements, wheels), self._inexact(requirements)
                replaced = plain - asks.keys()
                given = self._task
                offers.append(
                    encode_wheel(
                        candidate, record, asks, rank, target=given.target, names=given.names, replaced=replaced
                    )
                )
        known = self.closure.projects[project]
        found: _Offers = {name: tuple(offers)}
        found |= {
            extra_name(name, extra): tuple(
                encode_extra(offer, extra, self._asks_of_extra(offer.origin, extra, wheels))
                for offer in offers
                if isinstance(offer.origin, WheelCandidate)
                and (self._lifted or (offer.origin.version, extra) not in known.refused)
            )
            for extra in sorted(known.extras)
        }
        return found

    def _asks_of_extra(self, candidate: WheelCandidate, extra: str, wheels: _Wheels) -> dict[str, Requirement]:
        if (candidate.version, extra) in self.closure.projects[candidate.project].refused:
            return {}
        return self._asks(self.closure.requirements(candidate, extra), wheels)

    def _asks(self, requirements: Sequence[Requirement], wheels: _Wheels) -> dict[str, Requirement]:
        """Map MatchSpecs to the requirements that they come from."""
        return {
            spec: requirement
            for requirement in requirements
            for spec in (*self._match_specs(requirement), *self._only(requirement, wheels))
        }

    def _exact(self, line: Line) -> Line:
        requirement = line.requirement
        if requirement is None or not self._is_uneven(requirement):
            return line
        try:
            return replace(line, specs=self._match_specs(requirement))
        except InexpressibleError:  # the line asks for the name alone
            return line

    def _match_specs(self, requirement: Requirement) -> tuple[str, ...]:
        """Write a requirement such that it holds for those of the offered wheels that meet it."""
        if not self._is_uneven(requirement):
            return match_specs([requirement], self._task.names)
        among = self._among(requirement)
        return match_specs([requirement], self._task.names, lambda r: spec_among(r.specifier, among))

    def _inexact(self, requirements: Sequence[Requirement]) -> set[str]:
        """List the MatchSpecs of requirements that do not hold for exactly the offered wheels that meet them."""
        return set(match_specs(filter(self._is_uneven, requirements), self._task.names))

    def _is_uneven(self, requirement: Requirement) -> bool:
        return project_name(requirement.name) in self._uneven or is_uneven(requirement.specifier, ())

    def _among(self, requirement: Requirement) -> Collection[Version]:
        known = self.closure.projects.get(project_name(requirement.name))
        return known.candidates.keys() if known else ()

    def _only(self, requirement: Requirement, wheels: _Wheels) -> tuple[str, ...]:
        """Return the only package that meets a requirement which versions alone cannot express (`==2.8.0+cu128`)."""
        if is_exact(requirement.specifier):
            return ()
        project = project_name(requirement.name)
        for candidate, record in wheels.get(project, ()):
            if requirement.specifier.contains(candidate.version, prereleases=True):
                return (f"{record.name} =={record.version} {record.build}",)
        return (f"{self._task.names.conda_name(project)} {NEVER}",)

    async def _elsewhere(self, name: CondaName) -> tuple[Offer, ...]:
        """Ask the channels, then the recipes."""
        if not without_extras([name]) or name in self._index_names:
            return ()
        found = await self._channel(name)
        if found:
            found = sorted(found, key=lambda r: (r.version, r.build_number, str(r.build)), reverse=True)
            return tuple(Offer(record=record, origin=record) for record in found)
        return self._recipes.get(name, ())

    async def _channel(self, name: CondaName) -> Sequence[RepoDataRecord]:
        if self._task.channels is None:
            return ()
        limit = self._task.exclude_newer
        found = await self._task.channels.records(name)
        return [r for r in found if limit is None or r.timestamp is None or r.timestamp <= limit]


_Bases = list[tuple[WheelCandidate, "Record"]]
_Wheels = dict["ProjectName", _Bases]
_Offers = dict[str, tuple[Offer, ...]]


class _Encoded(Struct, frozen=True, kw_only=True):
    """What the wheels of a project were offered as.

    Attributes:
        offers: of the project and its extras, by name.
        watched: projects whose offered versions were looked at.
        state: of the closure then, see `Catalogue._state`.
    """

    offers: _Offers
    watched: frozenset[ProjectName]
    state: Hashable


def _by_name(offers: Iterable[Offer]) -> dict[str, tuple[Offer, ...]]:
    ordered = sorted(offers, key=lambda offer: key_of(offer.record))
    return {name: tuple(group) for name, group in groupby(ordered, key=lambda offer: key_of(offer.record)[0])}
