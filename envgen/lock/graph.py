"""What needs what in a lock: across wheels, conda packages, recipes and Debian packages, from the spec's words down."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from msgspec import Struct, field

from envgen.lock.adjusted import remarks
from envgen.lock.debian_lock import IMAGE
from envgen.names import CondaName, project_name
from envgen.packages import BuiltPackage, PackageKind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from envgen.lock.debian_lock import DebianLock, DebianPackage
    from envgen.lock.model import Lock
    from envgen.names import NameTable, ProjectName
    from envgen.packages import Package
    from envgen.records import Older


class Node(Struct, frozen=True, kw_only=True, order=True):
    """A locked package.

    Attributes:
        name: project, conda name or Debian's name.
        kind: where it comes from.
        version: as locked.
    """

    name: str
    kind: PackageKind
    version: str


class Need(Struct, frozen=True, kw_only=True, order=True):
    """One end of a requirement.

    Attributes:
        node: the package at that end.
        words: the requirement as its package states it, `sympy>=1.13.3`; of a Debian package, what it is for.
    """

    node: Node
    words: str


class Root(Struct, frozen=True, kw_only=True):
    """What the spec itself asks for.

    Attributes:
        node: the package that meets it.
        words: as the spec has it.
        section: of the spec.
    """

    node: Node
    words: str
    section: str

    @property
    def is_image(self) -> bool:
        """Return whether the base of the image needs it, rather than the environment."""
        return self.section == IMAGE


class Chain(Struct, frozen=True, kw_only=True):
    """A way from the spec to a package: `steps` are the requirements after the root's own."""

    root: Root
    steps: tuple[Need, ...]


class Graph(Struct, frozen=True, kw_only=True):
    """The packages of a lock.

    Attributes:
        nodes: sorted.
        needs: node -> what it requires, sorted.
        roots: in the spec's order.
        remarks: normalised name -> what the spec adjusts of that package, in words.
        stand_ins: project that is not there -> the one that stands for it.
        older: project of a wheel that was not the newest when it was chosen -> what was newer, and why not that.
    """

    nodes: tuple[Node, ...]
    needs: Mapping[Node, tuple[Need, ...]]
    roots: tuple[Root, ...]
    remarks: Mapping[ProjectName, tuple[str, ...]] = field(default_factory=dict)
    stand_ins: Mapping[ProjectName, ProjectName] = field(default_factory=dict)
    older: Mapping[ProjectName, Older] = field(default_factory=dict)

    def inverted(self) -> Mapping[Node, tuple[Need, ...]]:
        """Map each node to who requires it, with the same words."""
        found: dict[Node, list[Need]] = {}
        for node in self.nodes:
            for need in self.needs.get(node, ()):
                found.setdefault(need.node, []).append(Need(node=node, words=need.words))
        return {node: tuple(sorted(needs)) for node, needs in found.items()}

    def named(self, name: str) -> tuple[Node, ...]:
        """Find the packages of a name, however it is spelled; a wheel's project and a conda package may share one.

        A project that another one stands for leads to that.
        """
        wanted = self.stand_ins.get(project_name(name), project_name(name))
        return tuple(node for node in self.nodes if project_name(node.name) == wanted)


class SpecRequirement(Struct, frozen=True, kw_only=True):
    """A requirement of a spec: the conda name that it is about, its words, and the spec's section."""

    name: CondaName
    words: str
    section: str


def graph_of(
    lock: Lock,
    *,
    names: NameTable,
    requirements: Sequence[SpecRequirement] = (),
    debian: DebianLock | None = None,
    listed: Mapping[str, Collection[str]] | None = None,
) -> Graph:
    """Make the graph of a lock.

    Args:
        lock: the lock.
        names: the name table with the spec's own names on top.
        requirements: what the spec asks for on the lock's platform.
        debian: the Debian lock beside it.
        listed: recipe -> Debian packages that it lists itself; the others come along with those.
    """
    builder = _Builder.of(lock, names.substituted(lock.stand_ins), debian, listed or {})
    needs = {node_of(package): tuple(sorted(builder.needs(package))) for package in lock.packages}
    found = (builder.root(requirement) for requirement in requirements)
    image = [Root(node=node, words=words, section=IMAGE) for node, words in builder.debs(IMAGE)]
    return Graph(
        nodes=tuple(sorted({*needs, *map(debian_node, builder.debian)})),
        needs=needs,
        roots=(*(root for root in found if root), *image),
        remarks={project_name(name): lines for name, lines in remarks(lock).items()},
        stand_ins=lock.stand_ins,
        older={older.project: older for older in lock.older},
    )


def chains(graph: Graph, node: Node) -> tuple[Chain, ...]:
    """Find the shortest way to a package from each root that leads to it; among equals the first by name."""
    found = (_shortest(graph, root, node) for root in graph.roots)
    return tuple(chain for chain in found if chain)


def _shortest(graph: Graph, root: Root, node: Node) -> Chain | None:
    came: dict[Node, tuple[Node, Need] | None] = {root.node: None}
    waiting = deque([root.node])
    while waiting and node not in came:
        here = waiting.popleft()
        for need in graph.needs.get(here, ()):
            if need.node not in came:
                came[need.node] = (here, need)
                waiting.append(need.node)
    if node not in came:
        return None
    steps: list[Need] = []
    while (step := came[node]) is not None:
        node, need = step
        steps.append(need)
    return Chain(root=root, steps=tuple(reversed(steps)))


class _Builder(Struct, frozen=True, kw_only=True):
    """Looks names up while a graph is made.

    Attributes:
        names: the name table.
        by_name: conda name -> package, wheels under the name that they are converted to.
        debian: the packages of the Debian lock.
        listed: recipe -> Debian packages that it lists itself.
        mains: recipe -> the package that holds its files.
    """

    names: NameTable
    by_name: Mapping[CondaName, Package]
    debian: Sequence[DebianPackage]
    listed: Mapping[str, Collection[str]]
    mains: Mapping[str, str]

    @classmethod
    def of(
        cls, lock: Lock, names: NameTable, debian: DebianLock | None, listed: Mapping[str, Collection[str]]
    ) -> _Builder:
        return cls(
            names=names,
            by_name={p.conda_name(names): p for p in lock.packages},
            debian=debian.packages if debian else (),
            listed=listed,
            mains=_mains(lock),
        )

    def root(self, requirement: SpecRequirement) -> Root | None:
        """Find the package that a requirement is about; None where the lock is stale."""
        package = self.by_name.get(requirement.name)
        return Root(node=node_of(package), words=requirement.words, section=requirement.section) if package else None

    def needs(self, package: Package) -> Iterator[Need]:
        for name, words in package.depends_on(self.names):
            if found := self.by_name.get(name):
                yield Need(node=node_of(found), words=words)
        if isinstance(package, BuiltPackage) and self.mains[package.recipe] == package.name:
            for node, words in self.debs(package.recipe):
                yield Need(node=node, words=words)

    def debs(self, user: str) -> Iterator[tuple[Node, str]]:
        """Yield the Debian packages of a recipe or of the image, with words for why."""
        for package in self.debian:
            if user in package.used_by:
                yield debian_node(package), self._why(user, package.name)

    def _why(self, user: str, name: str) -> str:
        if user == IMAGE:
            return "in the image base"
        where = f"recipes/{user}/debian.yaml"
        return f"listed in {where}" if name in self.listed.get(user, ()) else f"dependency of a package in {where}"


def node_of(package: Package) -> Node:
    """Name the node of a package."""
    return Node(name=str(package.name), kind=package.kind, version=package.version)


def debian_node(package: DebianPackage) -> Node:
    """Name the node of a Debian package."""
    return Node(name=package.name, kind=PackageKind.DEBIAN, version=package.version)


def _mains(lock: Lock) -> dict[str, str]:
    """Choose for each recipe the package that holds its files: of the recipe's name, else the largest."""
    found: dict[str, str] = {}
    for package in sorted(lock.built, key=lambda p: (p.name == p.recipe, p.size or 0)):
        found[package.recipe] = package.name
    return found
