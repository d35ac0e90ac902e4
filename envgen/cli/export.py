"""`envgen export`: locks for other tools."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from envgen import ops
from envgen.cli.every_verb import examples
from envgen.cli.options import bundle_option, env_argument, offline_option, platform_option

if TYPE_CHECKING:
    from envgen.cli.console import Console
    from envgen.platforms import Platform

_WIDTH = max(map(len, ops.FORMATS))
_LISTED = "\b\n" + "\n".join(f"{one.name:<{_WIDTH}}  {one.summary}" for one in ops.FORMATS.values())

_EXAMPLES = ("envgen export conda-lock -o conda-lock.yml", "envgen export cyclonedx train > train.cdx.json")


@click.command("export", epilog=examples(*_EXAMPLES, remark=f"Formats:\n\n{_LISTED}"))
@click.argument("form", metavar="FORMAT", type=click.Choice(list(ops.FORMATS)))
@env_argument
@platform_option("export this platform; default: all where the format can hold several")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="write to this file instead of standard output",
)
@click.option(
    "--nars",
    metavar="FOLDER",
    type=click.Path(file_okay=False, path_type=Path),
    help="for `nix`: write the environment, at the image's prefix, as an archive into this folder",
)
@click.option(
    "--image", is_flag=True, help="for `nix`, with --nars: also write the image, as the archive of an OCI layout"
)
@click.option("--flake", is_flag=True, help="for `nix`: write a flake")
@offline_option
@bundle_option
@click.pass_obj
def command(
    console: Console,
    form: str,
    env: str | None,
    platforms: tuple[Platform, ...],
    output: Path | None,
    nars: Path | None,
    image: bool,
    flake: bool,
    offline: bool,
    bundles: tuple[Path, ...],
) -> None:
    """Write the lock of ENV in another tool's FORMAT.

    With --offline, addresses come from pages of the index that are in the cache, and licences that are not known here
    are left out.
    """
    options = ops.ExportOptions(
        form=form, env=env, platforms=platforms, offline=offline, output=output, nars=nars, image=image, flake=flake
    )
    exported = ops.export(console.context(offline=offline, bundles=bundles), options)
    for note in exported.notes:
        console.say(note)
    if output is None:
        console.verbatim(exported.text)
