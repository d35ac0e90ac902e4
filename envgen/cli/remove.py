"""`envgen remove`: requirements leave a spec."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from envgen import ops
from envgen.cli.edit import edit_options, tell_edit
from envgen.cli.every_verb import examples
from envgen.cli.options import complete_packages

if TYPE_CHECKING:
    from pathlib import Path

    from envgen.cli.console import Console


@click.command("remove", epilog=examples("envgen remove einops"))
@click.argument("names", metavar="NAME...", nargs=-1, required=True, shell_complete=complete_packages)
@edit_options()
@click.pass_obj
def command(
    console: Console,
    names: tuple[str, ...],
    env: str | None,
    dry_run: bool,
    no_build: bool,
    offline: bool,
    bundles: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Remove each NAME from the requirements of a spec, and lock it.

    The rest of the file keeps its comments and layout. If the solve fails, nothing is written.
    """
    context = console.context(no_build=no_build, offline=offline, bundles=bundles)
    edit = ops.remove(context, names, ops.EditOptions(env=env, dry_run=dry_run))
    tell_edit(console, edit, dry_run=dry_run, as_json=as_json)
