from __future__ import annotations

from envgen.cli.tree import walk
from envgen.debs import Deb, DebianArea
from envgen.lock.debian_lock import IMAGE, DebianLock
from envgen.lock.graph import Graph, Need, Node, Root, SpecRequirement, chains, graph_of
from envgen.names import CondaName
from envgen.packages import PackageKind
from envgen.platforms import Platform
from tests.unit.lock import samples

REQUIREMENTS = (
    SpecRequirement(name=CondaName("python"), words="3.11", section="python"),
    SpecRequirement(name=CondaName("graphviz"), words="graphviz >=9", section="dependencies"),
    SpecRequirement(name=CondaName("pytorch"), words="torch==2.8.0", section="pypi"),
    SpecRequirement(name=CondaName("nowhere"), words="nowhere", section="pypi"),
)


def deb(name: str) -> Deb:
    return Deb(
        name=name,
        version="1-1",
        architecture="amd64",
        archive=DebianArea.DEBIAN,
        path=f"pool/main/{name[0]}/{name}/{name}.deb",
        sha256=samples.digest(name),
        size=1,
    )


def graph() -> Graph:
    debian = DebianLock.of_uses(
        environment="sample",
        platform=Platform.LINUX_64,
        suites=["bookworm"],
        uses={"python": [deb("python3.11"), deb("libffi8")], IMAGE: [deb("libc6")]},
    )
    return graph_of(
        samples.lock(), names=samples.NAMES, requirements=REQUIREMENTS, debian=debian, listed={"python": ["python3.11"]}
    )


def node(name: str) -> Node:
    (found,) = graph().named(name)
    return found


def ways(name: str) -> list[tuple[str, list[str]]]:
    return [(chain.root.words, [step.words for step in chain.steps]) for chain in chains(graph(), node(name))]


def test_nodes_say_where_they_come_from() -> None:
    kinds = {n.name: n.kind for n in graph().nodes}
    assert kinds["torch"] is PackageKind.WHEEL
    assert kinds["numpy"] is PackageKind.CHANNEL
    assert kinds["python"] is PackageKind.RECIPE
    assert kinds["libffi8"] is PackageKind.DEBIAN


def test_roots_are_the_specs_words_and_the_image() -> None:
    assert [(root.section, root.words, root.node.name) for root in graph().roots] == [
        ("python", "3.11", "python"),
        ("dependencies", "graphviz >=9", "graphviz"),
        ("pypi", "torch==2.8.0", "torch"),
        ("image", "in the image base", "libc6"),
    ]


def test_chain_goes_through_wheels_and_channels() -> None:
    assert ways("sympy") == [("torch==2.8.0", ["sympy!=1.13,>=1.12"])]
    assert ways("numpy") == [("torch==2.8.0", ["numpy>=1.26"])]


def test_chain_goes_from_python_to_debian() -> None:
    assert ways("libffi8")[0] == ("3.11", ["dependency of a package in recipes/python/debian.yaml"])
    assert ways("python3.11")[0] == ("3.11", ["listed in recipes/python/debian.yaml"])
    assert ways("libffi8")[1][0] == "torch==2.8.0"


def test_chain_of_a_root_is_itself() -> None:
    assert ("torch==2.8.0", []) in ways("torch")


def test_nothing_leads_to_what_only_wheels_need_silently() -> None:
    assert ways("jsonschema") == []


def test_names_are_found_however_they_are_spelled() -> None:
    assert node("Python_ABI").name == "python_abi"
    assert graph().named("spam") == ()


def test_inverted_keeps_the_words() -> None:
    assert graph().inverted()[node("sympy")] == (Need(node=node("torch"), words="sympy!=1.13,>=1.12"),)


def small(**needs: str) -> tuple[Graph, dict[str, Node]]:
    """Make a graph of one-letter packages: `a="bc"` says that a needs b and c."""
    nodes = {
        name: Node(name=name, kind=PackageKind.WHEEL, version="1")
        for name in sorted({*needs, *"".join(needs.values())})
    }
    edges = {nodes[n]: tuple(Need(node=nodes[x], words=x) for x in below) for n, below in needs.items()}
    roots = (Root(node=nodes["a"], words="a", section="pypi"),)
    return Graph(nodes=tuple(nodes.values()), needs=edges, roots=roots), nodes


def test_walk_shows_a_subtree_once() -> None:
    found, nodes = small(a="bc", b="d", c="b", d="e")
    steps = [(depth, need.words, again) for depth, need, again in walk(found.needs, nodes["a"], set())]
    assert steps == [(1, "b", False), (2, "d", False), (3, "e", False), (1, "c", False), (2, "b", True)]


def test_walk_ends_on_a_circle() -> None:
    found, nodes = small(a="b", b="a")
    steps = [(depth, need.words, again) for depth, need, again in walk(found.needs, nodes["a"], set())]
    assert steps == [(1, "b", False), (2, "a", True)]


def test_chain_is_the_shortest() -> None:
    found, nodes = small(a="bc", b="d", c="e", d="e", e="f")
    (chain,) = chains(found, nodes["f"])
    assert [step.words for step in chain.steps] == ["c", "e", "f"]
