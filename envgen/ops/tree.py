"""`tree` and `why`: what needs what in a lock, in the words of the spec."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.errors import UserError
from envgen.lock.debian_lock import IMAGE
from envgen.lock.graph import Wish, graph_of, nearest_hint
from envgen.lock.request import active
from envgen.manifest.select import select
from envgen.manifest.values import match_name
from envgen.names import CondaName, project_name
from envgen.project import shipped
from envgen.project.lock_files import platforms_of, require_lock
from envgen.sources.recipes import listed_packages

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from envgen.lock.graph import Graph, Node
    from envgen.lock.model import Lock
    from envgen.manifest.env_spec import EnvSpec
    from envgen.names import NameTable
    from envgen.platforms import Platform
    from envgen.project.context import Context
    from envgen.project.lock_files import LockPair


def graphs(context: Context, *, env: str | None, platforms: Sequence[Platform]) -> dict[Platform, Graph]:
    """Make the graph of each lock of an environment.

    Raises:
        LockError: a lock is missing or cannot be read.
    """
    spec = select(context.root, env)
    return {p: _graph(context, spec, require_lock(context, spec, p)) for p in platforms_of(spec, platforms)}


def find(graphs: Mapping[Platform, Graph], name: str) -> dict[Platform, tuple[Node, ...]]:
    """Find the packages of a name on the platforms that have it.

    Raises:
        UserError: none has; the hint names the nearest.
    """
    found = {platform: nodes for platform, graph in graphs.items() if (nodes := graph.named(name))}
    if not found:
        known = {node.name for graph in graphs.values() for node in graph.nodes}
        raise UserError(f"`{name}` is not locked for {', '.join(graphs)}", hint=nearest_hint(name, known))
    return found


def _graph(context: Context, spec: EnvSpec, pair: LockPair) -> Graph:
    names = context.names.overridden(spec.names)
    return graph_of(
        pair.lock,
        names=names,
        wishes=tuple(_wishes(spec, pair.lock, names)),
        debian=pair.debian,
        listed=_listed(context, pair),
    )


def _wishes(spec: EnvSpec, lock: Lock, names: NameTable) -> Iterator[Wish]:
    """List what the spec asks for on the lock's platform; Python first, which it always asks for."""
    yield Wish(name=CondaName("python"), words=str(spec.python), section="python")
    for text in spec.dependencies:
        yield Wish(name=CondaName(match_name(text)), words=text, section="dependencies")
    for requirement in active(spec, lock.target, lock.marker_python):
        name = names.conda_name(project_name(requirement.name))
        yield Wish(name=name, words=str(requirement), section="pypi")


def _listed(context: Context, pair: LockPair) -> dict[str, tuple[str, ...]]:
    """Read which Debian packages the recipes themselves list; a recipe that is gone lists none."""
    users = {user for package in pair.debian.packages for user in package.used_by} if pair.debian else set()
    if not users - {IMAGE}:
        return {}
    recipes = shipped.recipes(context.root)
    return {user: listed_packages(recipes[user]) for user in users & recipes.keys()}
