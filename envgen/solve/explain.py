"""Why there is no solution, in the words of the spec: from facts of our own; the solver's own tree stands below."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from envgen.errors import UnsatisfiableError
from envgen.names import CondaName, project_name
from envgen.solve.closure import WheelCandidate
from envgen.solve.conflicts import Propagation, RequirementGraph, edges_of_line
from envgen.solve.encode import key_of
from envgen.solve.reasons import cause_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from envgen.solve.catalogue import Catalogue
    from envgen.solve.conflicts import Edge
    from envgen.solve.encode import Offer
    from envgen.solve.spec_requirements import Line
    from envgen.solve.task import SolveTask

_CONFLICTING = 4
"""Requirements on one name that a message shows."""

_TREE = 24
"""Lines of the solver's tree that a message shows."""


async def explain(
    task: SolveTask, catalogue: Catalogue, lines: Sequence[Line], core: Sequence[Line], tree: str
) -> UnsatisfiableError:
    """Explain.

    Args:
        task: what could not be solved.
        catalogue: what was offered.
        lines: all of the spec that hold for the target.
        core: those of them that conflict, none of which can be left out.
        tree: the solver's own explanation.
    """
    found = Propagation(RequirementGraph(catalogue.offers, core))
    head = f"no set of packages for {task.target.platform} meets the spec"
    edges = _with_lines(_at_odds(found), found.graph, catalogue, lines)
    unmet = [] if len(edges) > 1 else [edge for edge in edges if not found.graph.meeting(edge)]
    if unmet:
        cause = await cause_of(unmet[0], task, catalogue)
        body = [*_chain(found.graph, unmet[0]), f"but {cause.text}"]
        hint = cause.hint or _loosen(found.graph.chain(unmet[0])[:1], core)
    elif edges:
        body = [line for edge in edges for line in (*_chain(found.graph, edge), "")][:-1]
        head += f": `{_shown(edges[0].name, task)}` cannot be one version for all of"
        hint = _loosen([found.graph.chain(edge)[0] for edge in edges], core)
    else:
        head += "; these lines of it conflict"
        body = [f"`{line.text}`" for line in core]
        hint = _loosen([], core)
    if partly := _tried_in_part(catalogue):
        body += ["", f"of {partly} the newest releases were tried, and some older ones"]
    told = _translated(_shortened(tree), catalogue.offers)
    indented = "\n".join(f"  {line}".rstrip() for line in body)
    return UnsatisfiableError(f"{head}:\n{indented}\n\nthe solver says:\n{told}", hint=hint)


def _tried_in_part(catalogue: Catalogue) -> str:
    """Name projects in the way that have older wheels which the search did not look at: no proof, then."""
    found = []
    for project, known in sorted(catalogue.closure.projects.items()):
        if known.listing is not None and known.depth is not None and known.depth.dense:
            asked = [known.listing.allowing(specifiers) for specifiers in known.specifiers.values()]
            if any(version not in known.candidates for each in asked for version in known.listing.matching(each)):
                found.append(f"`{project}`")
    return ", ".join(found)


def _at_odds(found: Propagation) -> list[Edge]:
    """Find the requirements at the bottom of a conflict: one that nothing meets, or several on one name."""
    name = found.wiped
    if name is None:
        return []
    seen: set[str] = set()
    while name not in seen:
        seen.add(name)
        gone = [offer for offer in found.graph.by_name.get(name, ()) if offer in found.why]
        own = [found.why[offer] for offer in gone if found.why[offer].offer is offer]
        others = [found.why[offer] for offer in gone if found.why[offer].offer is not offer]
        if not gone:
            return [edge for edge in _on(found, name) if not found.graph.meeting(edge)][:1]
        if unmet := [edge for edge in own if not found.graph.meeting(edge)]:
            return unmet[:1]
        if not own:
            return _distinct([*others, *_on(found, name)])
        # the newest one went for a requirement of its own: what became of those that would have met it?
        holding = [found.why[offer] for offer in found.graph.meeting(own[0]) if offer in found.why]
        if any(edge.name == own[0].name for edge in holding):
            return _distinct([own[0], *(edge for edge in holding if edge.name == own[0].name)])
        name = own[0].name
    return []


def _with_lines(edges: list[Edge], graph: RequirementGraph, catalogue: Catalogue, lines: Sequence[Line]) -> list[Edge]:
    """Add the lines of the spec to a requirement that nothing meets, if something would but for them.

    Nothing that the spec excludes is ever offered, so the solver cannot tell of them.
    """
    edge = edges[0] if len(edges) == 1 else None
    if edge is None or edge.requirement is None or graph.meeting(edge):
        return edges
    known = catalogue.closure.projects.get(project_name(edge.requirement.name))
    if known is None or known.listing is None or not known.listing.allowing(edge.requirement.specifier).bits:
        return edges
    others = [line for line in lines if line.requirement and line is not edge.line]
    return [edge, *(other for line in others for other in edges_of_line(line) if other.name == edge.name)]


def _on(found: Propagation, name: str) -> Iterator[Edge]:
    """Yield requirements on a name, those of the spec first, then those of packages that remain."""
    yield from (edge for edge in found.graph.lines if edge.name == name)
    for alive in found.alive.values():
        yield from (edge for offer in alive for edge in found.graph.edges[offer] if edge.name == name)


def _distinct(edges: Sequence[Edge]) -> list[Edge]:
    """Leave one requirement of each package, and not too many."""
    return list({edge.source: edge for edge in reversed(edges)}.values())[::-1][:_CONFLICTING]


def _chain(graph: RequirementGraph, edge: Edge) -> list[str]:
    """Say step by step how the spec leads to a requirement."""
    steps = graph.chain(edge)
    lines = [f"`{steps[0].line.text if steps[0].line else ''}` in the spec"]
    for depth, step in enumerate(steps[1:], 1):
        if step.offer is not None:
            asked = str(step.requirement).partition(";")[0].strip() if step.requirement else step.spec
            verb = "allows only" if step.optional else "requires"
            lines.append(f"{'  ' * (depth - 1)}└─ {_title(step.offer)} {verb} `{asked}`")
    return lines


def _title(offer: Offer) -> str:
    if isinstance(offer.origin, WheelCandidate):
        extra = f"[{offer.extra}]" if offer.extra else ""
        return f"{offer.origin.project}{extra} {offer.origin.version}"
    name, version, _ = key_of(offer.record)
    return f"{name} {version}"


def _loosen(roots: Sequence[Edge], core: Sequence[Line]) -> str:
    texts = list(dict.fromkeys(edge.line.text for edge in roots if edge.line)) or [line.text for line in core]
    listed = " or ".join(f"`{text}`" for text in texts)
    return f"loosen or drop {listed}"


def _shown(name: str, task: SolveTask) -> str:
    return task.names.project(CondaName(name)) or name


def _shortened(tree: str) -> str:
    lines = tree.strip().splitlines()
    more = [f"... ({len(lines) - _TREE} more lines)"] if len(lines) > _TREE else []
    return "\n".join([*lines[:_TREE], *more])


def _translated(tree: str, offers: Mapping[str, Sequence[Offer]]) -> str:
    """Write the solver's names of wheels and extras as their authors do."""
    names = {}
    for name, found in offers.items():
        for offer in found[:1]:
            if isinstance(offer.origin, WheelCandidate):
                names[name] = f"{offer.origin.project}[{offer.extra}]" if offer.extra else offer.origin.project
    word = re.compile(r"(?<![\w.-])[a-z0-9_][\w.-]*")
    return word.sub(lambda match: names.get(match[0], match[0]), tree)
