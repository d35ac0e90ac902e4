"""The solve: one SAT problem over wheels, recipes and channels together.

A problem is made of few wheels (`closure`), so an answer is checked and a failure is not believed at once:

* where there is no answer, older wheels of the projects that stand in the way are probed, further back each time;
* where everything that was chosen allows newer wheels that were not offered, they are offered too.

Both only add candidates, so it ends; and all of it follows from what the sources hold, not from when they answer.
"""

from __future__ import annotations

import itertools
from types import MappingProxyType
from typing import TYPE_CHECKING

import rattler
from packaging.specifiers import SpecifierSet
from rattler.channel import ChannelPriority
from rattler.exceptions import GatewayError, SolverError

from envgen.errors import UnsatisfiableError
from envgen.names import CondaName, project_name
from envgen.records import Record, Solution
from envgen.solve.catalogue import Catalogue
from envgen.solve.closure import Depth, WheelCandidate
from envgen.solve.conflicts import Propagation, RequirementGraph, suspects
from envgen.solve.effects import effects_of
from envgen.solve.encode import Offer, decode_channel, decode_wheel, gateway, virtual_packages
from envgen.solve.explain import explain, in_short
from envgen.solve.extras import refuse_missing_extras, unknown_extras
from envgen.solve.newest import Ideal, idle_acceptances, passed_over
from envgen.solve.priority import PINNED, accepted, goals, newest_first, raise_dependencies, source_only, wheels_of
from envgen.solve.spec_requirements import Line, Request
from envgen.structs import replace
from envgen.versions import conda_version
from envgen.wheels import NEVER

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping, Sequence

    from packaging.version import Version

    from envgen.names import ProjectName
    from envgen.solve.conflicts import Edge
    from envgen.solve.task import SolveTask

_DEPTHS = (Depth(0, 0), Depth(1, 8), Depth(4, 64), Depth(12, 512), Depth(40, 512), Depth(150, 512))
"""How far back older wheels of a project in the way are offered, time after time.

What is incompatible with new releases usually begins or ends with some release, so a few probes far back find a
solution soon, and the gap to it is filled then. The rest finds what works with a few releases in the middle only.
"""

_GAP = 16
"""Wheels that are offered at once between a chosen one and the next newer one that was offered."""

_ENOUGH = 4000
"""Wheels after which the search ends: reading that many takes a minute, and what is not found by then is not there."""

_PYTHON = CondaName("python")


async def solve(task: SolveTask) -> Solution:
    """Choose packages for one target.

    What the spec names is as new as its lines allow, in the order of the lines, before anything else is chosen. What
    it would be were it not for limits of envgen is found by a second search without them, if need be.

    Raises:
        UnsatisfiableError: nothing meets all requirements; the message says why and what to change.
        UserError: a line of the spec cannot be understood.
        NetworkError: a source fails.
    """
    python = await known_python(task)
    request = Request.of(task, python)
    search = await _Search.begin(task, request, python)
    chosen, ideal = await search.find(goals(search.closure, request.required), budget=PINNED), Ideal()
    if chosen is None:
        chosen, ideal = await _without_limits(task, request, python, search)
    chosen = await raise_dependencies(search, chosen, request.required)
    demands = search.demands(chosen)
    older = passed_over(chosen, request.lines, search.catalogue, demands=demands, ideal=ideal)
    await refuse_missing_extras(task, request.lines, chosen, search.catalogue, older=older, solve=solve)
    solution = _solution(task, chosen, python, search.catalogue)
    idle = idle_acceptances(task.adjustments.allow_older, chosen, older, is_kept=search.is_kept)
    return replace(solution, older=older, idle=(*solution.idle, *idle))


async def _without_limits(
    task: SolveTask, request: Request, python: str | None, search: _Search
) -> tuple[list[Offer], Ideal]:
    """Choose where what the spec names cannot be the newest of all together.

    Raises:
        UnsatisfiableError: nothing meets the lines, or only with an older release because of a limit of envgen.
    """
    lifted = await _Search.begin(task, request, python, lifted=True)
    best = await newest_first(lifted, request.required, fixed={})
    if best is None:
        raise await search.failure({})
    pins = {project: version for project, version in best.pins.items() if project not in task.adjustments.allow_older}
    found = await newest_first(search, request.required, fixed=pins)
    if found is None:
        raise await search.failure(pins, best.chosen)
    return found.chosen, accepted(best, found)


async def known_python(task: SolveTask) -> str | None:
    """Return the full version of Python, if only a recipe offers one and so it is known before the solve.

    Markers and Requires-Python are then judged by it, else by the minor version: what was derived from a wheel has to
    be derived again with the same knowledge.
    """
    if task.channels is not None and await task.channels.records(_PYTHON):
        return None
    found = [record.version for record in task.recipes if record.name == _PYTHON]
    return found[0] if len(found) == 1 else None


class _Search:
    """One catalogue, and solves over it that differ in what is pinned; each offers more where it has to."""

    def __init__(self, task: SolveTask, request: Request, catalogue: Catalogue) -> None:
        self.closure = catalogue.closure
        self._task = task
        self._request = request
        self.catalogue = catalogue
        self._steps: dict[ProjectName, int] = {}
        self._round = 1
        self._failed: tuple[tuple[Line, ...], str] = ((), "")

    @classmethod
    async def begin(cls, task: SolveTask, request: Request, python: str | None, *, lifted: bool = False) -> _Search:
        """Offer what the lines of the spec ask for, and all that follows from it."""
        catalogue = Catalogue(task, required=request.required, python=python, limited=request.limited, lifted=lifted)
        catalogue.closure.ask_all(line.requirement for line in request.lines)
        await catalogue.prepare()
        return cls(task, request, catalogue)

    async def find(
        self,
        pins: Mapping[ProjectName, Version],
        *,
        above: Mapping[ProjectName, Version] = MappingProxyType({}),
        budget: int = _ENOUGH,
    ) -> list[Offer] | None:
        """Solve, widen and improve until an answer stands; None if there is none.

        Args:
            pins: project that the spec names -> the version that it is to have.
            above: the same -> a version that it is to be newer than.
            budget: wheels that may be read on the way.
        """
        self._round = 1
        limit = min(_ENOUGH, self._size() + budget)
        for project, version in pins.items():
            self.closure.add(project, [version])
        while True:
            await self.catalogue.prepare()
            exact = self.catalogue.exact(self._request.lines)
            lines = (
                *(self._narrowed(line, pins, above) for line in exact),
                *self._pinned_only(pins, above),
            )
            try:
                chosen = await self._attempt(lines)
            except SolverError as error:
                self._failed = lines, str(error)
                if not (budget and self._widen(lines, pins, limit)):
                    return None
                continue
            if not self._improve(chosen):
                return chosen

    def _narrowed(self, line: Line, pins: Mapping[ProjectName, Version], above: Mapping[ProjectName, Version]) -> Line:
        """Ask for a pinned version in place of what a line asks for; extras stay."""
        project = project_name(line.requirement.name) if line.requirement else None
        if project is None or not (project in pins or project in above):
            return line
        name = self._task.names.conda_name(project)
        wanted = self._wanted(project, pins, above)
        specs = tuple(wanted if spec.partition(" ")[0] == name else spec for spec in line.specs)
        return replace(line, specs=specs, newest=str(pins[project]) if project in pins else None)

    def _pinned_only(self, pins: Mapping[ProjectName, Version], above: Mapping[ProjectName, Version]) -> Iterator[Line]:
        """Ask for versions of what the spec does not name."""
        for project in {**pins, **above}:
            if project not in self._request.required:
                yield Line(text=project, specs=(self._wanted(project, pins, above),))

    def _wanted(
        self, project: ProjectName, pins: Mapping[ProjectName, Version], above: Mapping[ProjectName, Version]
    ) -> str:
        name = self._task.names.conda_name(project)
        return self._pin(name, pins[project]) if project in pins else f"{name} >{conda_version(above[project])}"

    def is_kept(self, candidate: WheelCandidate) -> bool:
        """Return whether an old lock holds this very wheel."""
        return self.catalogue.is_kept(candidate)

    def _pin(self, name: CondaName, version: Version) -> str:
        for offer in self.catalogue.offers.get(name, ()):
            if isinstance(offer.origin, WheelCandidate) and offer.origin.version == version:
                return f"{name} =={offer.record.version} {offer.record.build}"
        return f"{name} {NEVER}"

    async def conflict(self) -> str:
        """Return in one line why the last solve had no answer."""
        return await in_short(self._task, self.catalogue, self._failed[0])

    async def failure(self, pins: Mapping[ProjectName, Version], best: Sequence[Offer] = ()) -> UnsatisfiableError:
        """Explain why there is no answer with some projects pinned: as in the best answer, if there is one."""
        await self.find(pins, budget=PINNED if pins else _ENOUGH)
        lines, tree = self._failed
        if self._task.trial:
            return UnsatisfiableError(tree)
        core, tree = await self._core(lines, tree)
        every = (*lines, *self._request.limits)
        return await explain(self._task, self.catalogue, every, core, tree, solve, sources=source_only(best))

    def _size(self) -> int:
        return sum(len(known.candidates) for known in self.closure.projects.values())

    async def _attempt(self, lines: Iterable[Line]) -> list[Offer]:
        """Solve once.

        Raises:
            SolverError: there is no answer among what is offered.
        """
        catalogue = self.catalogue
        subdirs = [rattler.Subdir(self._task.target.platform.value), rattler.Subdir("noarch")]
        try:
            found = await rattler.solve(
                [catalogue],
                [rattler.MatchSpec(spec) for line in lines for spec in line.specs],
                platforms=subdirs,
                gateway=gateway(),
                locked_packages=await catalogue.kept(),
                virtual_packages=virtual_packages(self._task.target),
                constraints=[rattler.MatchSpec(spec) for line in self._request.limits for spec in line.specs],
                channel_priority=ChannelPriority.Disabled,  # the catalogue offers a name from one place only
                channel_relations="disabled",
            )
        except GatewayError:
            catalogue.raise_failure()
            raise
        return [catalogue.offer_of(record) for record in found]

    async def _core(self, lines: Sequence[Line], tree: str) -> tuple[tuple[Line, ...], str]:
        """Find lines of the spec that conflict, such that without any one of them the rest would not.

        Python goes last: whatever needs a Python that cannot be had would be blamed for it otherwise.

        Args:
            lines: all.
            tree: what the solver says of them.

        Returns:
            The lines, and what the solver says of them alone.
        """
        python, *others = lines
        core = [python, *others]
        for line in (*others, python):
            rest = [other for other in core if other is not line]
            try:
                await self._attempt(rest)
            except SolverError as error:
                core, tree = rest, str(error)
        return tuple(core), tree

    def _widen(self, lines: Sequence[Line], pins: Mapping[ProjectName, Version], limit: int) -> bool:
        """Offer more of the projects that conflict, most of the nearest; return whether there was more."""
        closure = self.closure
        if [project for project in sorted(closure.projects) if self._step(project, 1)]:
            return True
        if self._size() > limit:
            return False
        graph = RequirementGraph(self.catalogue.offers, lines)
        if pins and self._is_certain(graph, pins):
            return False
        rings = suspects(graph)
        reach = len(rings) + len(_DEPTHS)
        while self._round < reach:
            self._round += 1
            # the nearest ring is a step ahead of the next one: what is far away is less likely to blame
            steps = [
                (p, self._round - i)
                for i, ring in enumerate(rings)
                for p in sorted(ring & closure.projects.keys() - pins.keys())
            ]
            if [project for project, steps_of_it in steps if self._step(project, steps_of_it)]:
                return True
        return False

    def _is_certain(self, graph: RequirementGraph, pins: Container[ProjectName]) -> bool:
        """Return whether no wheel that was not offered can help: what conflicts is pinned, or all of it is offered."""
        involved = Propagation(graph).involved()
        return bool(involved) and not any(
            project not in pins and self._has_more(project, edges) for project, edges in involved.items()
        )

    def _has_more(self, project: ProjectName, edges: Iterable[Edge]) -> bool:
        known = self.closure.projects.get(project)
        if known is None or known.listing is None:
            return False
        listing = known.listing
        specifiers = {str(edge.requirement.specifier): edge.requirement.specifier for edge in edges if edge.requirement}
        return any(
            version not in known.candidates
            for each in specifiers.values()
            for version in listing.matching(listing.allowing(each))
        )

    def _step(self, project: ProjectName, limit: int) -> bool:
        """Offer the next few versions of a project, up to step number `limit`; return whether there were any."""
        for step in range(self._steps.get(project, 0), min(limit, len(_DEPTHS))):
            self._steps[project] = step + 1
            if self.closure.widen(project, _DEPTHS[step]):
                return True
        return False

    def _improve(self, chosen: Sequence[Offer]) -> bool:
        """Offer newer wheels that all that was chosen allows; return whether there are any."""
        closure = self.closure
        demands = self.demands(chosen)
        better = False
        for candidate in wheels_of(chosen).values():
            listing = closure.projects[candidate.project].listing
            if listing is None or self.catalogue.is_kept(candidate):
                continue
            demanded = SpecifierSet(",".join(filter(None, map(str, demands.get(candidate.project, ())))))
            newer = _newer(candidate.version, listing.matching(listing.allowing(demanded)))
            better |= closure.add(candidate.project, _gap(newer, closure.projects[candidate.project].candidates))
        return better

    def demands(self, chosen: Sequence[Offer]) -> dict[ProjectName, list[SpecifierSet]]:
        """Collect what the chosen wheels and extras require of each project."""
        demands: dict[ProjectName, list[SpecifierSet]] = {}
        for offer in chosen:
            if isinstance(offer.origin, WheelCandidate):
                for requirement in self.closure.requirements(offer.origin, offer.extra):
                    demands.setdefault(project_name(requirement.name), []).append(requirement.specifier)
        return demands


def _newer(chosen: Version, versions: Iterable[Version]) -> list[Version]:
    return list(itertools.takewhile(lambda version: version > chosen, versions))


def _gap(newer: Sequence[Version], offered: Container[Version]) -> Sequence[Version]:
    """Choose what to offer of the versions that are newer than a chosen one, newest first.

    The newest of all, if it was not offered, since everything allows it; else some of those between the chosen one and
    the next that was offered, evenly spread.
    """
    if newer and newer[0] not in offered:
        return newer[:1]
    gap = list(itertools.takewhile(lambda version: version not in offered, reversed(newer)))
    return gap[:: -(-len(gap) // _GAP)] if gap else ()


def _solution(task: SolveTask, chosen: Sequence[Offer], python: str | None, catalogue: Catalogue) -> Solution:
    """Return the records of chosen offers, without the packages that represent extras."""
    extras: dict[ProjectName, tuple[str, ...]] = {}
    for offer in chosen:
        if isinstance(offer.origin, WheelCandidate) and offer.extra:
            project = offer.origin.project
            extras[project] = tuple(sorted({*extras.get(project, ()), offer.extra}))
    records = [_decode(task, offer, extras, python) for offer in chosen if not offer.extra]
    ordered = tuple(sorted(records, key=lambda record: record.name))
    remarks = tuple(sorted(unknown_extras(chosen)))
    listings = {p: known.listing for p, known in catalogue.closure.projects.items() if known.listing is not None}
    effects = effects_of(task, chosen, extras, python, listings)
    return Solution(
        target=task.target,
        records=ordered,
        extras=dict(sorted(extras.items())),
        remarks=remarks,
        notes=effects.notes,
        idle=effects.idle,
        newest_upload=max(filter(None, (wheel.file.uploaded for wheel in wheels_of(chosen).values())), default=None),
    )


def _decode(task: SolveTask, offer: Offer, extras: dict[ProjectName, tuple[str, ...]], python: str | None) -> Record:
    origin = offer.origin
    if isinstance(origin, WheelCandidate):
        wanted = extras.get(origin.project, ())
        return decode_wheel(origin, wanted, target=task.target, names=task.names, python=python)
    return origin if isinstance(origin, Record) else decode_channel(offer.record)
