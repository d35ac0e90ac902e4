"""The graph of a lock of a project, from the words of its spec down to what its recipes list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.lock.debian_lock import IMAGE
from envgen.lock.graph import SpecRequirement, graph_of
from envgen.lock.request import active
from envgen.manifest.values import match_name
from envgen.names import CondaName, project_name
from envgen.project import shipped
from envgen.sources.recipes import listed_packages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envgen.lock.graph import Graph
    from envgen.lock.model import Lock
    from envgen.manifest.env_spec import EnvSpec
    from envgen.names import NameTable
    from envgen.project.context import Context
    from envgen.project.lock_files import LockPair


def lock_graph(context: Context, spec: EnvSpec, pair: LockPair) -> Graph:
    """Build the graph of a lock.

    Raises:
        SpecError: a recipe has faults.
    """
    names = context.names.overridden(spec.names).substituted(pair.lock.stand_ins)
    return graph_of(
        pair.lock,
        names=names,
        requirements=tuple(_requirements(spec, pair.lock, names)),
        debian=pair.debian,
        listed=_listed(context, pair),
    )


def _requirements(spec: EnvSpec, lock: Lock, names: NameTable) -> Iterator[SpecRequirement]:
    """List what the spec asks for on the lock's platform; Python first, which it always asks for."""
    yield SpecRequirement(name=CondaName("python"), words=str(spec.python), section="python")
    for text in spec.dependencies:
        yield SpecRequirement(name=CondaName(match_name(text)), words=text, section="dependencies")
    for requirement in active(spec, lock.target, lock.marker_python):
        name = names.conda_name(project_name(requirement.name))
        yield SpecRequirement(name=name, words=str(requirement), section="pypi")


def _listed(context: Context, pair: LockPair) -> dict[str, tuple[str, ...]]:
    """Read which Debian packages the recipes themselves list; a recipe that is gone lists none."""
    users = {user for package in pair.debian.packages for user in package.used_by} if pair.debian else set()
    if not users - {IMAGE}:
        return {}
    recipes = shipped.recipes(context.root)
    python = str(pair.lock.target.python)
    return {user: listed_packages(recipes[user], python) for user in users & recipes.keys()}
