"""`envgen merge-lock`: git's merge driver for locks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from envgen import ops
from envgen.errors import UsageError

if TYPE_CHECKING:
    from envgen.cli.console import Console


@click.command("merge-lock", epilog="Git calls it with the file that holds our version, and the lock's path: %A %P.")
@click.argument("result", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.argument("path", required=False)
@click.option("--install", is_flag=True, help="Make git use it in this clone, and write `.gitattributes`.")
@click.pass_obj
def command(console: Console, result: Path | None, path: str | None, install: bool) -> None:
    """Settle locks that two branches changed: solve the merged spec again, keeping what both sides have locked.

    Without arguments, settle the locks that a merge left in conflict.
    """
    if result is None:
        _settle(console, install=install)
        return
    if path is None or install:
        raise UsageError("git's merge driver takes two arguments", hint="envgen merge-lock %A %P")
    place = console.directory / path
    ops.merge_lock(console.context(place.parent.parent), result=console.directory / result, path=f"locks/{place.name}")
    console.say(f"{path}: solved again for the merged spec")


def _settle(console: Console, *, install: bool) -> None:
    context = console.context()
    if install:
        line = ops.install_merge_driver(context)
        console.say(f"git merges locks through envgen in this clone; commit `.gitattributes`, which says `{line}`")
        return
    for path in ops.settle_locks(context):
        console.say(f"{path}: solved again for the merged spec, and staged")
