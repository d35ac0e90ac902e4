"""`envgen shell-hook`: activation for shells on machines without conda."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from envgen.cli.options import env_argument, name_option, prefix_option
from envgen.create.activate import Shell
from envgen.create.place import Place
from envgen.ops import run as ops

if TYPE_CHECKING:
    from pathlib import Path

    from envgen.cli.console import Console


@click.command("shell-hook")
@env_argument
@name_option
@prefix_option
@click.option("--shell", type=click.Choice([str(s) for s in Shell]), default=str(Shell.BASH), show_default=True)
@click.pass_obj
def command(console: Console, env: str | None, name: str | None, prefix: Path | None, shell: str) -> None:
    """Print what a shell evaluates to activate an environment: eval "$(envgen shell-hook)"."""
    place = Place(name=name, prefix=prefix)
    console.data(ops.hook(console.context(anywhere=place.is_given), env=env, place=place, shell=Shell(shell)))
