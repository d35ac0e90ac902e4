"""`envgen shell-hook`: activation for shells on machines without conda."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from envgen import ops
from envgen.cli.every_verb import examples
from envgen.cli.options import env_argument, name_option, prefix_option

if TYPE_CHECKING:
    from pathlib import Path

    from envgen.cli.console import Console


@click.command(
    "shell-hook", epilog=examples('eval "$(envgen shell-hook)"', "envgen shell-hook train --shell fish | source")
)
@env_argument
@name_option
@prefix_option
@click.option(
    "--shell",
    type=click.Choice([str(s) for s in ops.Shell]),
    default=str(ops.Shell.BASH),
    show_default=True,
    help="shell that evaluates the code",
)
@click.pass_obj
def command(console: Console, env: str | None, name: str | None, prefix: Path | None, shell: str) -> None:
    """Print shell code that activates an environment: eval "$(envgen shell-hook)".

    The function `deactivate` takes it back: every variable has the value that it had before.
    """
    place = ops.Place(name=name, prefix=prefix)
    console.verbatim(
        ops.shell_hook(console.context(anywhere=place.is_given), env=env, place=place, shell=ops.Shell(shell))
    )
