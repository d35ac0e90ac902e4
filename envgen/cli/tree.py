"""`envgen tree`: what is locked, below what the spec asks for or above one package."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from envgen.cli.options import env_argument, platform_option
from envgen.lock.graph import walk
from envgen.ops import graph as ops

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from envgen.cli.console import Console
    from envgen.lock.graph import Graph, Need, Node
    from envgen.platforms import Platform

_AGAIN = " (*)"
"""Marks a package whose own requirements stand further up."""


@click.command("tree", epilog="(*) marks a package whose own requirements stand further up already.")
@env_argument
@platform_option("This platform only; give it several times for several.")
@click.option("--invert", metavar="NAME", help="Show what needs NAME instead, up to the spec.")
@click.option("--depth", type=click.IntRange(min=1), help="Stop at this depth.")
@click.pass_obj
def command(
    console: Console, env: str | None, platforms: tuple[Platform, ...], invert: str | None, depth: int | None
) -> None:
    """Show what needs what in the locks."""
    graphs = ops.graphs(console.context(), env=env, platforms=platforms)
    named = ops.find(graphs, invert) if invert else dict.fromkeys(graphs, ())
    for platform, nodes in named.items():
        if len(graphs) > 1:
            console.data(f"{platform}:")
        lines = _inverted(graphs[platform], nodes) if invert else _below(graphs[platform])
        console.data("\n".join(text for level, text in lines if depth is None or level <= depth))


def _below(graph: Graph) -> Iterator[tuple[int, str]]:
    shown: set[Node] = set()
    for root in graph.roots:
        again = _AGAIN if root.node in shown and graph.needs.get(root.node) else ""
        yield 0, f"{_node(root.node)}  [{root.section}: {root.words}]{again}"
        if root.node not in shown:
            yield from ((level, text) for level, text, _ in _lines(graph.needs, root.node, shown))


def _inverted(graph: Graph, nodes: Sequence[Node]) -> Iterator[tuple[int, str]]:
    above = graph.inverted()
    words = {root.node: f"  [{root.section}: {root.words}]" for root in graph.roots}
    for node in nodes:
        yield 0, _node(node) + words.get(node, "")
        for level, text, need in _lines(above, node, set()):
            yield level, text + words.get(need.node, "")


def _lines(needs: Mapping[Node, tuple[Need, ...]], start: Node, shown: set[Node]) -> Iterator[tuple[int, str, Need]]:
    """Draw what `walk` finds; `shown` remembers across trees what needs no second drawing."""
    steps = list(walk(needs, start, shown))
    for number, (depth, need, again) in enumerate(steps):
        text = f"{_rails(steps, number, depth)}{_node(need.node)}  {need.words}{_AGAIN if again else ''}"
        yield depth, text, need


def _rails(steps: list[tuple[int, Need, bool]], number: int, depth: int) -> str:
    """Draw what stands before a line: a rail for every level on which a sibling is still to come."""

    def continues(level: int) -> bool:
        later = (step[0] for step in steps[number + 1 :])
        return next((found == level for found in later if found <= level), False)

    rails = ("│   " if continues(level) else "    " for level in range(1, depth))
    return "".join(rails) + ("├── " if continues(depth) else "└── ")


def _node(node: Node) -> str:
    return f"{node.name} {node.version} ({node.kind})"
