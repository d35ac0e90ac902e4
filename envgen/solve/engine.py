"""The solve: one SAT problem over wheels, recipes and channels together.

A problem is made of few wheels (`closure`), so an answer is checked and a failure is not believed at once:

* where everything that was chosen allows a newer wheel that was not offered, that is offered too;
* where there is no answer, older wheels of the projects that stand in the way are offered, more each time.

Both only add candidates, so it ends; and all of it follows from what the sources hold, not from when they answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import rattler
from packaging.specifiers import SpecifierSet
from rattler.channel import ChannelPriority
from rattler.exceptions import GatewayError, SolverError

from envgen.names import project_name
from envgen.records import Record, Solution
from envgen.solve.catalogue import Catalogue
from envgen.solve.closure import Candidate
from envgen.solve.conflicts import Graph, suspects
from envgen.solve.encode import Offer, decode_channel, decode_wheel, virtual_packages
from envgen.solve.explain import explain
from envgen.solve.request import Request

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from envgen.names import CondaName, ProjectName
    from envgen.solve.request import Line
    from envgen.solve.task import SolveTask

_STEPS = (0, 1, 4, 12, 40)
"""Older versions that are offered of a project in the way, time after time. 0: the newest beside that of the lock."""

_PYTHON = "python"


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
                    core = await self._core()
                    raise await explain(self._task, self._catalogue, core, str(error)) from error
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

    async def _core(self) -> tuple[Line, ...]:
        """Find lines of the spec that conflict, such that without any one of them the rest would not."""
        core = list(self._request.lines)
        for line in self._request.lines:
            rest = [other for other in core if other is not line]
            try:
                await self._attempt(rest)
            except SolverError:
                core = rest
        return tuple(core)

    def _widen(self) -> bool:
        """Offer more of the projects that stand in the way, most of the nearest; tell whether there was more."""
        closure = self._catalogue.closure
        if [project for project in sorted(closure.projects) if self._step(project, 1)]:
            return True
        rings = suspects(Graph(self._catalogue.offers, self._request.lines))
        reach = len(rings) + len(_STEPS)
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
        for step in range(self._steps.get(project, 0), min(limit, len(_STEPS))):
            self._steps[project] = step + 1
            if self._catalogue.closure.widen(project, _STEPS[step]):
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
            newest = listing.newest(listing.allowing(demanded))
            if newest and newest > candidate.version:
                better |= closure.add(candidate.project, newest)
        return better

    def _demands(self, chosen: Sequence[Offer]) -> dict[ProjectName, list[SpecifierSet]]:
        """Collect what the chosen wheels and extras require of each project."""
        demands: dict[ProjectName, list[SpecifierSet]] = {}
        for offer in chosen:
            if isinstance(offer.origin, Candidate):
                for requirement in self._catalogue.closure.requirements(offer.origin, offer.extra):
                    demands.setdefault(project_name(requirement.name), []).append(requirement.specifier)
        return demands


def _candidates(chosen: Sequence[Offer]) -> dict[CondaName, Candidate]:
    return {o.name: o.origin for o in chosen if isinstance(o.origin, Candidate) and not o.extra}


def _solution(task: SolveTask, chosen: Sequence[Offer], python: str | None) -> Solution:
    """Turn chosen offers into records; packages that stood for extras end here."""
    extras: dict[ProjectName, tuple[str, ...]] = {}
    for offer in chosen:
        if isinstance(offer.origin, Candidate) and offer.extra:
            project = offer.origin.project
            extras[project] = tuple(sorted({*extras.get(project, ()), offer.extra}))
    records = [_decode(task, offer, extras, python) for offer in chosen if not offer.extra]
    ordered = tuple(sorted(records, key=lambda record: record.name))
    return Solution(target=task.target, records=ordered, extras=dict(sorted(extras.items())))


def _decode(task: SolveTask, offer: Offer, extras: dict[ProjectName, tuple[str, ...]], python: str | None) -> Record:
    origin = offer.origin
    if isinstance(origin, Candidate):
        wanted = extras.get(origin.project, ())
        return decode_wheel(origin, wanted, target=task.target, names=task.names, python=python)
    return origin if isinstance(origin, Record) else decode_channel(offer.record)
