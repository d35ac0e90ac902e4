"""`envgen tree`: what is locked, below what the spec asks for or above one package."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from envgen import ops
from envgen.cli.every_verb import examples
from envgen.cli.options import complete_packages, environments_argument, json_option, platform_option
from envgen.cli.several import by_environment, titles
from envgen.cli.sizes import counted
from envgen.packages import PackageKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from envgen.cli.console import Console
    from envgen.ops import Graph, LockTree, Need, Node
    from envgen.platforms import Platform

_AGAIN = " (*)"
"""Marks a package whose own requirements stand further up."""


@click.command(
    "tree",
    epilog=examples(
        "envgen tree --depth 1",
        "envgen tree train serve --invert numpy",
        remark="(*) marks a package whose dependencies are already shown above.",
    ),
)
@environments_argument
@platform_option("this platform only; may be repeated")
@click.option("--invert", metavar="NAME", shell_complete=complete_packages, help="show what depends on NAME instead")
@click.option("--depth", type=click.IntRange(min=1), help="show at most this many levels")
@click.option("--debian", is_flag=True, help="also show the Debian packages that recipes are built from")
@click.option("--image", is_flag=True, help="also show the Debian packages of the image base")
@json_option
@click.pass_obj
def command(
    console: Console,
    envs: tuple[str, ...],
    platforms: tuple[Platform, ...],
    invert: str | None,
    depth: int | None,
    debian: bool,
    image: bool,
    as_json: bool,
) -> None:
    """Show the dependency tree of the locks, of several environments one after the other."""
    found = ops.tree(console.context(), envs=envs, platforms=platforms, name=invert)
    trees = {key: tree for key, tree in found.items() if tree.named or not invert}
    if as_json:
        console.json(by_environment({key: _facts(tree) for key, tree in trees.items()}, envs))
        return
    title = titles(found, envs)
    for key, tree in trees.items():
        if len(found) > 1:
            console.data(f"{title[key]}:")
        lines = _inverted(tree) if invert else _below(tree.graph, debian=debian, image=image)
        console.lines(text for level, text in lines if depth is None or level <= depth)


def _below(graph: Graph, *, debian: bool, image: bool) -> Iterator[tuple[int, str]]:
    shown: set[Node] = set()
    needs = graph.needs if debian else {node: _without_debs(node, needs) for node, needs in graph.needs.items()}
    for root in graph.roots:
        if root.is_image and not image:
            continue
        again = _AGAIN if root.node in shown and needs.get(root.node) else ""
        yield 0, f"{_node(root.node)}  [{root.section}: {root.words}]{again}"
        if root.node not in shown:
            yield from ((level, text) for level, text, _ in _lines(needs, root.node, shown))
    debs = {need.node for node, all_ in graph.needs.items() for need in all_ if need not in needs[node]}
    if debs:
        yield 0, f"and {counted(len(debs), 'Debian package')} that recipes are built from (shown with --debian)"
    hidden = [root for root in graph.roots if root.is_image and not image]
    if hidden:
        yield 0, f"and {counted(len(hidden), 'Debian package')} in the image base (shown with --image)"


def _without_debs(node: Node, needs: tuple[Need, ...]) -> tuple[Need, ...]:
    """Leave out the Debian packages of a recipe; below those of the image there is nothing else."""
    return (
        needs
        if node.kind is PackageKind.DEBIAN
        else tuple(need for need in needs if need.node.kind is not PackageKind.DEBIAN)
    )


def _inverted(tree: LockTree) -> Iterator[tuple[int, str]]:
    graph = tree.graph
    above = graph.inverted()
    words: dict[Node, str] = {}
    for root in graph.roots:
        words[root.node] = f"{words.get(root.node, ' ')} [{root.section}: {root.words}]"
    for node in tree.named:
        yield 0, _node(node) + words.get(node, "")
        for level, text, need in _lines(above, node, set()):
            yield level, text + words.get(need.node, "")


def _lines(needs: Mapping[Node, tuple[Need, ...]], start: Node, shown: set[Node]) -> Iterator[tuple[int, str, Need]]:
    """Yield the lines of a tree; `shown` holds across trees what is drawn already."""
    steps = list(walk(needs, start, shown))
    for number, (depth, need, again) in enumerate(steps):
        text = f"{_rails(steps, number, depth)}{_node(need.node)}  {need.words}{_AGAIN if again else ''}"
        yield depth, text, need


def walk(needs: Mapping[Node, tuple[Need, ...]], start: Node, seen: set[Node]) -> Iterator[tuple[int, Need, bool]]:
    """Walk a tree of requirements below a package, depth first.

    Args:
        needs: the tree, in either direction.
        start: where to begin.
        seen: packages whose requirements need not be walked again; those that are walked are added.

    Yields:
        Depth below `start` (from 1), the requirement, and whether its own requirements stand elsewhere already.
    """
    seen.add(start)
    stack = [(1, need) for need in reversed(needs.get(start, ()))]
    while stack:
        depth, need = stack.pop()
        below = needs.get(need.node, ())
        again = need.node in seen and bool(below)
        yield depth, need, again
        if need.node not in seen:
            seen.add(need.node)
            stack += [(depth + 1, deeper) for deeper in reversed(below)]


def _rails(steps: list[tuple[int, Need, bool]], number: int, depth: int) -> str:
    """Return the prefix of a line: a rail for every level on which a sibling follows."""

    def continues(level: int) -> bool:
        later = (step[0] for step in steps[number + 1 :])
        return next((found == level for found in later if found <= level), False)

    rails = ("│   " if continues(level) else "    " for level in range(1, depth))
    return "".join(rails) + ("├── " if continues(depth) else "└── ")


def _node(node: Node) -> str:
    return f"{node.name} {node.version} ({node.kind})"


def _facts(tree: LockTree) -> dict[str, Any]:
    """Return the graph as a flat list, or what requires some packages of it."""
    graph = tree.graph
    if tree.named:
        above = graph.inverted()
        return {"packages": [_package(node, "required-by", above.get(node, ())) for node in tree.named]}
    return {
        "roots": [{"section": r.section, **requirement_json(r.words), "name": r.node.name} for r in graph.roots],
        "packages": [_package(node, "needs", graph.needs.get(node, ())) for node in graph.nodes],
    }


def requirement_json(text: str) -> dict[str, str]:
    """Build the keys of a requirement in JSON: `words` was the name of `requirement` in 0.1, and goes with 0.3."""
    return {"requirement": text, "words": text}


def _package(node: Node, key: str, needs: Sequence[Need]) -> dict[str, Any]:
    return {
        "name": node.name,
        "version": node.version,
        "from": str(node.kind),
        key: [{"name": need.node.name, **requirement_json(need.words)} for need in needs],
    }
