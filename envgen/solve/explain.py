"""Why there is no solution, in the words of the spec: from facts of our own; the solver's own tree stands below."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from envgen.errors import UnsatisfiableError
from envgen.names import CondaName, project_name
from envgen.solve.closure import WheelCandidate
from envgen.solve.conflicts import Propagation, RequirementGraph, edges_of_line
from envgen.solve.encode import key_of
from envgen.solve.hints import (
    SECONDS,
    Hint,
    first_that_helps,
    loosened,
    those_that_help,
    way_to_accept,
    without,
    write_recipes,
)
from envgen.solve.reasons import cause_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from packaging.version import Version

    from envgen.names import ProjectName
    from envgen.solve.catalogue import Catalogue
    from envgen.solve.conflicts import Edge
    from envgen.solve.encode import Offer
    from envgen.solve.hints import Solve
    from envgen.solve.spec_requirements import Line
    from envgen.solve.task import SolveTask

_CONFLICTING = 4
"""Requirements on one name that a message shows."""

_TREE = 24
"""Lines of the solver's tree that a message shows."""


async def explain(  # noqa: PLR0917  facts of one failure
    task: SolveTask,
    catalogue: Catalogue,
    lines: Sequence[Line],
    core: Sequence[Line],
    tree: str,
    solve: Solve,
    *,
    sources: Sequence[tuple[ProjectName, Version]] = (),
) -> UnsatisfiableError:
    """Explain.

    Args:
        task: what could not be solved.
        catalogue: what was offered.
        lines: all of the spec that hold for the target.
        core: those of them that conflict, none of which can be left out.
        tree: the solver's own explanation.
        solve: tries hints.
        sources: what would be built from a source archive if envgen did that, as far as it is known.
    """
    found = Propagation(RequirementGraph(catalogue.offers, core))
    newest = "".join(f", with `{line.name}` {line.newest}" for line in core if line.newest)
    head = f"no set of packages for {task.target.platform} meets the spec{newest}"
    edges = _with_lines(_at_odds(found), found.graph, catalogue, lines)
    unmet = [] if len(edges) > 1 else [edge for edge in edges if not found.graph.meeting(edge)]
    if unmet:
        cause = await cause_of(unmet[0], task, catalogue)
        body = [*_chain(found.graph, unmet[0]), f"but {cause.text}"]
        recipes = write_recipes(task, lines, sources) if len(sources) > 1 else None
        hints = (*([recipes] if recipes else []), *cause.hints)
        roots = found.graph.chain(unmet[0])[:1]
    elif edges:
        body = [line for edge in edges for line in (*_chain(found.graph, edge), "")][:-1]
        head += f": `{_shown(edges[0].name, task)}` cannot be one version for all of"
        hints, roots = (), [found.graph.chain(edge)[0] for edge in edges]
    else:
        head += "; these requirements conflict"
        body = [f"`{line.text}`" for line in core]
        hints, roots = (), []
    if partly := _tried_in_part(catalogue):
        body += ["", f"only the newest and some older releases of {partly} were tried"]
    hint = await _hint(task, hints, roots, core, solve)
    told = _translated(_shortened(tree), catalogue.offers)
    indented = "\n".join(f"  {line}".rstrip() for line in body)
    return UnsatisfiableError(f"{head}:\n{indented}\n\nthe solver says:\n{told}", hint=hint)


async def in_short(task: SolveTask, catalogue: Catalogue, lines: Sequence[Line]) -> str:
    """Return in one line which requirements conflict, each with the chain that leads to it."""
    found = Propagation(RequirementGraph(catalogue.offers, lines))
    edges = _with_lines(_at_odds(found), found.graph, catalogue, lines)
    if not edges:
        return "it conflicts with " + ", ".join(f"`{line.text}`" for line in lines if line.requirement)
    parts = [" -> ".join(_steps(found.graph, edge)) for edge in edges]
    if len(edges) == 1 and not found.graph.meeting(edges[0]):
        parts.append("but " + (await cause_of(edges[0], task, catalogue)).text)
    return "; ".join(parts)


def _steps(graph: RequirementGraph, edge: Edge) -> Iterator[str]:
    first, *steps = graph.chain(edge)
    if not steps or len(steps) > 1:
        yield f"`{first.line.text if first.line else ''}` in the spec"
    for step in steps:
        if step.offer is not None:
            yield f"{_title(step.offer)} {_asking(step)}"


def _asking(edge: Edge) -> str:
    asked = str(edge.requirement).partition(";")[0].strip() if edge.requirement else edge.spec
    return f"{'allows only' if edge.optional else 'requires'} `{asked}`"


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
            return _worst(found.graph, [*others, *_on(found, name)])
        # the newest one went for a requirement of its own: what became of those that would have met it?
        met = found.graph.meeting(own[0])  # a set: in its order, a lock would tell the reason another way each time
        holding = [found.why[o] for o in found.graph.by_name.get(own[0].name, ()) if o in met and o in found.why]
        if any(edge.name == own[0].name for edge in holding):
            return _worst(found.graph, [own[0], *(edge for edge in holding if edge.name == own[0].name)])
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


def _worst(graph: RequirementGraph, edges: Sequence[Edge]) -> list[Edge]:
    """Return of requirements on one name the one that nothing meets, else all of them."""
    return [edge for edge in edges if not graph.meeting(edge)][:1] or _distinct(edges)


def _distinct(edges: Sequence[Edge]) -> list[Edge]:
    """Keep one requirement of each package, up to a limit."""
    return list({edge.source: edge for edge in reversed(edges)}.values())[::-1][:_CONFLICTING]


def _chain(graph: RequirementGraph, edge: Edge) -> list[str]:
    """Return, step by step, how the spec leads to a requirement."""
    steps = graph.chain(edge)
    lines = [f"`{steps[0].line.text if steps[0].line else ''}` in the spec"]
    for depth, step in enumerate(steps[1:], 1):
        if step.offer is not None:
            lines.append(f"{'  ' * (depth - 1)}└─ {_title(step.offer)} {_asking(step)}")
    return lines


def _title(offer: Offer) -> str:
    if isinstance(offer.origin, WheelCandidate):
        extra = f"[{offer.extra}]" if offer.extra else ""
        return f"{offer.origin.project}{extra} {offer.origin.version}"
    name, version, _ = key_of(offer.record)
    return f"{name} {version}"


async def _hint(
    task: SolveTask, hints: Sequence[Hint], roots: Sequence[Edge], core: Sequence[Line], solve: Solve
) -> str | None:
    """Choose what to tell the person to do, of what was tried."""
    if task.trial:
        return None
    ways = [await first_that_helps(hints, solve)]
    if any(line.newest for line in core):
        named = [project_name(requirement.name) for requirement in task.pypi]
        ways.append(await way_to_accept(task, named, solve))
    elif ways == [None]:
        ways.append(await _loosen(task, roots, core, solve))
    return "; or ".join(filter(None, ways)) or None


async def _loosen(task: SolveTask, roots: Sequence[Edge], core: Sequence[Line], solve: Solve) -> str | None:
    """Suggest lines to change, each of which alone is enough; to drop the only one would be no help."""
    lines = list(dict.fromkeys(edge.line for edge in roots if edge.line)) or list(core)
    hints: list[Hint] = []
    for line in lines:
        ways = {"loosen": loosened(task, line), "drop": without(task, line) if len(lines) > 1 else None}
        found = [Hint(text=f"{verb} `{line.text}`", task=changed) for verb, changed in ways.items() if changed]
        hints += await those_that_help(found, solve, enough=1, seconds=SECONDS / len(lines))
    return " or ".join(hint.text for hint in hints) or None


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
