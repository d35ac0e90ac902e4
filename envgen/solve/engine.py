"""The solve: one SAT problem over wheels, recipes and channels together.

A problem is made of few wheels (`closure`), so an answer is checked and a failure is not believed at once:

* where there is no answer, older wheels of the projects that stand in the way are probed, further back each time;
* where everything that was chosen allows newer wheels that were not offered, they are offered too.

Both only add candidates, so it ends; and all of it follows from what the sources hold, not from when they answer.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import rattler
from packaging.specifiers import SpecifierSet
from rattler.channel import ChannelPriority
from rattler.exceptions import GatewayError, SolverError

from envgen.names import CondaName, project_name
from envgen.records import Record, Solution
from envgen.solve.catalogue import Catalogue
from envgen.solve.closure import Depth, WheelCandidate
from envgen.solve.conflicts import RequirementGraph, suspects
from envgen.solve.encode import Offer, decode_channel, decode_wheel, virtual_packages
from envgen.solve.explain import explain
from envgen.solve.spec_requirements import Request

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence

    from packaging.version import Version

    from envgen.names import ProjectName
    from envgen.solve.spec_requirements import Line
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

    Raises:
        UnsatisfiableError: nothing meets all requirements; the message says why and what to change.
        UserError: a line of the spec cannot be understood.
        NetworkError: a source fails.
    """
    python = await known_python(task)
    request = Request.of(task, python)
    catalogue = Catalogue(task, required=request.required, python=python)
    for line in request.lines:
        if line.requirement:
            extras = sorted(map(project_name, line.requirement.extras))
            catalogue.closure.ask(project_name(line.requirement.name), line.requirement.specifier, extras)
    return _solution(task, await _Search(task, request, catalogue).run(), python)


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
    def __init__(self, task: SolveTask, request: Request, catalogue: Catalogue) -> None:
        self._task = task
        self._request = request
        self._catalogue = catalogue
        self._steps: dict[ProjectName, int] = {}
        self._round = 1

    async def run(self) -> list[Offer]:
        """Solve, widen and improve until an answer stands."""
        while True:
            await self._catalogue.prepare()
            try:
                chosen = await self._attempt(self._request.lines)
            except SolverError as error:
                if not self._widen():
                    core, tree = await self._core(str(error))
                    raise await explain(self._task, self._catalogue, self._request.lines, core, tree) from error
                continue
            if not self._improve(chosen):
                return chosen

    async def _attempt(self, lines: Iterable[Line]) -> list[Offer]:
        """Solve once.

        Raises:
            SolverError: there is no answer among what is offered.
        """
        catalogue = self._catalogue
        subdirs = [rattler.Subdir(self._task.target.platform.value), rattler.Subdir("noarch")]
        try:
            found = await rattler.solve(
                [catalogue],
                [rattler.MatchSpec(spec) for line in lines for spec in line.specs],
                platforms=subdirs,
                locked_packages=await catalogue.kept(),
                virtual_packages=virtual_packages(self._task.target),
                channel_priority=ChannelPriority.Disabled,  # the catalogue offers a name from one place only
                channel_relations="disabled",
            )
        except GatewayError:
            catalogue.raise_failure()
            raise
        return [catalogue.offer_of(record) for record in found]

    async def _core(self, tree: str) -> tuple[tuple[Line, ...], str]:
        """Find lines of the spec that conflict, such that without any one of them the rest would not.

        Python goes last: whatever needs a Python that cannot be had would be blamed for it otherwise.

        Args:
            tree: what the solver says of all lines.

        Returns:
            The lines, and what the solver says of them alone.
        """
        python, *others = self._request.lines
        core = [python, *others]
        for line in (*others, python):
            rest = [other for other in core if other is not line]
            try:
                await self._attempt(rest)
            except SolverError as error:
                core, tree = rest, str(error)
        return tuple(core), tree

    def _widen(self) -> bool:
        """Offer more of the projects that stand in the way, most of the nearest; tell whether there was more."""
        closure = self._catalogue.closure
        if [project for project in sorted(closure.projects) if self._step(project, 1)]:
            return True
        if sum(len(known.candidates) for known in closure.projects.values()) > _ENOUGH:
            return False
        rings = suspects(RequirementGraph(self._catalogue.offers, self._request.lines))
        reach = len(rings) + len(_DEPTHS)
        while self._round < reach:
            self._round += 1
            # the nearest ring is a step ahead of the next one: what is far away is less likely to blame
            steps = [
                (p, self._round - i) for i, ring in enumerate(rings) for p in sorted(ring & closure.projects.keys())
            ]
            if [project for project, steps_of_it in steps if self._step(project, steps_of_it)]:
                return True
        return False

    def _step(self, project: ProjectName, limit: int) -> bool:
        """Offer the next few versions of a project, up to step number `limit`; tell whether there were any."""
        for step in range(self._steps.get(project, 0), min(limit, len(_DEPTHS))):
            self._steps[project] = step + 1
            if self._catalogue.closure.widen(project, _DEPTHS[step]):
                return True
        return False

    def _improve(self, chosen: Sequence[Offer]) -> bool:
        """Offer newer wheels that all that was chosen allows; tell whether there are any."""
        closure = self._catalogue.closure
        demands = self._demands(chosen)
        better = False
        for candidate in _candidates(chosen).values():
            listing = closure.projects[candidate.project].listing
            if listing is None or self._catalogue.is_kept(candidate):
                continue
            demanded = SpecifierSet(",".join(filter(None, map(str, demands.get(candidate.project, ())))))
            newer = _newer(candidate.version, listing.matching(listing.allowing(demanded)))
            better |= closure.add(candidate.project, _gap(newer, closure.projects[candidate.project].candidates))
        return better

    def _demands(self, chosen: Sequence[Offer]) -> dict[ProjectName, list[SpecifierSet]]:
        """Collect what the chosen wheels and extras require of each project."""
        demands: dict[ProjectName, list[SpecifierSet]] = {}
        for offer in chosen:
            if isinstance(offer.origin, WheelCandidate):
                for requirement in self._catalogue.closure.requirements(offer.origin, offer.extra):
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


def _candidates(chosen: Sequence[Offer]) -> dict[CondaName, WheelCandidate]:
    return {o.name: o.origin for o in chosen if isinstance(o.origin, WheelCandidate) and not o.extra}


def _solution(task: SolveTask, chosen: Sequence[Offer], python: str | None) -> Solution:
    """Turn chosen offers into records; packages that stood for extras end here."""
    extras: dict[ProjectName, tuple[str, ...]] = {}
    for offer in chosen:
        if isinstance(offer.origin, WheelCandidate) and offer.extra:
            project = offer.origin.project
            extras[project] = tuple(sorted({*extras.get(project, ()), offer.extra}))
    records = [_decode(task, offer, extras, python) for offer in chosen if not offer.extra]
    ordered = tuple(sorted(records, key=lambda record: record.name))
    remarks = tuple(sorted(filter(None, map(_unknown_extra, chosen))))
    return Solution(target=task.target, records=ordered, extras=dict(sorted(extras.items())), remarks=remarks)


def _unknown_extra(offer: Offer) -> str | None:
    """Remark on an extra that a wheel does not have, which adds nothing then; misspelt ones look like that."""
    origin = offer.origin
    if not isinstance(origin, WheelCandidate) or not offer.extra or offer.extra in origin.metadata.provides_extra:
        return None
    has = ", ".join(f"`{extra}`" for extra in sorted(origin.metadata.provides_extra))
    return f"`{origin.project}` {origin.version} has no extra `{offer.extra}`; it has {has or 'none'}"


def _decode(task: SolveTask, offer: Offer, extras: dict[ProjectName, tuple[str, ...]], python: str | None) -> Record:
    origin = offer.origin
    if isinstance(origin, WheelCandidate):
        wanted = extras.get(origin.project, ())
        return decode_wheel(origin, wanted, target=task.target, names=task.names, python=python)
    return origin if isinstance(origin, Record) else decode_channel(offer.record)
