"""`envgen merge-lock`: git's merge driver for locks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from envgen import ops
from envgen.cli.every_verb import examples
from envgen.cli.options import no_build_option
from envgen.errors import UsageError

if TYPE_CHECKING:
    from envgen.cli.console import Console


@click.command(
    "merge-lock",
    epilog=examples(
        "envgen merge-lock --install",
        "envgen merge-lock",
        remark="As a merge driver, git runs `envgen merge-lock %A %P`: our version, and the path of the lock.",
    ),
)
@click.argument("result", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.argument("path", required=False)
@click.option("--install", is_flag=True, help="configure git to use it in this clone, and write `.gitattributes`")
@no_build_option
@click.pass_obj
def command(console: Console, result: Path | None, path: str | None, install: bool, no_build: bool) -> None:
    """Resolve locks that two branches changed: solve the merged spec, keeping what both sides have locked.

    Without arguments, resolves the locks that a merge left in conflict. As git's merge driver it runs no recipe script.
    """
    if result is None:
        _settle(console, install=install, no_build=no_build)
        return
    if path is None or install:
        raise UsageError(
            "the merge driver takes two arguments: the file with our version, and the path of the lock",
            hint="`envgen merge-lock --install` configures git to call it with `%A %P`",
        )
    place = console.directory / path
    ops.merge_lock(console.context(place.parent.parent), result=console.directory / result, path=f"locks/{place.name}")
    console.say(f"{path}: solved for the merged spec")


def _settle(console: Console, *, install: bool, no_build: bool) -> None:
    context = console.context(no_build=no_build)
    if install:
        line = ops.install_merge_driver(context)
        console.say(f"configured the merge driver in this clone; commit `.gitattributes`, which has the line `{line}`")
        return
    for path in ops.settle_locks(context):
        console.say(f"{path}: solved for the merged spec, and staged")
