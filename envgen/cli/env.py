"""`envgen env`: the environments of this machine."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from envgen import ops
from envgen.cli.every_verb import examples
from envgen.cli.options import env_argument, json_option, name_option, prefix_option
from envgen.cli.sizes import counted, human_size
from envgen.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from envgen.cli.console import Console
    from envgen.ops import EnvironmentListing, EnvironmentRemoval, ListedEnvironment

_SHOWN = 5
"""Files that no package brought, and dead entries, that are named; the rest are counted."""


@click.group("env")
def command() -> None:
    """List, remove and rename the environments of this machine."""


@command.command(
    "list", short_help="list those that envgen made", epilog=examples("envgen env list", "envgen env list --json")
)
@json_option
@click.pass_obj
def list_command(console: Console, as_json: bool) -> None:
    """List the environments that envgen made, with the lock and the size of each.

    Entries of ~/.conda/environments.txt that are not environments any more are removed from it.
    """
    listing = ops.list_environments(console.context(anywhere=True))
    if as_json:
        console.json(_as_json(listing))
        return
    columns = ("name", "state", "size", "freed by removal", "lock", "prefix")
    if listing.environments:
        console.table(columns, map(_row, listing.environments), right=columns[2:4])
    else:
        console.say("envgen has made no environment on this machine")
    if listing.others:
        console.say(f"{counted(len(listing.others), 'environment')} of other tools: see `conda env list`")
    if gone := listing.forgotten:
        more = f" and {len(gone) - _SHOWN} more" if len(gone) > _SHOWN else ""
        named = ", ".join(f"`{prefix}`" for prefix in gone[:_SHOWN])
        console.say(f"removed from `environments.txt`, since these environments do not exist: {named}{more}")


@command.command(
    "remove",
    short_help="remove one, with everything in its folder",
    epilog=examples("envgen env remove --name old --yes"),
)
@env_argument
@name_option
@prefix_option
@click.option("-y", "--yes", is_flag=True, help="do not ask")
@json_option
@click.pass_obj
def remove_command(
    console: Console, env: str | None, name: str | None, prefix: Path | None, yes: bool, as_json: bool
) -> None:
    """Remove an environment, with everything in its folder; the lock and the cache stay."""
    place = ops.Place(name=name, prefix=prefix)
    context = console.context(anywhere=place.is_given)
    confirm = (lambda _removal: True) if yes else partial(_ask, console)
    removed = ops.remove_environment(context, env=env, place=place, confirm=confirm)
    if as_json:
        console.json({"removed": str(removed.prefix) if removed else None, "bytes": removed.freed if removed else 0})
    elif removed:
        console.say(f"removed `{removed.prefix}`; {human_size(removed.freed)} freed")
    else:
        console.say("nothing was removed")


@command.command(
    "rename", short_help="rename or move one", epilog=examples("envgen env rename --name train train-2025")
)
@click.argument("new")
@name_option
@prefix_option
@json_option
@click.pass_obj
def rename_command(console: Console, new: str, name: str | None, prefix: Path | None, as_json: bool) -> None:
    """Rename an environment to NEW, which is a path if it has a slash; by default to the name in the project.

    Files that hold the path are rewritten. A shell in which the environment is active has to activate it again.
    """
    place = ops.Place(name=name, prefix=prefix)
    target = ops.rename_environment(console.context(anywhere=place.is_given), env=None, place=place, new=new)
    if as_json:
        console.json({"prefix": str(target)})
    else:
        console.say(f"the environment is now `{target}`")


def _ask(console: Console, removal: EnvironmentRemoval) -> bool:
    if not sys.stdin.isatty():
        raise UsageError(f"removing `{removal.prefix}` must be confirmed, and there is no terminal", hint="add `--yes`")
    console.say(f"{removal.prefix}: {human_size(removal.size)}, {human_size(removal.freed)} of them freed")
    if removal.strangers:
        console.say(f"{counted(len(removal.strangers), 'file')} in it that no package owns, also removed:")
        for path in removal.strangers[:_SHOWN]:
            console.say(f"  {path}")
        if len(removal.strangers) > _SHOWN:
            console.say(f"  and {len(removal.strangers) - _SHOWN} more")
    return click.confirm(f"remove `{removal.prefix}`?", err=True)


def _row(one: ListedEnvironment) -> tuple[str, ...]:
    name = one.name or "-"
    lock = str(one.origin.project / one.origin.lock) if one.origin else "-"
    return (
        f"{name} (active)" if one.active else name,
        str(one.state),
        human_size(one.size),
        human_size(one.own),
        lock,
        str(one.prefix),
    )


def _as_json(listing: EnvironmentListing) -> dict[str, Any]:
    return {
        "environments": [_environment(one) for one in listing.environments],
        "others": [str(prefix) for prefix in listing.others],
        "forgotten": [str(prefix) for prefix in listing.forgotten],
    }


def _environment(one: ListedEnvironment) -> dict[str, Any]:
    origin = one.origin
    return {
        "name": one.name,
        "prefix": str(one.prefix),
        "state": str(one.state),
        "project": str(origin.project) if origin else None,
        "environment": origin.environment if origin else None,
        "lock": origin.lock if origin else None,
        "bytes": one.size,
        "freed": one.own,
        "active": one.active,
    }
