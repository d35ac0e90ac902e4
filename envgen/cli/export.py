"""`envgen export`: locks for other tools."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from envgen.cli.options import env_argument, platform_option
from envgen.errors import UserError
from envgen.export.formats import FORMATS
from envgen.ops import export as ops
from envgen.system.fs import atomic_write

if TYPE_CHECKING:
    from envgen.cli.console import Console
    from envgen.platforms import Platform

_WIDTH = max(map(len, FORMATS))
_LISTED = "\b\n" + "\n".join(f"{one.name:<{_WIDTH}}  {one.summary}" for one in FORMATS.values())


@click.command("export", epilog=f"Formats:\n\n{_LISTED}")
@click.argument("form", metavar="FORMAT", type=click.Choice(list(FORMATS)))
@env_argument
@platform_option("The lock of this platform; formats that hold several take all without.")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write to this file, not to standard output.",
)
@click.option("--offline", is_flag=True, help="Leave licences out that this machine does not know.")
@click.pass_obj
def command(
    console: Console,
    form: str,
    env: str | None,
    platforms: tuple[Platform, ...],
    output: Path | None,
    offline: bool,
) -> None:
    """Write the lock of ENV in another tool's FORMAT."""
    context = console.context()
    exported = ops.export(context, form=FORMATS[form], env=env, platforms=platforms, offline=offline)
    for note in exported.notes:
        console.say(note)
    if output is None:
        console.data(exported.text)
    else:
        _write(context.directory / output, exported.text)


def _write(file: Path, text: str) -> None:
    try:
        atomic_write(file, text)
    except OSError as error:
        raise UserError(f"`{file}` cannot be written: {error.strerror}") from error
