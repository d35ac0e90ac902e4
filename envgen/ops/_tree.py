"""`tree` and `why`: what needs what in a lock, in the words of the spec."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.errors import UserError
from envgen.lock.graph import chains
from envgen.manifest.select import select_several
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

    LockKey = tuple[str, Platform]
    """Environment and platform of a lock."""

_CLOSE = 3
"""Names that are offered for one that is not locked."""


class LockTree(Struct, frozen=True, kw_only=True):
    """What needs what in one lock.

    Attributes:
        graph: of the lock.
        named: packages of the name that was asked for; empty where none was, or the lock has none.
    """

    graph: Graph
    named: tuple[Node, ...] = ()


class Explanation(Struct, frozen=True, kw_only=True):
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
    context: Context, *, envs: Sequence[str] = (), platforms: Sequence[Platform] = (), name: str | None = None
) -> dict[LockKey, LockTree]:
    """Return what needs what in each lock of environments.

    Args:
        context: the world.
        envs: names of the specs; the project's only or default one without.
        platforms: these only; all of the spec without.
        name: of a package to find; one of the locks must have it.

    Raises:
        LockError: a lock is missing or cannot be read.
        UserError: no lock has a package of the name; the hint names the nearest.
    """
    graphs = _graphs(context, envs, platforms)
    named = {} if name is None else _named(graphs, name)
    return {key: LockTree(graph=graph, named=named.get(key, ())) for key, graph in graphs.items()}


def why(
    context: Context, *, name: str, envs: Sequence[str] = (), platforms: Sequence[Platform] = ()
) -> dict[LockKey, tuple[Explanation, ...]]:
    """Return why the packages of a name are locked, for each lock that has them; see `tree`.

    Raises:
        LockError: a lock is missing or cannot be read.
        UserError: no lock has a package of the name; the hint names the nearest.
    """
    graphs = _graphs(context, envs, platforms)
    found = _named(graphs, name)
    return {key: tuple(_explained(graphs[key], node) for node in nodes) for key, nodes in found.items()}


def _graphs(context: Context, envs: Sequence[str], platforms: Sequence[Platform]) -> dict[LockKey, Graph]:
    return {
        (spec.name, platform): lock_graph(context, spec, require_lock(context, spec, platform))
        for spec in select_several(context.root, envs)
        for platform in platforms_of(spec, platforms)
    }


def _named(graphs: Mapping[LockKey, Graph], name: str) -> dict[LockKey, tuple[Node, ...]]:
    found = {key: nodes for key, graph in graphs.items() if (nodes := graph.named(name))}
    if not found:
        known = {node.name for graph in graphs.values() for node in graph.nodes}
        envs, platforms = (list(dict.fromkeys(part)) for part in zip(*graphs, strict=True))
        of = f" of {', '.join(f'`{env}`' for env in envs)}" if len(envs) > 1 else ""
        command = shlex.join(["envgen", "list", *(envs if len(envs) > 1 else ())])
        raise UserError(
            f"`{name}` is not locked for {', '.join(platforms)}{of}",
            hint=nearest(name, known, most=_CLOSE) or f"run `{command}` to show the locked packages",
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
