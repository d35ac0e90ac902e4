"""`envgen add`: requirements come into a spec."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from envgen import ops
from envgen.cli.edit import edit_options, tell_edit
from envgen.cli.every_verb import examples

if TYPE_CHECKING:
    from pathlib import Path

    from envgen.cli.console import Console


@click.command("add", epilog=examples('envgen add "torchvision <0.24" einops', "envgen add --env train numpy"))
@click.argument("requirements", metavar="REQUIREMENT...", nargs=-1, required=True)
@click.option("--conda", is_flag=True, help="REQUIREMENT is a conda package (MatchSpec), of a channel or a recipe")
@edit_options()
@click.pass_obj
def command(
    console: Console,
    requirements: tuple[str, ...],
    conda: bool,
    env: str | None,
    dry_run: bool,
    no_build: bool,
    offline: bool,
    bundles: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Add each REQUIREMENT to a spec, and lock it.

    It is a wheel (as pip writes it), unless a recipe has that name or --conda is given. The rest of the file keeps its
    comments and layout. If the solve fails, nothing is written.
    """
    context = console.context(no_build=no_build, offline=offline, bundles=bundles)
    edit = ops.add(context, requirements, ops.EditOptions(env=env, conda=conda, dry_run=dry_run))
    tell_edit(console, edit, dry_run=dry_run, as_json=as_json)
