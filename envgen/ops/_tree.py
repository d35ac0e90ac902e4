"""`tree` and `why`: what needs what in a lock, in the words of the spec."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from envgen.errors import UserError
from envgen.lock.graph import chains
from envgen.manifest.select import select
from envgen.names import project_name
from envgen.packages import PackageKind
from envgen.project.lock_files import platforms_of, require_lock
from envgen.project.lock_graph import lock_graph
from envgen.suggest import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from envgen.lock.graph import Chain, Graph, Need, Node
    from envgen.platforms import Platform
    from envgen.project.context import Context
    from envgen.records import Older

_CLOSE = 3
"""Names that are offered for one that is not locked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockTree:
    """What needs what in one lock.

    Attributes:
        graph: of the lock.
        named: packages of the name that was asked for; empty where none was, or the lock has none.
    """

    graph: Graph
    named: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why one package is locked.

    Attributes:
        node: the package.
        chains: the shortest way to it from each line of the spec that leads to it.
        required_by: the packages that require it, sorted.
        adjustments: what the spec says against its requirements, and what it stands for, a line each.
        older: what was newer when it was chosen, and why that was not; None where it was the newest.
    """

    node: Node
    chains: tuple[Chain, ...]
    required_by: tuple[Need, ...]
    adjustments: tuple[str, ...] = ()
    older: Older | None = None


def tree(
    context: Context, *, env: str | None = None, platforms: Sequence[Platform] = (), name: str | None = None
) -> dict[Platform, LockTree]:
    """Return what needs what in each lock of an environment.

    Args:
        context: the world.
        env: name of the spec, or None for the project's only or default one.
        platforms: these only; all of the spec without.
        name: of a package to find; it must be locked on one of the platforms.

    Raises:
        LockError: a lock is missing or cannot be read.
        UserError: no lock has a package of the name; the hint names the nearest.
    """
    graphs = _graphs(context, env=env, platforms=platforms)
    named = {} if name is None else _named(graphs, name)
    return {platform: LockTree(graph=graph, named=named.get(platform, ())) for platform, graph in graphs.items()}


def why(
    context: Context, *, name: str, env: str | None = None, platforms: Sequence[Platform] = ()
) -> dict[Platform, tuple[Explanation, ...]]:
    """Return why the packages of a name are locked, on each platform that has them.

    Raises:
        LockError: a lock is missing or cannot be read.
        UserError: no lock has a package of the name; the hint names the nearest.
    """
    graphs = _graphs(context, env=env, platforms=platforms)
    found = _named(graphs, name)
    return {platform: tuple(_explained(graphs[platform], node) for node in nodes) for platform, nodes in found.items()}


def _graphs(context: Context, *, env: str | None, platforms: Sequence[Platform]) -> dict[Platform, Graph]:
    spec = select(context.root, env)
    return {p: lock_graph(context, spec, require_lock(context, spec, p)) for p in platforms_of(spec, platforms)}


def _named(graphs: Mapping[Platform, Graph], name: str) -> dict[Platform, tuple[Node, ...]]:
    found = {platform: nodes for platform, graph in graphs.items() if (nodes := graph.named(name))}
    if not found:
        known = {node.name for graph in graphs.values() for node in graph.nodes}
        raise UserError(
            f"`{name}` is not locked for {', '.join(graphs)}",
            hint=nearest(name, known, most=_CLOSE) or "run `envgen list` to show the locked packages",
        )
    return found


def _explained(graph: Graph, node: Node) -> Explanation:
    return Explanation(
        node=node,
        chains=chains(graph, node),
        required_by=graph.inverted().get(node, ()),
        adjustments=tuple(graph.remarks.get(project_name(node.name), ())),
        older=graph.older.get(project_name(node.name)) if node.kind is PackageKind.WHEEL else None,
    )
