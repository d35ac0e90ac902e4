"""Which requirements of the offered packages cannot be met together: facts of our own, not the solver's prose."""

from __future__ import annotations

from collections import deque
from functools import lru_cache
from itertools import combinations
from typing import TYPE_CHECKING

from msgspec import Struct
from rattler import MatchSpec
from rattler.exceptions import InvalidMatchSpecError

from envgen.names import project_name
from envgen.solve.closure import WheelCandidate

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping, Sequence

    from packaging.requirements import Requirement

    from envgen.names import ProjectName
    from envgen.solve.encode import Offer
    from envgen.solve.spec_requirements import Line


class Edge(Struct, frozen=True, kw_only=True, eq=False):
    """One requirement: who has it, on which name.

    Attributes:
        line: of the spec, if that has it.
        offer: else the package that has it.
        name: of what is required, as the solver knows it.
        spec: the MatchSpec.
        requirement: what it comes from, if a wheel or a line under `pypi:` has it.
        optional: it holds only if something needs the name (`constrains`).
    """

    line: Line | None = None
    offer: Offer | None = None
    name: str
    spec: str
    requirement: Requirement | None = None
    optional: bool = False

    @property
    def source(self) -> str:
        """Name of the package that has it, or the text of the line."""
        return self.offer.name if self.offer else self.line.text if self.line else ""

    @property
    def source_name(self) -> str | None:
        """Name of the package that has it; None for a line of the spec."""
        return self.offer.name if self.offer else None

    @property
    def project(self) -> ProjectName | None:
        """Return the project whose wheels it requires, if it comes from a wheel or a line under `pypi:`."""
        return project_name(self.requirement.name) if self.requirement else None

    @property
    def is_clash(self) -> bool:
        """Return whether the name table has it: a wheel keeps out what holds the same library under another name."""
        return self.optional and self.offer is not None and isinstance(self.offer.origin, WheelCandidate)


class RequirementGraph:
    """What can be reached from some lines of the spec through offered packages, nearest first.

    Attributes:
        lines: the requirements of the spec.
        edges: offer -> its requirements, for every offer that can be reached.
        parents: offer -> the requirement through which it was reached first.
        by_name: name -> offers of it that can be reached, newest first.
    """

    def __init__(self, offers: Mapping[str, Sequence[Offer]], lines: Iterable[Line]) -> None:
        self.lines = [edge for line in lines for edge in edges_of_line(line)]
        self.edges: dict[Offer, list[Edge]] = {}
        self.parents: dict[Offer, Edge] = {}
        self.by_name: dict[str, list[Offer]] = {}
        self._offers = offers
        self._met: dict[tuple[str, str], frozenset[Offer]] = {}
        queue = deque(self.lines)
        while queue:
            edge = queue.popleft()
            for offer in self._offers.get(edge.name, ()):
                if offer in self.meeting(edge) and offer not in self.parents:
                    self.parents[offer] = edge
                    self.by_name.setdefault(edge.name, []).append(offer)
                    self.edges[offer] = _edges_of_offer(offer)
                    queue.extend(edge for edge in self.edges[offer] if not edge.optional)

    def meeting(self, edge: Edge) -> frozenset[Offer]:
        """Return the offers that meet a requirement."""
        key = (edge.name, edge.spec)
        if key not in self._met:
            spec = _parsed(edge.spec)
            self._met[key] = frozenset(o for o in self._offers.get(edge.name, ()) if spec and spec.matches(o.record))
        return self._met[key]

    def requirers(self, names: Container[str]) -> set[str]:
        """Name the packages that require one of some names."""
        return {edge.source for edges in self.edges.values() for edge in edges if edge.name in names}

    def chain(self, edge: Edge) -> list[Edge]:
        """List the requirements that lead from the spec to this one, this one last."""
        found = [edge]
        while found[0].offer is not None:
            found.insert(0, self.parents[found[0].offer])
        return found


class Propagation:
    """What follows from the lines of the spec without a guess.

    A name that the spec, or every version of a needed package, requires is needed too; of its offers remain those that
    some version of each such package allows. An offer that requires what nothing remaining meets goes as well. Where
    nothing remains of a needed name, that is a conflict, and `why` says how it came about.

    Attributes:
        graph: what is judged.
        alive: name -> offers that remain.
        why: offer that does not remain -> the requirement that excludes it: its own, or one on its name.
    """

    def __init__(self, graph: RequirementGraph) -> None:
        self.graph = graph
        self.alive = {name: dict.fromkeys(offers) for name, offers in graph.by_name.items()}
        self.why: dict[Offer, Edge] = {}
        self._needed: dict[str, str] = {edge.name: "" for edge in graph.lines}
        changed = True
        while changed and self.wiped is None:
            changed = self._narrow([[edge] for edge in graph.lines])
            for name in list(self._needed):
                bound = self._bound(name)
                for edges in bound:
                    self._needed.setdefault(edges[0].name, name)
                changed |= self._narrow(bound)
            changed |= self._drop()

    @property
    def wiped(self) -> str | None:
        """A needed name of which nothing remains, if there is one."""
        return next((name for name in self._needed if not self.alive.get(name)), None)

    def culprits(self) -> list[set[str]]:
        """List names other versions of which may undo the conflict, nearest to the wiped one first.

        An offer that goes for its own requirement calls for another version of itself; so does what excludes the
        offers that would have met it, and what excludes those, and so on.
        """
        rings: list[set[str]] = []
        seen: set[Offer] = set()
        gone = list(self.graph.by_name.get(self.wiped or "", ()))
        while gone := [offer for offer in gone if offer in self.why and offer not in seen]:
            seen.update(gone)
            reasons = [self.why[offer] for offer in gone]
            rings.append({edge.source for edge in reasons})
            gone = [
                other
                for offer, edge in zip(gone, reasons, strict=True)
                for other in (self.graph.meeting(edge) if edge.offer is offer else self._versions(edge.source))
            ]
        return rings

    def involved(self) -> dict[ProjectName, list[Edge]]:
        """Collect the projects from which the conflict follows, with all requirements on each; empty if there is none.

        A project whose wheels go only because the name table has its library under another name, too, is left out:
        other versions of it go for the same reason.
        """
        names: dict[str, None] = {}
        waiting = [self.wiped] if self.wiped else []
        while waiting:
            name = waiting.pop()
            if name in names:
                continue
            names[name] = None
            reasons = [self.why[offer] for offer in self._versions(name) if offer in self.why]
            waiting += filter(
                None, [self._needed.get(name), *(part for e in reasons for part in (e.source_name, e.name))]
            )
        found = _projects(self.graph, {name for name in names if not self._is_clash(name)})
        edges = [edge for edges in (self.graph.lines, *self.graph.edges.values()) for edge in edges]
        return {project: [edge for edge in edges if edge.project == project] for project in sorted(found)}

    def _is_clash(self, name: str) -> bool:
        gone = [self.why.get(offer) for offer in self._versions(name)]
        return bool(gone) and all(edge is not None and edge.is_clash for edge in gone)

    def _versions(self, name: str) -> list[Offer]:
        return self.graph.by_name.get(name, [])

    def _bound(self, name: str) -> list[list[Edge]]:
        """Group what remaining versions of a package require by name, where every one of them requires it."""
        alive = self.alive.get(name, {})
        found: dict[str, list[Edge]] = {}
        for offer in alive:
            for edge in self.graph.edges[offer]:
                if not edge.optional:
                    found.setdefault(edge.name, []).append(edge)
        return [edges for edges in found.values() if len({edge.offer for edge in edges}) == len(alive)]

    def _narrow(self, groups: Iterable[list[Edge]]) -> bool:
        """Keep of each required name what one of the given requirements allows; return whether one was removed."""
        before = len(self.why)
        for edges in groups:
            allowed = {offer for edge in edges for offer in self.graph.meeting(edge)}
            for offer in [o for o in self.alive.get(edges[0].name, ()) if o not in allowed]:
                self._remove(offer, edges[0])
        return len(self.why) > before

    def _drop(self) -> bool:
        """Remove offers one of whose own requirements nothing remaining meets; return whether something went."""
        before = len(self.why)
        for offer in [offer for alive in self.alive.values() for offer in alive]:
            for edge in self.graph.edges[offer]:
                if edge.optional and edge.name not in self._needed:
                    continue
                if self.graph.meeting(edge).isdisjoint(self.alive.get(edge.name, ())):
                    self._remove(offer, edge)
                    break
        return len(self.why) > before

    def _remove(self, offer: Offer, edge: Edge) -> None:
        self.alive[offer.name].pop(offer)
        self.why[offer] = edge


def suspects(graph: RequirementGraph) -> list[set[ProjectName]]:
    """List projects whose older wheels may resolve a conflict, the likeliest first.

    Those through which plain consequences of the spec exclude each other; then whatever has a requirement that some
    other one clashes with, or that nothing meets; then who requires the former, and so on upward.
    """
    rings = Propagation(graph).culprits()
    seen = set[str]().union(*rings)
    rings.append(_clashing(graph))
    while ring := graph.requirers(seen) - seen:
        rings.append(ring)
        seen |= ring
    return [_projects(graph, names) for names in rings]


def _clashing(graph: RequirementGraph) -> set[str]:
    """Name packages that have a requirement which another package's requirement on the name excludes."""
    by_name: dict[str, dict[frozenset[Offer], set[str]]] = {}
    for edges in (graph.lines, *graph.edges.values()):
        for edge in edges:
            by_name.setdefault(edge.name, {}).setdefault(graph.meeting(edge), set()).add(edge.source)
    found = set[str]()
    for sources in by_name.values():
        found |= sources.get(frozenset(), set())
        for one, other in combinations(sources, 2):
            if one.isdisjoint(other):
                found |= sources[one] | sources[other]
    return found


def _projects(graph: RequirementGraph, names: set[str]) -> set[ProjectName]:
    origins = [offer.origin for name in names for offer in graph.by_name.get(name, ())]
    return {origin.project for origin in origins if isinstance(origin, WheelCandidate)}


def edges_of_line(line: Line) -> list[Edge]:
    """List what a line of the spec requires."""
    return [Edge(line=line, name=_name(spec), spec=spec, requirement=line.requirement) for spec in line.specs]


def _edges_of_offer(offer: Offer) -> list[Edge]:
    depends = offer.record.depends
    return [
        *(Edge(offer=offer, name=_name(spec), spec=spec, requirement=offer.asks.get(spec)) for spec in depends),
        *(Edge(offer=offer, name=_name(spec), spec=spec, optional=True) for spec in offer.record.constrains),
    ]


@lru_cache(maxsize=1 << 16)
def _parsed(spec: str) -> MatchSpec | None:
    """Parse a MatchSpec; None where it is not one: the solver passes over a channel's record with such a dependency."""
    try:
        return MatchSpec(spec)
    except InvalidMatchSpecError:
        return None


@lru_cache(maxsize=1 << 16)
def _name(spec: str) -> str:
    # of a MatchSpec's many forms (`name >=1`, `name>=1`, `channel::name[version=...]`) most have the name first
    parsed = _parsed(spec)
    name = parsed.name if parsed else None
    return name.normalized if name else spec
