"""`envgen build`: archives for a channel."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from envgen import ops
from envgen.cli.every_verb import examples
from envgen.cli.options import env_argument, json_option, no_build_option, offline_option, platform_option
from envgen.cli.published import show_published

if TYPE_CHECKING:
    from envgen.cli.console import Console
    from envgen.platforms import Platform


@click.command("build", epilog=examples("envgen build", "envgen build train --channel ./channel"))
@env_argument
@platform_option("build for this platform; may be repeated; default: this machine's")
@click.option(
    "--channel",
    type=click.Path(file_okay=False, path_type=Path),
    help="folder of the channel; default: a folder in the cache",
)
@no_build_option
@offline_option
@json_option
@click.pass_obj
def command(
    console: Console,
    env: str | None,
    platforms: tuple[Platform, ...],
    channel: Path | None,
    no_build: bool,
    offline: bool,
    as_json: bool,
) -> None:
    """Write .conda archives of every wheel and recipe in the lock, so that any conda can install them from a channel.

    The same as `envgen publish --to FOLDER`. `create` needs no archives.
    """
    context = console.context(no_build=no_build, offline=offline)
    done = ops.build(context, env=env, platforms=platforms, channel=channel)
    show_published(console, done, as_json=as_json)
