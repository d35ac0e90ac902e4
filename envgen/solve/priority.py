"""What the spec names, newest first: project after project in the order of its lines, each as new as the former allow.

The reference is uv, which decides on what is required directly before anything else and goes back as late as it can.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct
from packaging.specifiers import SpecifierSet

from envgen.names import ProjectName, project_name
from envgen.solve.closure import WheelCandidate
from envgen.solve.listing import Reason
from envgen.solve.newest import Ideal
from envgen.structs import replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from packaging.version import Version

    from envgen.solve.closure import WheelClosure
    from envgen.solve.encode import Offer

PINNED = 400
"""Wheels that are read besides to see whether what the spec names can be as new as it should be."""

_ATTEMPTS = 24
"""Solves for dependencies at a newer release than the solver chose."""

_STEPS = 4
"""Solves for one dependency whose newest release cannot be had."""

_NEARBY = 5
"""Releases by which others may go back for a dependency that was found before them: as many as uv tries of a package
before it decides on that one first (its conflict threshold)."""


class Search(Protocol):
    """Solves that differ in what is pinned."""

    @property
    def closure(self) -> WheelClosure:
        """Return the offered wheels."""

    async def find(
        self, pins: Mapping[ProjectName, Version], *, above: Mapping[ProjectName, Version] = ..., budget: int = ...
    ) -> list[Offer] | None:
        """Solve with some projects at a version, or above one; None if there is no answer.

        Args:
            pins: project that the spec names -> the version that it is to have.
            above: the same -> a version that it is to be newer than.
            budget: wheels that may be read on the way.
        """

    async def conflict(self) -> str:
        """Return in one line why the last solve had no answer."""

    def demands(self, chosen: Sequence[Offer]) -> Mapping[ProjectName, Sequence[SpecifierSet]]:
        """Collect what chosen wheels and extras require of each project."""

    def is_kept(self, candidate: WheelCandidate) -> bool:
        """Return whether an old lock holds this very wheel."""


class Newest(Struct, frozen=True, kw_only=True):
    """What is chosen where what the spec names is as new as can be.

    Attributes:
        chosen: everything.
        pins: project that the spec names -> its version; without stand-ins for what envgen cannot use.
        ideal: what else was found out.
    """

    chosen: list[Offer]
    pins: Mapping[ProjectName, Version]
    ideal: Ideal


def goals(closure: WheelClosure, named: Iterable[ProjectName]) -> dict[ProjectName, Version]:
    """Map each project that the spec names to what it should be: what an old lock holds, else the newest."""
    return {project: found[0] for project in named if (found := _goals(closure, project))}


async def newest_first(
    search: Search, named: Iterable[ProjectName], *, fixed: Mapping[ProjectName, Version]
) -> Newest | None:
    """Make one project after the other as new as the former ones allow; None if there is no answer.

    Args:
        search: solves.
        named: what the spec names, in its order.
        fixed: versions that are given.
    """
    names = tuple(named)
    wanted = {**goals(search.closure, names), **fixed}
    chosen = await search.find(wanted, budget=PINNED)
    if chosen is not None:
        return _newest(chosen, names, {})
    chosen = await search.find(fixed)
    if chosen is None:
        return None
    pins, held = dict(fixed), dict[ProjectName, str]()
    for project in (project for project in wanted if project not in fixed):
        chosen, why = await _raise(search, project, pins, chosen)
        pins[project] = wheels_of(chosen)[project].version
        held |= {project: why} if why else {}
    return _newest(chosen, names, held)


async def raise_dependencies(search: Search, chosen: list[Offer], named: Iterable[ProjectName]) -> list[Offer]:
    """Decide on dependencies in the order in which they are found, breadth first, each as new as the former allow.

    Where two exclude each other, the one that is found first is the newer one, unless others had to go far back for it.

    Args:
        search: solves.
        chosen: an answer.
        named: what the spec names, as new as it can be in that answer.
    """
    roots, left = tuple(named), _ATTEMPTS
    decided: dict[ProjectName, Version] = {}
    if all(map(search.is_kept, wheels_of(chosen).values())):
        return chosen
    waiting = deque(_found(search.closure, chosen, roots))
    while waiting:
        project = waiting.popleft()
        if project not in roots and left > 0:
            before = chosen
            chosen, used = await _raise_dependency(search, project, chosen, decided)
            left -= used
            if chosen is not before:
                waiting = deque(p for p in _found(search.closure, chosen, roots) if p not in {*decided, project})
        decided[project] = wheels_of(chosen)[project].version
    return chosen


async def _raise_dependency(
    search: Search, project: ProjectName, chosen: list[Offer], decided: Mapping[ProjectName, Version]
) -> tuple[list[Offer], int]:
    """Make a dependency as new as what was decided before allows; return how many solves that took, too."""
    goal, used = _goal(search, chosen, wheels_of(chosen)[project], decided), 0
    while goal is not None and used <= _STEPS:
        above = {project: wheels_of(chosen)[project].version}
        pins, above = ({**decided, project: goal}, {}) if not used else (decided, above)
        better = await search.find(pins, above=above, budget=PINNED // 8)
        used += 1
        if better is not None and _is_near(search.closure, project, chosen, better):
            chosen = better
            goal = None if wheels_of(chosen)[project].version == goal else goal
        elif used > 1:
            break
    return chosen, used


def _found(closure: WheelClosure, chosen: Sequence[Offer], roots: Iterable[ProjectName]) -> Iterator[ProjectName]:
    """Yield the projects of chosen wheels, breadth first from those that the spec names."""
    offers: dict[ProjectName, list[Offer]] = {}
    for offer in chosen:
        if isinstance(offer.origin, WheelCandidate):
            offers.setdefault(offer.origin.project, []).append(offer)
    waiting, seen = deque(roots), set[ProjectName]()
    while waiting:
        project = waiting.popleft()
        if project in seen or project not in offers:
            continue
        seen.add(project)
        yield project
        for offer in sorted(offers[project], key=lambda offer: offer.extra):
            if isinstance(offer.origin, WheelCandidate):
                waiting += [project_name(r.name) for r in closure.requirements(offer.origin, offer.extra)]


def _goal(
    search: Search, chosen: Sequence[Offer], wheel: WheelCandidate, decided: Mapping[ProjectName, Version]
) -> Version | None:
    """Find the newest release that what was decided before allows; None if that is chosen."""
    listing = search.closure.projects[wheel.project].listing
    if listing is None or search.is_kept(wheel):
        return None
    before = [offer for offer in chosen if isinstance(offer.origin, WheelCandidate) and offer.origin.project in decided]
    demands = search.demands(before).get(wheel.project, ())
    newest = listing.newest(listing.allowing(SpecifierSet(",".join(filter(None, map(str, demands))))))
    return newest if newest is not None and newest > wheel.version else None


def _is_near(closure: WheelClosure, project: ProjectName, chosen: Sequence[Offer], better: Sequence[Offer]) -> bool:
    """Return whether nothing that requires a project goes back by many releases for it."""
    after = wheels_of(better)
    for offer in chosen:
        wheel = offer.origin
        if not isinstance(wheel, WheelCandidate) or wheel.project not in after:
            continue
        requires = {project_name(requirement.name) for requirement in closure.requirements(wheel, offer.extra)}
        listing, now = closure.projects[wheel.project].listing, after[wheel.project].version
        if listing is not None and project in requires and now < wheel.version:
            usable = listing.matching(listing.allowing(SpecifierSet(f"<={wheel.version.public}")))
            if now not in islice(usable, _NEARBY + 1):
                return False
    return True


def accepted(best: Newest, found: Newest) -> Ideal:
    """Add what is older in `found` than without limits of envgen, which only the spec's `allow-older` lets happen."""
    ours, theirs = wheels_of(found.chosen), wheels_of(best.chosen)
    older = {
        project: replace(theirs[project], refused=why)
        for project, why in found.ideal.held.items()
        if project in theirs and theirs[project].version > ours[project].version
    }
    return replace(best.ideal, unusable={**older, **best.ideal.unusable})


def wheels_of(chosen: Sequence[Offer]) -> dict[ProjectName, WheelCandidate]:
    """Map projects to their chosen wheels."""
    return {o.origin.project: o.origin for o in chosen if isinstance(o.origin, WheelCandidate) and not o.extra}


def source_only(chosen: Sequence[Offer]) -> list[tuple[ProjectName, Version]]:
    """List chosen projects and versions of which there is only a source archive, ordered by name."""
    found = wheels_of(chosen)
    return [(project, found[project].version) for project in sorted(found) if found[project].refused == Reason.SDIST]


def _goals(closure: WheelClosure, project: ProjectName) -> tuple[Version, ...]:
    listing = closure.projects[project].listing
    if listing is None:
        return ()
    allowed, kept = listing.allowing(SpecifierSet()), closure.kept(project)
    newest = listing.newest(allowed)
    if kept is not None and kept != newest and kept in listing.matching(allowed):
        return (kept, newest) if newest else (kept,)
    return (newest,) if newest else ()


async def _raise(
    search: Search, project: ProjectName, pins: Mapping[ProjectName, Version], chosen: list[Offer]
) -> tuple[list[Offer], str | None]:
    """Make a project as new as pinned ones allow; say why it is not its newest, where it is not."""
    why = None
    for goal in _goals(search.closure, project):
        if wheels_of(chosen)[project].version == goal:
            return chosen, why
        found = await search.find({**pins, project: goal}, budget=PINNED)
        if found is not None:
            return found, why
        why = await search.conflict()
    while found := await search.find(pins, above={project: wheels_of(chosen)[project].version}, budget=0):
        chosen = found
    return chosen, why


def _newest(chosen: list[Offer], names: Iterable[ProjectName], held: Mapping[ProjectName, str]) -> Newest:
    wheels = wheels_of(chosen)
    found = {project: wheels[project] for project in names if project in wheels}
    unusable = {project: wheel for project, wheel in found.items() if wheel.refused is not None}
    pins = {project: wheel.version for project, wheel in found.items() if wheel.refused is None}
    return Newest(chosen=chosen, pins=pins, ideal=Ideal(held=held, unusable=unusable))
