"""`envgen why`: the ways from the spec to a package."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from envgen.cli.options import complete_packages, env_argument, json_option, platform_option
from envgen.lock.graph import chains
from envgen.ops import tree as ops
from envgen.packages import PackageKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envgen.cli.console import Console
    from envgen.lock.graph import Chain, Graph, Need, Node
    from envgen.platforms import Platform


@click.command("why")
@click.argument("name", shell_complete=complete_packages)
@env_argument
@platform_option("This platform only; give it several times for several.")
@json_option
@click.pass_obj
def command(console: Console, name: str, env: str | None, platforms: tuple[Platform, ...], as_json: bool) -> None:
    """Say why NAME is locked: the shortest chain of requirements from each line of the spec that leads to it."""
    graphs = ops.graphs(console.context(), env=env, platforms=platforms)
    found = ops.find(graphs, name)
    if as_json:
        console.json({str(platform): [_facts(graphs[platform], n) for n in nodes] for platform, nodes in found.items()})
        return
    for platform, nodes in found.items():
        for node in nodes:
            console.data(f"{platform}: {node.name} {node.version} ({node.kind})")
            console.data("\n".join(_lines(graphs[platform], node)))


def _lines(graph: Graph, node: Node) -> Iterator[str]:
    every = chains(graph, node)
    for chain in every:
        yield f"  {chain.root.section}: {chain.root.words}"
        for depth, step in enumerate(chain.steps, start=1):
            yield f"  {'   ' * depth}└ {_step(step)} → {step.node.version}"
    if not every:
        yield (
            "  wheels that are compiled for one Python need it"
            if node.name == "python_abi"
            else "  nothing asks for it"
        )
    users = graph.inverted().get(node, ())
    if len(users) > 1:
        yield f"  required by {len(users)}: {', '.join(need.node.name for need in users)}"


def _step(need: Need) -> str:
    return f"{need.node.name}, {need.words}" if need.node.kind is PackageKind.DEBIAN else need.words


def _facts(graph: Graph, node: Node) -> dict[str, Any]:
    return {
        "name": node.name,
        "version": node.version,
        "from": str(node.kind),
        "chains": [_chain(chain) for chain in chains(graph, node)],
        "required-by": [{"name": n.node.name, "words": n.words} for n in graph.inverted().get(node, ())],
    }


def _chain(chain: Chain) -> dict[str, Any]:
    return {
        "section": chain.root.section,
        "words": chain.root.words,
        "steps": [{"name": s.node.name, "version": s.node.version, "words": s.words} for s in chain.steps],
    }
