"""`envgen why`: the ways from the spec to a package."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from envgen import ops
from envgen.cli.every_verb import examples
from envgen.cli.older import in_words, older_json
from envgen.cli.options import complete_packages, environments_argument, json_option, platform_option
from envgen.cli.several import by_environment, titles
from envgen.cli.tree import requirement_json
from envgen.packages import PackageKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envgen.cli.console import Console
    from envgen.ops import Chain, Explanation, Need
    from envgen.platforms import Platform


@click.command("why", epilog=examples("envgen why numpy", "envgen why numpy train serve --json"))
@click.argument("name", shell_complete=complete_packages)
@environments_argument
@platform_option("this platform only; may be repeated")
@json_option
@click.pass_obj
def command(console: Console, name: str, envs: tuple[str, ...], platforms: tuple[Platform, ...], as_json: bool) -> None:
    """Show why NAME is locked: the shortest chain of requirements from each line of the spec that leads to it."""
    found = ops.why(console.context(), name=name, envs=envs, platforms=platforms)
    if as_json:
        facts = {key: [_facts(one) for one in explained] for key, explained in found.items()}
        console.json(by_environment(facts, envs))
        return
    title = titles(found, envs)
    for key, explained in found.items():
        for one in explained:
            console.data(f"{title[key]}: {one.node.name} {one.node.version} ({one.node.kind})")
            console.lines(_lines(one))
    for env in dict.fromkeys(envs):
        if env not in {environment for environment, _ in found}:
            console.say(f"`{name}` is not locked in `{env}`")


def _lines(explained: Explanation) -> Iterator[str]:
    for chain in explained.chains:
        yield f"  {chain.root.section}: {chain.root.words}"
        for depth, step in enumerate(chain.steps, start=1):
            yield f"  {'   ' * depth}└ {_step(step)} → {step.node.version}"
    if not explained.chains:
        yield (
            "  required by wheels that are compiled for one version of Python"
            if explained.node.name == "python_abi"
            else "  not required by the spec or another package"
        )
    if explained.older:
        yield f"  {in_words(explained.older)}"
    yield from (f"  {line}" for line in explained.adjustments)
    users = explained.required_by
    if len(users) > 1:
        yield f"  required by {len(users)}: {', '.join(need.node.name for need in users)}"


def _step(need: Need) -> str:
    return f"{need.node.name}, {need.words}" if need.node.kind is PackageKind.DEBIAN else need.words


def _facts(explained: Explanation) -> dict[str, Any]:
    node = explained.node
    return {
        "name": node.name,
        "version": node.version,
        "from": str(node.kind),
        "chains": [_chain(chain) for chain in explained.chains],
        "adjustments": list(explained.adjustments),
        "older": older_json(explained.older) if explained.older else None,
        "required-by": [{"name": n.node.name, **requirement_json(n.words)} for n in explained.required_by],
    }


def _chain(chain: Chain) -> dict[str, Any]:
    return {
        "section": chain.root.section,
        **requirement_json(chain.root.words),
        "steps": [{"name": s.node.name, "version": s.node.version, **requirement_json(s.words)} for s in chain.steps],
    }
